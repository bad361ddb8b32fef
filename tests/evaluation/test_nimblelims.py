"""benchmarks/nimblelims: a LIMS that nobody here designed, always the same fictional rows, and questions about them."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from mnemosyne.databases import Limits
from mnemosyne.datasets import read_examples
from mnemosyne.datasets.overlap import normal_question
from mnemosyne.evaluation.benches import Where, open_bench
from mnemosyne.evaluation.running import prepare
from mnemosyne.evaluation.workers import Workers

HOME = Path(__file__).parent.parent.parent / "benchmarks" / "nimblelims"
QUESTIONS = HOME / "nimblelims.jsonl"


def filled(target: Path, ddl: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, HOME / "fill.py", target, "--ddl", ddl]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_database_is_the_same_each_time_and_every_gold_runs_on_it(
    tmp_path: Path, shared_data: Callable[[str], Path]
) -> None:
    database = tmp_path / "nimblelims.duckdb"
    done = filled(database, shared_data("lims/nimblelims/schema_dump.sql"))
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == [database]
    where = Where(tmp_path / "home", databases=(f"duckdb:///{database}",))
    with open_bench(str(QUESTIONS), where) as bench, Workers(1) as judges:
        assert len(bench.schemas["nimblelims"].tables) == 32
        assert bench.contents == "60e46b193f0de2c5"
        found = prepare(bench, judges, Limits(timeout_seconds=60), lambda *step: None)
    assert found is not None
    assert (found.engines, found.golds, found.empty, found.ties) == (("duckdb",), 100, (), ())


def test_a_schema_that_is_not_there_is_named_and_nothing_is_left_behind(tmp_path: Path) -> None:
    done = filled(tmp_path / "nimblelims.duckdb", tmp_path / "missing.sql")
    assert done.returncode == 2
    assert "missing.sql; name its file with --ddl" in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_questions_are_a_hundred_in_three_tiers_and_those_that_ask_for_an_order_say_so() -> None:
    examples = read_examples(QUESTIONS)
    assert [example.id for example in examples] == [f"nimblelims-{number:03d}" for number in range(1, 101)]
    assert Counter(example.tier for example in examples) == {"simple": 38, "moderate": 39, "complex": 23}
    assert {example.tags for example in examples} == {(), ("ordered",)}
    ordered = [example for example in examples if example.tags]
    assert all("ORDER BY" in example.sql for example in ordered)
    assert not any(example.hints for example in examples)


def test_no_question_is_in_a_set_that_is_trained_on() -> None:
    asked = {normal_question(example.question) for example in read_examples(QUESTIONS)}
    assert len(asked) == 100
    folder = Path(str(resources.files("mnemosyne.data") / "sets"))
    trained = {file.name: read_examples(file) for file in folder.glob("*.jsonl.gz")}
    assert {"lab-train.jsonl.gz", "lab-written.jsonl.gz", "other-written.jsonl.gz"} <= set(trained)
    for name, examples in trained.items():
        assert not asked & {normal_question(example.question) for example in examples}, name
