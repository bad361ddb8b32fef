"""One bad query costs one query: real processes, really killed and really stopped."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mnemosyne.databases import Limits
from mnemosyne.errors import EvaluationError
from mnemosyne.evaluation import workers
from mnemosyne.evaluation.judging import Answer, Outcome, Task
from mnemosyne.evaluation.workers import Workers
from mnemosyne.schema import Schema

LONG = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)
SELECT MAX(i) FROM n"""
COUNT = "SELECT COUNT(*) FROM orders"


@pytest.fixture
def task(shops: tuple[str, str], shop_schema: Schema) -> Task:
    """One gold with three answers, of which the middle one runs for minutes."""
    answers = (Answer(COUNT), Answer(LONG), Answer(COUNT))
    return Task("t", COUNT, "postgres", shop_schema, shops, answers, limits=Limits(timeout_seconds=60))


def disturb(pool: Workers, what: signal.Signals, step: tuple[int, int]) -> threading.Thread:
    """Send a signal to the pool's first process once it says that it runs `step`."""

    def wait() -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if pool._workers and pool._workers[0].step == step:
                time.sleep(0.1)
                os.kill(pool._workers[0].process.pid or 0, what)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def check_only_the_long_one_failed(outcome: Outcome, code: str) -> None:
    before, long, after = outcome.verdicts
    assert before.strict == after.strict == (True, True)
    assert (long.runs, long.code) == (False, code)


def test_a_query_that_ends_its_process_has_crashed_and_the_rest_is_judged(task: Task) -> None:
    with Workers(1) as pool:
        killer = disturb(pool, signal.SIGKILL, (1, 0))
        [outcome] = pool.run([task])
        killer.join()
        assert pool.replaced == 1
    check_only_the_long_one_failed(outcome, "crash")


def test_a_process_that_no_longer_reacts_is_killed_and_the_rest_is_judged(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process cannot interrupt its own query, as with a call that never looks at the clock."""
    monkeypatch.setattr(workers, "GRACE_SECONDS", 0.5)
    with Workers(1) as pool:
        killer = disturb(pool, signal.SIGSTOP, (1, 0))
        [outcome] = pool.run([replace(task, limits=Limits(timeout_seconds=3.0))])
        killer.join()
        assert pool.replaced == 1
    check_only_the_long_one_failed(outcome, "timeout")


def test_a_time_out_needs_no_new_process(task: Task) -> None:
    with Workers(1) as pool:
        [outcome] = pool.run([replace(task, limits=Limits(timeout_seconds=0.3))])
        assert pool.replaced == 0
    check_only_the_long_one_failed(outcome, "timeout")


def test_many_tasks_over_several_processes_all_come_back(task: Task) -> None:
    tasks = [replace(task, id=f"t{number}", answers=(Answer(COUNT),)) for number in range(40)]
    with Workers(3) as pool:
        outcomes = {outcome.id: outcome for outcome in pool.run(tasks)}
    assert outcomes.keys() == {one.id for one in tasks}
    assert all(outcome.verdicts[0].strict == (True, True) for outcome in outcomes.values())


def test_a_database_that_cannot_be_opened_ends_the_run_with_its_name(task: Task) -> None:
    with Workers(1) as pool, pytest.raises(EvaluationError, match="nowhere"):
        list(pool.run([replace(task, worlds=("sqlite:////nowhere/at/all.sqlite",))]))


def test_workers_start_from_a_script_without_a_guard(task: Task, tmp_path: Path) -> None:
    """The plain way to start processes would run the script again in each of them, without end."""
    (tmp_path / "task.pickle").write_bytes(pickle.dumps(replace(task, answers=(Answer(COUNT),))))
    script = tmp_path / "script.py"
    script.write_text(
        "import pickle, sys\nfrom pathlib import Path\nfrom mnemosyne.evaluation.workers import Workers\n"
        "with Workers(1) as pool:\n"
        "    print(*[one.verdicts[0].strict for one in pool.run([pickle.loads(Path(sys.argv[1]).read_bytes())])])\n"
    )
    command = [sys.executable, str(script), str(tmp_path / "task.pickle")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "(True, True)"
