"""`mnemosyne demo`: a laboratory from nothing, three questions, their SQL, results and timings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mnemosyne.cli.demo import QUESTIONS

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

    from mnemosyne.prompt import Prompt

RECENT = "SELECT COUNT(*) AS samples FROM samples WHERE received_date >= CURRENT_DATE - INTERVAL '30 days'"
THIS_YEAR = "EXTRACT(YEAR FROM r.test_date) = EXTRACT(YEAR FROM CURRENT_DATE)"
CLIENTS = f"""SELECT c.client_name, COUNT(*) AS failures FROM results r JOIN samples s ON r.sample_id = s.sample_id
JOIN clients c ON s.client_id = c.client_id WHERE r.pass_fail = 'F' AND {THIS_YEAR}
GROUP BY c.client_name ORDER BY failures DESC LIMIT 5"""
RATES = f"""SELECT d.determinand_name, AVG(CASE WHEN r.pass_fail = 'F' THEN 100.0 ELSE 0 END) AS failure_rate
FROM results r JOIN determinands d ON r.determinand_id = d.determinand_id WHERE {THIS_YEAR}
GROUP BY d.determinand_name HAVING AVG(CASE WHEN r.pass_fail = 'F' THEN 100.0 ELSE 0 END) > 5"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the laboratory is made."""
    monkeypatch.setenv("MNEMOSYNE_HOME", str(tmp_path))
    return tmp_path


def scripted(asked: Prompt) -> str:
    return next(
        sql for question, sql in zip(QUESTIONS, (RECENT, CLIENTS, RATES), strict=True) if question in asked.tail
    )


def test_the_demo_answers_three_questions_with_sql_and_timings(cli: CommandLine, home: Path) -> None:
    ran = cli("demo", script=scripted)
    assert ran.code == 0, ran.err
    assert "entirely fictional, three years up to today: " in ran.out
    assert len(cli.fetched) == 1
    places = [ran.out.index(f"{number}  {question}") for number, question in enumerate(QUESTIONS, 3)]
    assert places == sorted(places)
    parts = [
        ran.out[start:end] for start, end in zip(places, [*places[1:], ran.out.index("The time it took")], strict=True)
    ]
    for part in parts:
        assert "SELECT" in part
        assert re.search(r"^\s*([\d,]+|no) rows?\b", part, re.MULTILINE), part
    assert "COUNT(*) AS samples" in parts[0]
    assert "failures DESC" in parts[1]
    assert "failure_rate" in parts[2]
    timings = ran.out[ran.out.index("The time it took") :]
    for number in (3, 4, 5):
        assert re.search(rf"^\s*{number}\s+\d+\.\d\d s\s+\d+\.\d{{3}} s\s+\d+\.\d\d s\s+\d+\s*$", timings, re.MULTILINE)
    assert "s from start to end" in timings
    [file] = (home / "demo").iterdir()
    assert f"--db sqlite:///{file}" in ran.out


def test_the_demo_makes_its_laboratory_once_a_day_and_fails_when_nothing_was_answered(cli: CommandLine) -> None:
    assert "entirely fictional" in cli("demo", script=scripted).out
    ran = cli("demo", script=lambda asked: "I cannot say.")
    assert ran.code == 1
    assert "the one that an earlier run made today" in ran.out
    assert ran.out.count("without SQL") == 3
