"""A real Ray cluster of two nodes, on this machine: the same answers and figures, also when a worker or a node dies."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnemosyne import prompt
from mnemosyne.databases import Limits
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.evaluation.judging import Answer, Outcome, Task
from mnemosyne.evaluation.workers import Workers
from mnemosyne.prompt import Prompt
from mnemosyne.schema import Schema

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
ray = pytest.importorskip("ray")

SLOW = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
SELECT COUNT(*) FROM customers WHERE (SELECT MAX(i) FROM n) > 0"""


def test_a_model_asks_for_no_more_cores_than_the_largest_node_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that wants more would wait for ever, and nobody would be told."""
    from mnemosyne.evaluation.far_engine import _cores

    class Nodes:
        def __init__(self, *cores: float) -> None:
            self._nodes = [{"Alive": True, "Resources": {"CPU": each}} for each in cores]

        def nodes(self) -> list[dict[str, Any]]:
            return [*self._nodes, {"Alive": False, "Resources": {"CPU": 64.0}}]

    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert [_cores(Nodes(*cores)) for cores in ((2.0, 4.0), (16.0,), ())] == [4, 8, 8]


def test_a_ray_that_cannot_start_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder for temporary files is a file."""
    from mnemosyne.errors import EvaluationError
    from mnemosyne.evaluation.cluster import Cluster

    (tmp_path / "full").write_text("")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / "full"))
    with pytest.raises(EvaluationError, match="Ray could not start on this machine"):
        Cluster("local")
    assert not ray.is_initialized()


@pytest.fixture
def nodes() -> Iterator[Any]:
    """A cluster of two nodes with one core each; this process is connected to it."""
    from ray.cluster_utils import Cluster as Nodes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        cluster.second = cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False, configure_logging=False)
        cluster.wait_for_nodes()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def tasks(shops: tuple[str, str], shop_schema: Schema) -> list[Task]:
    """Twelve tasks that take a moment each, with right, lucky, wrong and failing answers."""
    answers = (
        Answer("SELECT COUNT(*) FROM customers"),
        Answer("SELECT COUNT(*) FROM orders"),
        Answer("SELECT nothing FROM orders"),
        Answer(SLOW),
    )
    one = Task("t", "SELECT COUNT(*) FROM customers", "postgres", shop_schema, shops, answers, limits=Limits(60))
    return [replace(one, id=f"t{number}") for number in range(12)]


def verdicts(outcomes: Iterator[Outcome]) -> dict[str, list[tuple[object, ...]]]:
    """What the figures are made of, without times."""
    return {
        outcome.id: [(v.strict, v.lenient, v.runs, v.code, v.sql) for v in outcome.verdicts] for outcome in outcomes
    }


@pytest.fixture
def alone(tasks: list[Task]) -> dict[str, list[tuple[object, ...]]]:
    """The same tasks on this machine alone."""
    with Workers(1) as workers:
        return verdicts(workers.run(tasks))


def busy_workers(what: bytes = b"_judge_batch") -> list[int]:
    """Process ids of Ray workers that work on a batch now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if what in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def disturb(nodes: Any, done: list[str], what: bytes = b"_judge_batch") -> None:
    """Kill a worker while it works, then take a node away while another one does."""
    for act in ("worker", "node"):
        end = time.monotonic() + 240
        while not (found := busy_workers(what)) and time.monotonic() < end:
            time.sleep(0.05)
        if not found:
            return
        if act == "worker":
            os.kill(found[0], signal.SIGKILL)
        else:
            nodes.remove_node(nodes.second, allow_graceful=False)
        done.append(act)
        time.sleep(1.0)


def test_two_nodes_give_the_figures_of_one_machine_although_a_worker_and_then_a_node_die(
    nodes: Any, tasks: list[Task], alone: dict[str, list[tuple[object, ...]]]
) -> None:
    from mnemosyne.evaluation.cluster import Cluster

    done: list[str] = []
    thread = threading.Thread(target=disturb, args=(nodes, done), daemon=True)
    with Cluster(nodes.address, batch=1) as judges:
        thread.start()
        found = verdicts(judges.run(tasks))
        thread.join()
    assert done == ["worker", "node"], "both were really lost in mid-run"
    assert found == alone


@pytest.fixture
def slow_model() -> Any:
    """Opens a model that takes a moment and answers with the length of its prompt; travels to the nodes as it is."""

    def open_here() -> ScriptedEngine:
        def answer(asked: Prompt) -> str:
            time.sleep(0.3)
            return f"SELECT {len(asked.text)}"

        return ScriptedEngine(answer)

    return open_here


def test_answers_of_two_nodes_are_those_of_one_machine_although_a_worker_and_then_a_node_die(
    nodes: Any, slow_model: Any
) -> None:
    from mnemosyne.evaluation.far_engine import FarEngine

    prompts = [prompt.build("CREATE TABLE t (x INTEGER)", f"Question {'!' * number}") for number in range(40)]
    done: list[str] = []
    thread = threading.Thread(target=disturb, args=(nodes, done, b"_answer_batch"), daemon=True)
    engine = FarEngine(slow_model(), slow_model, cores=1, batch=4)
    thread.start()
    found = dict(engine.complete_many(prompts))
    thread.join()
    assert done == ["worker", "node"], "both were really lost in mid-run"
    alone = dict(slow_model().complete_many(prompts))
    assert {index: answer[0].text for index, answer in found.items()} == {i: a[0].text for i, a in alone.items()}
