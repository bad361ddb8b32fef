"""Rejection sampling keeps answers that return the gold's rows in a form that is not there yet."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mnemosyne.datasets import Example
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.training import sampling

GOLD = Example("q1", "How many samples are tested?", "SELECT COUNT(*) FROM samples WHERE status = 'Tested'", "mine")


def test_forms_of_the_gold_and_of_each_other_count_once() -> None:
    correct = [
        "SELECT count(*)  FROM samples AS s WHERE s.status = 'Tested'",
        "SELECT COUNT(*) FROM samples WHERE status = 'Tested'",
        "SELECT SUM(1) FROM samples WHERE status = 'Tested'",
        "SELECT SUM(1) FROM samples WHERE status = 'Other'",
    ]
    found = sampling.new_forms(GOLD, correct)
    assert [e.sql for e in found] == [correct[0], correct[2]]
    assert [e.id for e in found] == ["q1-s1", "q1-s2"]
    assert {e.question for e in found} == {GOLD.question}


@pytest.fixture
def recipe(recipe_file: Path) -> Any:
    from mnemosyne.training import recipe as recipes

    return recipes.load(recipe_file)


def test_what_is_wrong_refused_or_no_sql_is_not_learned(recipe: Any, small: Any, tmp_path: Path) -> None:
    """The judge is the one of the command: the answers run on a real database."""
    from mnemosyne.cli.train import _judge

    replies = [
        "SELECT COUNT(sample_id) FROM samples WHERE status = 'Tested'",
        "SELECT COUNT(*) FROM samples WHERE status = 'Received' AND client_id = 1",
        "DELETE FROM samples",
        "I do not know.",
    ]
    engine = ScriptedEngine(replies)
    found = sampling.draw([GOLD], lambda _: small.folder.joinpath("schemas/mine.sql").read_text(), engine,
                          _judge(recipe, tmp_path / "run"), n=4, seed=0)  # fmt: skip
    assert [e.sql for e in found.kept] == [replies[0]]
    assert (found.questions, found.drawn, found.right) == (1, 4, 1)


def test_questions_are_those_of_the_database_that_can_judge(recipe: Any, small: Any) -> None:
    from mnemosyne.cli.train_samples import asked_of_the_database

    examples = asked_of_the_database(recipe, small.folder)
    assert len(examples) == 48
    assert "CREATE TABLE samples" in examples[0].schema
    assert sampling.choose(examples, 5, seed=1) == sampling.choose(examples, 5, seed=1)
    assert len(sampling.choose(examples, 500, seed=1)) == 48


def test_a_gold_that_fails_or_finds_nothing_lets_no_answer_in(recipe: Any, tmp_path: Path) -> None:
    from mnemosyne.cli.train import _judge
    from mnemosyne.errors import TrainingError

    broken = replace(GOLD, id="broken", sql="SELECT nothing FROM samples")
    empty = replace(GOLD, id="empty", sql="SELECT name FROM clients WHERE name = 'Nobody'")
    asked = [(broken, "SELECT 1"), (empty, "SELECT name FROM clients WHERE client_id = -1"), (GOLD, GOLD.sql)]
    assert _judge(recipe, tmp_path / "run", skip=True)(asked) == [False, False, True]
    with pytest.raises(TrainingError, match="The gold query of broken cannot be used"):
        _judge(recipe, tmp_path / "run")(asked)
    assert _judge(recipe, tmp_path / "run")(asked[1:]) == [False, True]


def test_golds_and_answers_are_judged_on_the_day_that_the_recipe_names(recipe: Any, tmp_path: Path) -> None:
    from mnemosyne.cli.train import _judge

    gold = replace(GOLD, sql="SELECT name FROM clients WHERE CURRENT_DATE = DATE '2024-02-29'")
    then = replace(recipe, validation=replace(recipe.validation, today="2024-02-29"))
    asked = [(gold, "SELECT name FROM clients"), (gold, "SELECT client_id FROM clients")]
    assert _judge(then, tmp_path / "run")(asked) == [True, False]
    assert _judge(recipe, tmp_path / "run")(asked) == [False, False], "on another day the gold finds nothing"


@dataclass
class Laboratory:
    """A run on a DuckDB laboratory, with a model that answers what `says` returns."""

    call: Callable[..., Any]
    engines: list[tuple[str, ScriptedEngine]]
    start: Path


@pytest.fixture
def laboratory(small: Any, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Laboratory:
    duckdb = pytest.importorskip("duckdb")
    pytest.importorskip("torch")
    import tiny_qwen
    from click.testing import CliRunner

    from mnemosyne.cli.train import command
    from mnemosyne.settings import Settings
    from mnemosyne.training import adapter_gguf, base

    with duckdb.connect(str(tmp_path / "lab.duckdb")) as connection:
        connection.execute((small.folder / "schemas" / "mine.sql").read_text())
        for n in range(14):
            connection.execute("INSERT INTO clients VALUES (?, ?)", [n, f"Client {n}"])
            for status in ("Received", "Tested", "Reported", "Cancelled"):
                rows = [(100 * n + 10 * i + len(status), n, status) for i in range(1 + n % 3)]
                connection.executemany("INSERT INTO samples VALUES (?, ?, ?) ON CONFLICT DO NOTHING", rows)
    config = base.prepare(str(small.gguf), Settings(home=small.home)).config
    start = small.folder / "begin.gguf"
    adapter_gguf.write_gguf(start, tiny_qwen.random_adapter(config, 8), alpha=16, name="begin")
    text = recipe_file.read_text().replace(small.database, f"duckdb:///{tmp_path}/lab.duckdb")
    recipe_file.write_text(text.replace("learning_rate: 5e-3", "learning_rate: 1e-9\nstart_from: begin.gguf"))
    engines: list[tuple[str, ScriptedEngine]] = []

    def call(*arguments: object, says: Callable[[Any], str] | None = None) -> Any:
        def open_engine(name: str, settings: Settings) -> ScriptedEngine:
            assert says is not None, "nothing is left to be drawn"
            engines.append((name, ScriptedEngine(says)))
            return engines[-1][1]

        monkeypatch.setattr("mnemosyne.engines.open_engine", open_engine)
        monkeypatch.setenv("MNEMOSYNE_HOME", str(small.home))
        options = ["--out", tmp_path / "run", "--sample-questions", 12, "--max-steps", 2, "--threads", 1]
        return CliRunner().invoke(command, [str(a) for a in (recipe_file, *options, *arguments)])

    return Laboratory(call, engines, start)


def answers(prompt: Any) -> Iterator[str]:
    """Four answers to a question of `small`: the gold's form, a new form twice, a wrong number."""
    status, client = re.search(r"How many (\w+) samples of client (\d+)\?", prompt.text).groups()  # type: ignore[union-attr]
    where = f"FROM samples WHERE status = '{status}' AND client_id = {client}"
    yield f"SELECT COUNT(*) {where};"
    yield f"SELECT COUNT(sample_id) {where}"
    yield f"select count(sample_id)  {where} -- again"
    yield f"SELECT COUNT(*) + 1 {where}"


