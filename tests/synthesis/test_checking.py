"""`mnemosyne synth --check`: pairs that people wrote are judged as strictly as composed ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.synthesis.test_own import zoo

from mnemosyne.cli import group
from mnemosyne.datasets import read_examples

OTTERS = "SELECT name FROM animals WHERE species = 'Otter' AND weight > 10"


def judged(folder: Path, *pairs: dict[str, str]) -> tuple[int, str]:
    """Exit code and output of the command on a small zoo."""
    (folder / "mine.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    arguments = ["synth", "--db", f"sqlite:///{zoo(folder / 'zoo.db')}", "-o", str(folder / "out"), "--name", "zoo"]
    arguments += ["--today", "2026-06-15", "--check", str(folder / "mine.jsonl")]
    done = CliRunner().invoke(group, arguments, standalone_mode=False)
    return done.return_value, done.output


def test_what_passes_is_ready_to_train_on(tmp_path: Path) -> None:
    code, said = judged(
        tmp_path,
        {"question": "heavy otters by name, over ten kilos", "sql": OTTERS.replace("WHERE", "where"), "tier": "simple"},
    )
    assert (code, said.splitlines()) == (
        0,
        [f"1 pairs pass, 0 do not: {tmp_path / 'out' / 'checked.jsonl.gz'}"],
    )
    (example,) = read_examples(tmp_path / "out" / "checked.jsonl.gz")
    assert example.sql == OTTERS
    assert (example.id, example.schema, example.tier, example.source) == ("mine-0001", "zoo", "simple", "mine")
    assert "table:animals" in example.tags
    assert "CREATE TABLE animals" in (tmp_path / "out" / "schemas" / "zoo.sql").read_text()


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        ({"question": "Which otters are there?"}, "one of the two is missing"),
        ({"question": "Which otters?", "sql": "SELECT name FROM"}, "not PostgreSQL"),
        ({"question": "Which otters?", "sql": "SELECT title FROM animals"}, "no column title"),
        ({"question": "Get rid of them", "sql": "DELETE FROM animals"}, "refused"),
        ({"question": "Which whales?", "sql": "SELECT name FROM animals WHERE species = 'Whale'"}, "no rows"),
        (
            {
                "question": "Otters of some age",
                "sql": "SELECT name FROM animals WHERE species = 'Otter' AND weight > -1",
            },
            "gives the same rows on all populations: SELECT name FROM animals WHERE species = 'Otter'",
        ),
    ],
)
def test_what_does_not_pass_is_told_with_its_reason(tmp_path: Path, pair: dict[str, str], reason: str) -> None:
    code, said = judged(tmp_path, {"question": "Names of otters", "sql": OTTERS}, pair)
    assert code == 0
    first, second, last = said.splitlines()
    assert first == f"line 2: {pair['question']}"
    assert reason in second
    assert last.startswith("1 pairs pass, 1 do not")


def test_a_question_twice_and_nothing_left(tmp_path: Path) -> None:
    code, said = judged(
        tmp_path, {"question": "Names?", "sql": "SELECT x FROM y"}, {"question": "names", "sql": OTTERS}
    )
    assert code == 1
    assert "the same question as in line 1" in said
    assert read_examples(tmp_path / "out" / "checked.jsonl.gz") == []
