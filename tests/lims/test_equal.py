"""The same laboratory in three engines: same rows in every table."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import psycopg
import pytest

from mnemosyne.lims.contract import TABLES


def _plain(cell: Any) -> Any:
    if isinstance(cell, bool):
        return int(cell)
    return cell.isoformat()[:10] if isinstance(cell, date | datetime) else cell


def _rows(url: str, table: str) -> list[tuple[Any, ...]]:
    sql = f"SELECT * FROM {table}"
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        rows = connection.execute(sql).fetchall()
        connection.close()
    elif url.startswith("duckdb"):
        # a copy: DuckDB opens a file once a process, with one configuration, and ours is locked
        with TemporaryDirectory() as folder:
            copy = shutil.copy(url.removeprefix("duckdb:///"), folder)
            with duckdb.connect(copy, read_only=True) as engine:
                rows = engine.execute(sql).fetchall()
    else:
        with psycopg.connect(url) as server:
            rows = server.execute(sql).fetchall()
    return sorted((tuple(_plain(cell) for cell in row) for row in rows), key=repr)


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_the_same_rows_in_three_engines(
    table: str, lab_sqlite: str, lab_duckdb: str, lab_postgres: str
) -> None:
    expected = _rows(lab_postgres, table)
    assert expected
    assert _rows(lab_sqlite, table) == expected
    assert _rows(lab_duckdb, table) == expected


def test_a_table_that_lost_a_row_would_be_seen(lab_sqlite: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_bytes(Path(lab_sqlite.removeprefix("sqlite:///")).read_bytes())
    connection = sqlite3.connect(copy)
    connection.execute("DELETE FROM worksheet_samples WHERE rowid = 1")
    connection.commit()
    connection.close()
    assert _rows(f"sqlite:///{copy}", "worksheet_samples") != _rows(lab_sqlite, "worksheet_samples")
