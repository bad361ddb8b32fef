"""What must not pass. The attacks are in `attacks/`: `every.txt` for all dialects, and one file for each."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from guard_cases import Attack, attacks

from mnemosyne import guard
from mnemosyne.databases import Limits, open_database
from mnemosyne.guard import Refusal, SafeQuery
from mnemosyne.guard.query import Dialect
from mnemosyne.results import Result
from mnemosyne.schema import Schema

DIALECTS: tuple[Dialect, ...] = ("postgres", "sqlite", "duckdb")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_attack_is_refused_for_a_right_reason(dialect: Dialect, lab: Schema) -> None:
    wrong = []
    for attack in attacks(dialect):
        verdict = guard.check(attack.text, lab, target=dialect, written=dialect)
        if isinstance(verdict, SafeQuery):
            wrong.append(f"{attack.place} passes: {attack.text!r} as {verdict.sql!r}")
        elif verdict.code not in attack.codes:
            wrong.append(f"{attack.place} {verdict.code}, not {sorted(attack.codes)}: {attack.text!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("target", ["sqlite", "duckdb"])
def test_no_attack_in_postgresql_passes_on_its_way_to_another_dialect(target: Dialect, lab: Schema) -> None:
    passed = [
        f"{attack.place}: {attack.text!r}"
        for attack in attacks("postgres")
        if isinstance(guard.check(attack.text, lab, target=target), SafeQuery)
    ]
    assert not passed, "\n".join(passed)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_attack_passes_as_the_reply_of_a_model(dialect: Dialect, lab: Schema) -> None:
    passed = [
        f"{attack.place}: {attack.text!r}"
        for attack in attacks("postgres")
        if isinstance(guard.check_reply(attack.text, lab, target=dialect), SafeQuery)
    ]
    assert not passed, "\n".join(passed)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_refusal_says_why_in_one_sentence(dialect: Dialect, lab: Schema) -> None:
    for attack in attacks(dialect):
        verdict = guard.check(attack.text, lab, target=dialect, written=dialect)
        assert isinstance(verdict, Refusal)
        assert 10 < len(verdict.reason) < 400, verdict.reason
        assert "\n" not in verdict.reason.strip(), verdict.reason
        assert len(verdict.place) <= 120


@pytest.mark.parametrize("dialect", DIALECTS)
def test_there_are_at_least_three_hundred_attacks_on_each_dialect(dialect: Dialect) -> None:
    texts = {attack.text for attack in attacks(dialect)}
    assert len(texts) >= 300
    assert len(texts) == len(attacks(dialect)), "an attack is there twice"


LONG = {
    "a megabyte of letters": "SELECT " + "x" * 1_000_000,
    "a megabyte of brackets": "(" * 1_000_000,
    "5,000 nested brackets": "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
    "65 nested brackets": "SELECT " + "(" * 65 + "1" + ")" * 65,
    "nested square brackets": "SELECT " + "[" * 3_000 + "1" + "]" * 3_000,
    "2,000 nested queries": "SELECT * FROM (" * 2_000 + "SELECT 1" + ") AS x" * 2_000,
    "a long chain of NOT": "SELECT " + "NOT " * 3_000 + "TRUE",
    "a long chain of minus": "SELECT " + "- " * 4_500 + "1",
    "a long chain of CASE": "SELECT " + "CASE WHEN TRUE THEN " * 700 + "1" + " END" * 700,
    "a long chain of EXISTS": "SELECT 1 WHERE " + "NOT EXISTS (SELECT 1 WHERE " * 60 + "TRUE" + ")" * 60,
    "a long chain of ||": "SELECT " + "'a' || " * 2_100 + "'a'",
    "a long chain of AND": "SELECT 1 WHERE " + "1 = 1 AND " * 1_500 + "1 = 1",
    "a long list": "SELECT 1 WHERE 1 IN (" + "1, " * 6_000 + "1)",
    "a long union": "SELECT 1" + " UNION ALL SELECT 1" * 1_500,
    "many casts": "SELECT 1" + "::int" * 1_500,
    "many comments": "/* x */" * 2_800 + "DELETE FROM samples",
    "quotes in quotes": "SELECT '" + "''" * 9_000,
    "an open comment": "SELECT 1 /*" + "*" * 15_000,
    "many semicolons": "SELECT 1" + ";" * 10_000 + "DROP TABLE samples",
    "NUL": "SELECT '\x00'",
    "a lone surrogate": "SELECT '\ud800'",
    "binary": bytes(range(256)).decode("latin-1"),
    "bytes that are no text": b"SELECT \xff\xfe".decode("utf-8", "replace"),
    "nothing": "",
    "blanks": " \n\t" * 1_000,
    "a dash": "-",
    "an option": "--help",
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_a_long_or_strange_text_is_refused_quickly(text: str, dialect: Dialect, lab: Schema) -> None:
    start = time.process_time()  # of this process alone, whatever else the machine does
    verdict = guard.check(text, lab, target=dialect, written=dialect)
    assert time.process_time() - start < 2
    if isinstance(verdict, SafeQuery):
        assert verdict.sql.startswith("SELECT 1 WHERE"), "only a long but plain query may pass"


# What stands behind the guard ------------------------------------------------------------------------------------


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


LIMITS = Limits(timeout_seconds=0.2, max_rows=50, max_bytes=100_000)


def _run_raw(database: Any, dialect: Dialect, attack: Attack) -> None:
    """Run an attack as if the guard had let it through."""
    database.run(SafeQuery(attack.text, dialect, attack.text), LIMITS)


def _targets() -> dict[Path, int]:
    """The files that attacks write where they can, and when each was written."""
    return {path: path.stat().st_mtime_ns for path in Path("/tmp").glob("x.*")}


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb"])
def test_a_database_file_stays_the_same_even_if_the_guard_let_every_attack_through(
    dialect: Dialect, lab_sqlite: str, lab_duckdb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Path((lab_sqlite if dialect == "sqlite" else lab_duckdb).partition(":///")[2])
    folder = tmp_path / "here"
    folder.mkdir()
    copy = folder / original.name
    copy.write_bytes(original.read_bytes())
    monkeypatch.chdir(folder)
    before, targets = _digest(copy), _targets()
    database = open_database(f"{dialect}:///{copy}")
    try:
        for attack in attacks(dialect):
            if "too-much" not in attack.codes:  # a bomb changes nothing, it only takes long
                _run_raw(database, dialect, attack)
        assert isinstance(database.run(SafeQuery("SELECT COUNT(*) FROM samples", dialect, "")), Result)
    finally:
        database.close()
    assert _digest(copy) == before
    assert os.listdir(folder) == [copy.name], "an attack made a file"
    assert _targets() == targets, "an attack wrote a file"


def test_a_postgresql_database_stays_the_same_even_if_the_guard_let_every_attack_through(
    lab_postgres: str, lab: Schema
) -> None:
    import psycopg

    def state() -> list[tuple[Any, ...]]:
        with psycopg.connect(lab_postgres) as connection:
            rows: list[tuple[Any, ...]] = []
            for table in lab.tables:
                rows += connection.execute(
                    f"SELECT '{table.name}', COUNT(*), SUM(HASHTEXT(t::text)) FROM {table.name} AS t"
                ).fetchall()
            rows += connection.execute("SELECT relname::text, relkind::text FROM pg_class ORDER BY 1").fetchall()
            rows += connection.execute("SELECT rolname::text, rolsuper FROM pg_roles ORDER BY 1").fetchall()
            rows += connection.execute("SELECT sequencename::text, last_value FROM pg_sequences ORDER BY 1").fetchall()
            return rows

    before = state()
    database = open_database(lab_postgres)
    try:
        for attack in attacks("postgres"):
            if "\x00" not in attack.text and "too-much" not in attack.codes:
                _run_raw(database, "postgres", attack)
    finally:
        database.close()
    assert state() == before


def test_the_state_of_a_file_would_tell_a_change(lab_sqlite: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_bytes(Path(lab_sqlite.removeprefix("sqlite:///")).read_bytes())
    before = _digest(copy)
    with sqlite3.connect(copy) as connection:
        connection.execute("DELETE FROM worksheet_samples WHERE rowid = 1")
    connection.close()
    assert _digest(copy) != before


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_database_runs_nothing_but_what_the_guard_made(
    dialect: Dialect, engines: dict[Dialect, Any], ask_all: Callable[[str], object]
) -> None:
    with pytest.raises(TypeError, match="SafeQuery"):
        engines[dialect].run("SELECT 1")
