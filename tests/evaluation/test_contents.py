"""Databases of one's own are known by what they hold, not only by their names."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mnemosyne.errors import EvaluationError
from mnemosyne.evaluation import contents, running
from mnemosyne.evaluation.benches import Bench, Where, open_bench
from mnemosyne.evaluation.contents import digest

ROWS = [(1, "Ann", 2.5, None), (2, "Bob", 7.0, b"\x00\x01")]
TABLE = "CREATE TABLE people (id INTEGER {key}, name VARCHAR(20), paid {real}, photo {bytes})"


def sqlite(path: Path, rows: list[tuple[object, ...]], key: str = "PRIMARY KEY") -> str:
    """A database of one table, written in the order of `rows`."""
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE IF EXISTS people")
        connection.execute(TABLE.format(key=key, real="REAL", bytes="BLOB"))
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
    connection.close()
    return f"sqlite:///{path}"


def duckdb(path: Path, rows: list[tuple[object, ...]]) -> str:
    """The same in DuckDB."""
    import duckdb as library

    connection = library.connect(str(path))
    connection.execute("DROP TABLE IF EXISTS people")
    connection.execute(TABLE.format(key="PRIMARY KEY", real="DOUBLE", bytes="BLOB"))
    connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
    connection.close()
    return f"duckdb:///{path}"


@pytest.mark.parametrize("make", [sqlite, duckdb])
def test_one_changed_cell_is_another_content_and_the_order_of_rows_is_not(
    make: Callable[[Path, list[tuple[object, ...]]], str], tmp_path: Path
) -> None:
    seen = digest([make(tmp_path / "db", ROWS)])
    assert digest([make(tmp_path / "again", ROWS[::-1])]) == seen
    others = [ROWS[:1], [ROWS[0], (2, "Bob", 7.5, b"\x00\x01")], [ROWS[0], (2, "Bob", 7.0, None)]]
    changed = [digest([make(tmp_path / "db", rows)]) for rows in others]
    assert len({seen, *changed}) == 4


def test_rows_are_read_in_postgresql_and_a_view_of_the_day_is_not(postgres_server: Callable[[str], str]) -> None:
    import psycopg

    url = postgres_server("contents")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute('CREATE TABLE people (id INTEGER PRIMARY KEY, "Full Name" TEXT)')
        connection.execute("CREATE VIEW today AS SELECT clock_timestamp() AS now")
        connection.execute("INSERT INTO people VALUES (1, 'Ann')")
        seen = digest([url])
        assert digest([url]) == seen
        connection.execute("UPDATE people SET \"Full Name\" = 'Anne'")
        assert digest([url]) != seen


def test_a_large_table_is_known_by_its_number_of_rows_and_its_first_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "ROWS", 1)
    for key, sees in (("PRIMARY KEY", True), ("", False)):
        seen = digest([sqlite(tmp_path / "db", ROWS, key)])
        assert digest([sqlite(tmp_path / "db", [*ROWS, (3, "Cid", 1.0, None)], key)]) != seen
        assert (digest([sqlite(tmp_path / "db", [(1, "Ana", 2.5, None), ROWS[1]], key)]) != seen) is sees


def test_a_bench_of_ones_own_carries_the_contents(shop_bench: Bench, tmp_path: Path) -> None:
    from mnemosyne.datasets.jsonl import write_examples

    write_examples(tmp_path / "shop.jsonl", shop_bench.examples)
    urls = shop_bench.worlds["shop"]
    with open_bench(str(tmp_path / "shop.jsonl"), Where(tmp_path, databases=urls)) as bench:
        assert bench.contents == digest(urls)


def test_a_folder_refuses_databases_that_have_changed_since(shop_bench: Bench, tmp_path: Path) -> None:
    system = running.System("m", None, tmp_path / "m.jsonl")
    running.pin(tmp_path / "run", replace(shop_bench, contents="aa"), [system])
    running.pin(tmp_path / "run", replace(shop_bench, contents="aa"), [system])
    with pytest.raises(EvaluationError, match="databases have changed"):
        running.pin(tmp_path / "run", replace(shop_bench, contents="bb"), [system])
