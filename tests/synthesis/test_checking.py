"""`mnemosyne synth --check`: pairs that people wrote are judged as strictly as composed ones."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlglot
from click.testing import CliRunner, Result
from sqlglot import exp
from tests.synthesis.test_own import zoo

from mnemosyne.cli import group
from mnemosyne.datasets import read_examples
from mnemosyne.errors import DatasetError
from mnemosyne.schema import Schema
from mnemosyne.synthesis.checking import Checked, Checker, has
from mnemosyne.synthesis.verify import Verdict, Verifier

OTTERS = "SELECT name FROM animals WHERE species = 'Otter' AND weight > 10"


def judged(folder: Path, *pairs: dict[str, str]) -> tuple[int, str]:
    """Exit code and output of the command on a small zoo."""
    done = called(folder, *pairs)
    return done.return_value, done.output


def called(folder: Path, *pairs: dict[str, str]) -> Result:
    """The command on a small zoo."""
    (folder / "mine.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    arguments = ["synth", "--db", f"sqlite:///{zoo(folder / 'zoo.db')}", "-o", str(folder / "out"), "--name", "zoo"]
    arguments += ["--today", "2026-06-15", "--check", str(folder / "mine.jsonl")]
    return CliRunner().invoke(group, arguments, standalone_mode=False)


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
        (
            {"question": "Get rid of them", "sql": "DELETE FROM animals"},
            "refused by the guard: DELETE changes data; only reading is allowed",
        ),
        (
            {"question": "Otters, then lynxes", "sql": "SELECT 1; SELECT 2"},
            "refused by the guard: the text holds 2 statements; exactly one is run. Write one SELECT",
        ),
        (
            {
                "question": "Deep otters",
                "sql": "SELECT name FROM animals WHERE weight > " + "(" * 3000 + "1" + ")" * 3000,
            },
            "nested too deeply",
        ),
        ({"question": "…?!", "sql": OTTERS}, "the question has no word in it"),
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


def test_a_file_without_pairs_is_an_error(tmp_path: Path) -> None:
    done = called(tmp_path)
    assert isinstance(done.exception, DatasetError)
    assert "no pair" in str(done.exception)


class Fragile(Verifier):
    """Lets every query pass, and breaks on some."""

    def __init__(self) -> None:
        super().__init__([], Schema.from_ddl("CREATE TABLE animals (name TEXT)"))

    def judge(self, tree: exp.Expression, rng: Random, ordered: bool = False) -> Verdict:
        if tree.args.get("limit"):
            raise ValueError("invalid literal for int() with base 10: 'ALL'\nand more")
        return Verdict()


def verdicts(*rows: dict[str, Any] | str) -> list[Checked]:
    """What is said of lines, each numbered from 1."""
    return list(Checker(Fragile(), "zoo").check(enumerate(rows, 1)))


def test_whatever_is_wrong_with_one_pair_does_not_end_the_judging() -> None:
    found = verdicts(
        "not JSON (Expecting value at character 1)",
        {"question": "All?", "sql": "SELECT name FROM animals LIMIT ALL"},
        {"question": 5, "sql": "SELECT name FROM animals"},
        {"question": "Names?", "sql": ["SELECT name FROM animals"]},
        {"question": "A quote?", "sql": "SELECT 'x"},
        {"question": "Names?", "sql": "SELECT name FROM animals"},
    )
    assert [verdict.line for verdict in found] == [1, 2, 3, 4, 5, 6]
    assert (found[0].question, found[0].reason) == ("", "not JSON (Expecting value at character 1)")
    assert found[1].reason == (
        "this query cannot be judged (ValueError: invalid literal for int() with base 10: 'ALL'): write it another way"
    )
    assert found[2].reason == found[3].reason == 'a pair is {"question": …, "sql": …}; both must be text'
    assert found[4].reason.startswith("not PostgreSQL: ")
    assert found[5].example is not None


@pytest.mark.parametrize("question", ["Сколько животных?", "動物の名前は?", "जानवरों के नाम?"])
def test_a_question_in_letters_of_any_script_is_one(question: str) -> None:
    first, again = verdicts(*[{"question": question, "sql": "SELECT name FROM animals"}] * 2)
    assert first.example is not None
    assert again.reason == "the same question as in line 1"


YEAR = "DATE_TRUNC('year', CURRENT_DATE)"
THIS_YEAR = f"this year: date >= {YEAR}"
LAST_YEAR = f"last year: date >= {YEAR} - INTERVAL '1 year' AND date < {YEAR}"
YESTERDAY = "yesterday: date = CURRENT_DATE - INTERVAL '1 day'"
OTTER = "animals.species = 'Otter'"
YOUNG = "SELECT name FROM animals WHERE born >= DATE_TRUNC('year', CURRENT_DATE)"


@pytest.mark.parametrize(
    ("sql", "hint", "expected"),
    [
        (OTTERS, OTTER, True),
        (OTTERS, "animals.species = 'Lynx'", False),
        (OTTERS, THIS_YEAR, False),
        (YOUNG, THIS_YEAR, True),
        (YOUNG, LAST_YEAR, False),
        (YOUNG + " - INTERVAL '1 year'", THIS_YEAR, False),
        (YOUNG.replace(">=", "<"), THIS_YEAR, False),
        (f"{OTTERS} AND born = CURRENT_DATE - INTERVAL '1 days'", YESTERDAY, True),
        ("SELECT name FROM animals WHERE name = 'Rex: date = 3'", "animals.name = 'Rex: date = 3'", True),
    ],
)  # fmt: skip
def test_a_hint_stays_when_the_query_does_what_it_tells(sql: str, hint: str, expected: bool) -> None:
    assert has(sqlglot.parse_one(sql, read="postgres"), hint) is expected


def test_windows_stand_behind_the_values_of_the_population_that_stores_most() -> None:
    links = [lambda question: (THIS_YEAR,), lambda question: (OTTER, THIS_YEAR), lambda question: (LAST_YEAR,)]
    pairs = [(n, {"question": f"Young otters {n}", "sql": f"{YOUNG} AND species = 'Otter'"}) for n in range(1, 21)]
    told = [verdict.example.hints for verdict in Checker(Fragile(), "zoo", links=links).check(pairs) if verdict.example]
    assert set(told) == {(), (OTTER, THIS_YEAR)}
    assert 10 <= sum(map(bool, told)) < 20
