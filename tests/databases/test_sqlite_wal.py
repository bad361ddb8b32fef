"""A SQLite database in WAL mode is asked where its folder is closed, and asking leaves nothing beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mnemosyne.databases import Database, open_database
from mnemosyne.errors import DatabaseUnreadable
from mnemosyne.guard.query import SafeQuery
from mnemosyne.results import Failure, Result

COUNT = "SELECT COUNT(*) FROM samples"
NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that every user may enter, which those of pytest are not."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


@pytest.fixture
def file(folder: Path) -> Path:
    path = folder / "lab.db"
    write(path, "PRAGMA journal_mode = WAL; CREATE TABLE samples (sample_id INTEGER PRIMARY KEY);")
    write(path, "INSERT INTO samples VALUES (1), (2)")
    return path


@pytest.fixture
def guest() -> Iterator[Callable[[Path], None]]:
    """Closes a folder and goes on as somebody who owns nothing in it, until the test ends."""

    def close(folder: Path) -> None:
        for one in folder.iterdir():
            one.chmod(0o444)
        folder.chmod(0o555)
        if os.geteuid() == 0:
            os.setresuid(NOBODY, NOBODY, 0)

    yield close
    if os.getresuid()[2] == 0:
        os.setresuid(0, 0, 0)


def write(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(sql)
    connection.close()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def count(database: Database) -> object:
    outcome = database.run(SafeQuery(COUNT, "sqlite", COUNT))
    return outcome.rows[0][0] if isinstance(outcome, Result) else outcome


def left_by_a_dead_writer(path: Path, sql: str) -> None:
    """What a process that was killed leaves: rows that are only in the log."""
    script = f"import os, sqlite3; c = sqlite3.connect({str(path)!r}); c.executescript({sql!r}); os._exit(0)"
    subprocess.run([sys.executable, "-c", script], check=True)
    assert path.with_name(f"{path.name}-wal").stat().st_size


def test_a_closed_folder_is_no_hindrance(file: Path, guest: Callable[[Path], None]) -> None:
    guest(file.parent)
    database = open_database(f"sqlite:///{file}")
    assert [table.name for table in database.schema().tables] == ["samples"]
    assert count(database) == 2
    database.close()
    assert names(file.parent) == {"lab.db"}


def test_an_empty_log_without_its_index_is_no_hindrance_either(file: Path, guest: Callable[[Path], None]) -> None:
    file.with_name("lab.db-wal").touch()
    guest(file.parent)
    database = open_database(f"sqlite:///{file}")
    assert count(database) == 2
    database.close()


def test_a_log_that_cannot_be_read_is_said_and_not_left_out(file: Path, guest: Callable[[Path], None]) -> None:
    """The file alone would answer two."""
    left_by_a_dead_writer(file, "INSERT INTO samples VALUES (3)")
    file.with_name("lab.db-shm").unlink()
    guest(file.parent)
    with pytest.raises(DatabaseUnreadable, match=r"WAL mode.* lab\.db-shm beside it") as error:
        open_database(f"sqlite:///{file}")
    assert "damaged" not in f"{error.value} {error.value.hint}"
    assert "its -wal" in str(error.value.hint)


def test_what_is_written_meanwhile_is_seen_by_the_next_query(file: Path, guest: Callable[[Path], None]) -> None:
    """The owner may still write, and an immutable connection would not notice."""
    guest(file.parent)
    database = open_database(f"sqlite:///{file}")
    assert count(database) == 2
    if os.getresuid()[2] == 0:
        os.setresuid(0, 0, 0)
    file.chmod(0o644)
    file.parent.chmod(0o755)
    write(file, "INSERT INTO samples VALUES (3)")
    assert count(database) == 3
    database.close()


def test_rows_that_change_under_a_query_are_not_an_answer(file: Path, guest: Callable[[Path], None]) -> None:
    guest(file.parent)
    database = open_database(f"sqlite:///{file}")
    run = database._run  # type: ignore[attr-defined]

    def slow(*arguments: object) -> object:
        outcome = run(*arguments)
        if os.getresuid()[2] == 0:
            os.setresuid(0, 0, 0)
        file.chmod(0o644)
        file.parent.chmod(0o755)
        write(file, "INSERT INTO samples VALUES (3)")
        return outcome

    database._run = slow  # type: ignore[attr-defined]
    outcome = count(database)
    database.close()
    assert isinstance(outcome, Failure)
    assert "written to while the query ran" in outcome.message


def test_asking_leaves_nothing_beside_the_database(file: Path) -> None:
    before = file.read_bytes()
    first, second = open_database(f"sqlite:///{file}"), open_database(f"sqlite:///{file}")
    assert count(first) == count(second) == 2
    first.close()
    assert count(second) == 2
    second.close()
    assert names(file.parent) == {"lab.db"}
    assert file.read_bytes() == before


def test_what_was_there_before_stays(file: Path) -> None:
    left_by_a_dead_writer(file, "INSERT INTO samples VALUES (3)")
    before = file.read_bytes(), file.with_name("lab.db-wal").read_bytes()
    database = open_database(f"sqlite:///{file}")
    assert count(database) == 3
    database.close()
    assert names(file.parent) == {"lab.db", "lab.db-wal", "lab.db-shm"}
    assert (file.read_bytes(), file.with_name("lab.db-wal").read_bytes()) == before


def test_a_writer_that_came_meanwhile_keeps_its_log(file: Path) -> None:
    database = open_database(f"sqlite:///{file}")
    writer = sqlite3.connect(file)
    writer.executescript("INSERT INTO samples VALUES (3)")
    assert count(database) == 3
    database.close()
    assert file.with_name("lab.db-wal").stat().st_size
    writer.executescript("INSERT INTO samples VALUES (4)")
    writer.close()
    database = open_database(f"sqlite:///{file}")
    assert count(database) == 4
    database.close()
