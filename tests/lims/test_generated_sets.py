"""The generated sets: what they hold, that they keep apart from evaluation, and that they can be made again."""

from __future__ import annotations

import calendar
import json
import re
import shutil
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest

from mnemosyne import guard, lims
from mnemosyne.databases import Limits, open_database
from mnemosyne.datasets import Example, fingerprint, read_examples
from mnemosyne.datasets.overlap import OverlapIndex, normal_question
from mnemosyne.grounding import Grounder, ValueIndex
from mnemosyne.guard.query import SafeQuery
from mnemosyne.lims import build_sets, sets
from mnemosyne.results import Result

FOLDER = Path(str(resources.files("mnemosyne.data") / "sets"))
RECORD = json.loads((FOLDER / "generated.json").read_text("utf-8"))


def read(name: str) -> list[Example]:
    return read_examples(FOLDER / f"{name}.jsonl.gz")


def test_the_datasheet_names_every_set_with_its_size_and_fingerprint() -> None:
    sheet = (FOLDER.parents[3] / "docs" / "datasheet.md").read_text("utf-8")
    named = dict(re.findall(r"^\| `([a-z0-9-]+)` \| ([\d,]+)[^\n]* `[0-9a-f]{16}` \|$", sheet, re.MULTILINE))
    files = {path.name.partition(".")[0]: path for path in FOLDER.glob("*.jsonl*")}
    assert named.keys() == files.keys()
    for name, path in files.items():
        examples = read_examples(path)
        assert int(named[name].replace(",", "")) == len(examples), name
        assert f"`{fingerprint(examples)}` |" in sheet, f"{name} is another than the datasheet says"


def masked(example: Example) -> str:
    """The wording of a question without the values of its query, numbers and months."""
    question = example.question.lower()
    for value in sorted(re.findall(r"'([^']+)'", example.sql.lower()), key=len, reverse=True):
        question = question.replace(value.strip("%"), "#")
    question = re.sub(r"\d+(\.\d+)?", "#", question)
    months = "|".join(calendar.month_name[1:]).lower()
    return normal_question(re.sub(rf"\b({months})\b", "#", question))


def test_no_wording_of_an_evaluation_question_is_in_training_with_other_values() -> None:
    training = [*read("lab-train"), *read("lab-579"), *read("lab-written")]
    wordings = {masked(example): example.id for example in training}
    evaluation = [*read_examples(FOLDER / "lab-bench.jsonl"), *read_examples(FOLDER / "lab-dev.jsonl")]
    shared = {example.id: wordings[masked(example)] for example in evaluation if masked(example) in wordings}
    assert not shared
    assert len(wordings) > 9_000, "so much is masked that the comparison says nothing"


@pytest.mark.parametrize("name", RECORD)
def test_the_files_are_those_of_the_record(name: str) -> None:
    examples = read(name)
    assert len(examples) == RECORD[name]["pairs"]
    assert fingerprint(examples) == RECORD[name]["fingerprint"]
    assert len({e.id for e in examples}) == len({normal_question(e.question) for e in examples}) == len(examples)


def test_lab_579_has_the_shape_of_the_reference() -> None:
    assert Counter(e.tier for e in read("lab-579")) == {"simple": 217, "moderate": 215, "complex": 147}


def test_together_they_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 10_000_000


def test_validation_shares_nothing_with_training() -> None:
    train, valid = read("lab-train"), read("lab-valid")
    assert not {normal_question(e.question) for e in train} & {normal_question(e.question) for e in valid}
    assert not {e.sql for e in train} & {e.sql for e in valid}


@pytest.mark.parametrize("name", RECORD)
def test_nothing_overlaps_an_evaluation_question(name: str) -> None:
    protected = OverlapIndex(sets.written())
    examples = read(name)[:: 1 if name != "lab-train" else 12]
    assert [e.id for e in examples if protected.reason(e)] == []


def test_golds_pass_the_guard_and_run_on_another_population(lab_duckdb: str) -> None:
    schema, database = lims.schema(), open_database(lab_duckdb)
    for example in read("lab-579")[::12]:
        checked = guard.check(example.sql, schema, target="duckdb")
        assert isinstance(checked, SafeQuery), (example.sql, checked)
        assert isinstance(database.run(checked, Limits(max_rows=20_000)), Result), example.sql
    database.close()