def test_a_run_from_samples_learns_what_the_database_confirmed_and_goes_on_where_it_was_cut(
    laboratory: Laboratory, small: Any, tmp_path: Path
) -> None:
    from mnemosyne.datasets import read_examples
    from mnemosyne.errors import EngineError, TrainingError
    from mnemosyne.training import starting

    said: dict[str, Iterator[str]] = {}
    left = iter(range(5 * 4))

    def says(prompt: Any) -> str:
        if next(left, None) is None:
            raise EngineError("The model has gone away.")
        return next(said.setdefault(prompt.text, answers(prompt)))

    cut = laboratory.call("--from-samples", 4, says=says)
    assert isinstance(cut.exception, EngineError)
    assert not (tmp_path / "run").exists(), "nothing is trained on half a round"
    with (tmp_path / "run-samples.log.jsonl").open("a") as file:
        file.write('{"question": 7, "ans')  # a kill in the middle of a line

    left = iter(range(100))
    said.clear()
    done = laboratory.call("--from-samples", 4, says=says)
    assert done.exit_code == 0, done.output
    (first, _), (second, engine) = laboratory.engines
    assert first == second == f"{small.gguf}+{laboratory.start}", "the model that the run starts from is asked"
    assert len(engine.prompts) == 12 - 5
    assert "12 questions, 48 answers, 36 right, 12 right and new" in done.stderr

    kept = read_examples(tmp_path / "run-samples.jsonl.gz")
    assert len({example.question for example in kept}) == len(kept) == 12
    assert all(example.sql.startswith("SELECT COUNT(sample_id) FROM samples WHERE") for example in kept)
    assert {example.source for example in kept} == {"mine-sampled"}
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert [part["rows"] for part in record["data"]] == [48, 6, 12]
    assert record["data"][2]["path"] == str(tmp_path / "run-samples.jsonl.gz")
    begin, last = starting.read(laboratory.start), starting.read(tmp_path / "run" / "last")
    for name, tensor in last.tensors.items():
        assert (tensor - begin.tensors[name]).abs().max() < 1e-5, "the run started from start_from"

    assert laboratory.call("--from-samples", 4, "--resume").exit_code == 0, "nothing is drawn again"
    other = laboratory.call("--from-samples", 3, "--resume")
    assert isinstance(other.exception, TrainingError)
    assert "samples of another round: answers 4 (now 3)" in str(other.exception)
    without = laboratory.call("--resume")
    assert "learned from other rows or batches" in str(without.exception)
    assert "--from-samples" in without.exception.hint


def test_without_a_database_samples_are_refused_before_a_model_is_opened(
    laboratory: Laboratory, recipe_file: Path
) -> None:
    from mnemosyne.errors import TrainingError

    text = recipe_file.read_text()
    recipe_file.write_text(text[: text.index("validation:")])
    done = laboratory.call("--from-samples", 4)
    assert isinstance(done.exception, TrainingError)
    assert "Set validation: {database: …}" in done.exception.hint
