"""lab-written: pairs written one by one, in one spelling, apart from every evaluation question."""

from __future__ import annotations

import json
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest
import sqlglot

from mnemosyne import guard, lims
from mnemosyne.databases import Limits, open_database
from mnemosyne.datasets import read_examples
from mnemosyne.datasets.overlap import OverlapIndex, normal_question
from mnemosyne.guard.query import SafeQuery
from mnemosyne.lims import check_pairs, sets
from mnemosyne.results import Result
from mnemosyne.synthesis.checking import has
from mnemosyne.synthesis.style import print_sql

EXAMPLES = read_examples(Path(str(resources.files("mnemosyne.data") / "sets" / "lab-written.jsonl.gz")))


def test_every_tier_is_there_and_no_question_twice() -> None:
    tiers = Counter(example.tier for example in EXAMPLES)
    assert set(tiers) == {"simple", "moderate", "complex"}
    assert min(tiers.values()) > 300
    assert len({e.id for e in EXAMPLES}) == len({normal_question(e.question) for e in EXAMPLES}) == len(EXAMPLES)


def test_every_query_is_written_in_the_one_spelling() -> None:
    assert [e.id for e in EXAMPLES if print_sql(sqlglot.parse_one(e.sql, read="postgres")) != e.sql] == []


def test_nothing_overlaps_an_evaluation_question() -> None:
    protected = OverlapIndex(sets.written())
    assert [e.id for e in EXAMPLES if protected.reason(e)] == []


def test_hints_are_conditions_that_the_query_has() -> None:
    hinted = [e for e in EXAMPLES if e.hints]
    assert len(hinted) > len(EXAMPLES) / 5
    assert [e.id for e in hinted if not all(has(sqlglot.parse_one(e.sql, read="postgres"), h) for h in e.hints)] == []


def test_queries_run_on_another_population(lab_duckdb: str) -> None:
    schema, database = lims.schema(), open_database(lab_duckdb)
    for example in EXAMPLES[::25]:
        checked = guard.check(example.sql, schema, target="duckdb")
        assert isinstance(checked, SafeQuery), (example.sql, checked)
        assert isinstance(database.run(checked, Limits(max_rows=20_000)), Result), example.sql
    database.close()


@pytest.mark.slow
def test_the_check_tells_good_from_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check_pairs, "SCALE", 0.3)
    held_out = read_examples(Path(str(resources.files("mnemosyne.data") / "sets" / "lab-dev.jsonl")))[0]
    good = {
        "question": "number of urgent swabs",
        "tier": "simple",
        "sql": "SELECT COUNT(*) FROM samples WHERE priority = 'Urgent' AND matrix = 'Environmental Swab'",
    }
    near = {"question": held_out.question, "sql": held_out.sql, "tier": "simple"}
    (tmp_path / "two.jsonl").write_text(json.dumps(good) + "\n" + json.dumps(near) + "\n")
    arguments = [str(tmp_path / "two.jsonl"), "-o", str(tmp_path / "set.jsonl.gz"), "--work", str(tmp_path)]
    assert check_pairs.main(arguments) == 1
    said = capsys.readouterr().out
    assert "two.jsonl, line 2" in said
    assert "kept for evaluation (question)" in said
    (example,) = read_examples(tmp_path / "set.jsonl.gz")
    assert (example.id, example.hints) == ("lab-written-0001", ("samples.matrix = 'Environmental Swab'",))
