"""Rejection sampling keeps answers that return the gold's rows in a form that is not there yet."""

from __future__ import annotations

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
    from mnemosyne.cli.train import _asked_of_the_database

    examples, ddl_of = _asked_of_the_database(recipe, small.folder)
    assert len(examples) == 48
    assert "CREATE TABLE samples" in ddl_of(examples[0])
    assert sampling.choose(examples, 5, seed=1) == sampling.choose(examples, 5, seed=1)
    assert len(sampling.choose(examples, 500, seed=1)) == 48