def test_pairs_are_told_what_answering_tells(lab_duckdb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    question = "How many Escherichia coli results failed last month?"
    database = open_database(lab_duckdb)
    asked = Grounder(lims.schema(), ValueIndex.build(database, lims.schema())).ground(question).hints
    database.close()
    monkeypatch.setattr(sets, "populations", lambda folder: [lab_duckdb])
    (link,) = sets.LabRecipe(str(tmp_path), sets.SETS[0].plan)().links
    assert link(question) == asked
    assert [hint.partition(" ")[0] for hint in asked] == ["determinands.determinand_name", "last"]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package without what is large."""
    left_out = shutil.ignore_patterns("adapters", "__pycache__", "*.gz")
    return shutil.copytree(FOLDER.parent.parent, tmp_path_factory.mktemp("copy") / "mnemosyne", ignore=left_out)


@pytest.mark.parametrize(
    ("file", "decides"),
    [
        ("synthesis/neighbours.py", True),
        ("synthesis/patterns/counts.py", True),
        ("lims/sets.py", True),
        ("data/lims/lexicon.yaml", True),
        ("data/sets/lab-dev.jsonl", True),
        ("guard/duckdb_rules.py", True),
        ("guard/functions.py", True),
        ("grounding/windows.py", True),
        ("data/grounding/synonyms.yaml", True),
        ("schema/writing.py", True),
        ("results.py", True),
        ("databases/duckdb.py", True),
        ("datasets/overlap.py", True),
        ("guard/sqlite_dates.py", False),
        ("guard/policy.py", False),
        ("databases/postgres.py", False),
        ("synthesis/own.py", False),
        ("lims/check_pairs.py", False),
        ("prompt.py", False),
    ],
)
def test_blocks_are_kept_until_something_that_decides_them_changes(copy: Path, file: str, decides: bool) -> None:
    before, text = sets.recipe_digest(copy), (copy / file).read_bytes()
    (copy / file).write_bytes(text + b"\n")
    after = sets.recipe_digest(copy)
    (copy / file).write_bytes(text)
    assert (before != after) is decides


def test_populations_of_other_code_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "recipe_digest", lambda: "0" * 12)
    before = sets.populations(tmp_path, 0.02)
    monkeypatch.setattr(sets, "recipe_digest", lambda: "1" * 12)
    assert not set(sets.populations(tmp_path, 0.02)) & set(before)
    made = {url: Path(url.removeprefix("duckdb:///")).stat().st_mtime_ns for url in sets.populations(tmp_path, 0.02)}
    assert made == {u: Path(u.removeprefix("duckdb:///")).stat().st_mtime_ns for u in sets.populations(tmp_path, 0.02)}


def test_the_digest_is_that_of_the_package(copy: Path) -> None:
    assert sets.recipe_digest() == sets.recipe_digest(copy)


@pytest.mark.slow
def test_a_rebuild_gives_the_same_bytes(tmp_path: Path) -> None:
    """Not the whole set, which takes minutes: the beginning of lab-579, on populations made afresh."""
    from dataclasses import replace

    item = next(item for item in sets.SETS if item.name == "lab-579")
    made = sets.make(replace(item, count=20), tmp_path)
    committed = {e.id: e for e in read("lab-579")}
    assert [committed.get(e.id) for e in made.examples] == made.examples


@pytest.mark.slow
def test_the_command_writes_sets_record_and_reports(tmp_path: Path) -> None:
    out, docs = tmp_path / "sets", tmp_path / "docs"
    build_sets.main(
        ["-o", str(out), "--work", str(tmp_path), "--workers", "1", "--scale", "0.002", "--docs", str(docs)]
    )
    record = json.loads((out / "generated.json").read_text("utf-8"))
    assert record["lab-train"]["fingerprint"] == fingerprint(read_examples(out / "lab-train.jsonl.gz"))
    assert "Join paths" in (docs / "sets" / "coverage.md").read_text("utf-8")
    assert "told apart" in (docs / "sets" / "verification.md").read_text("utf-8")
    leakage = (docs / "leakage.md").read_text("utf-8")
    assert "SQL forms shared: 0 with lab-train, 0 with lab-579, 0 with lab-written" in leakage
    assert (docs / "sets" / "lab-train.png").stat().st_size > 10_000
