"""Values are read once and kept beside the cache; what changed is read again."""

import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mnemosyne.databases import open_database
from mnemosyne.grounding import ValueIndex, store
from mnemosyne.grounding.store import open_values
from mnemosyne.settings import Settings


@pytest.fixture
def url(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.executescript(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, email TEXT);"
            "CREATE TABLE goods (id INTEGER PRIMARY KEY, title TEXT);"
            "INSERT INTO clients VALUES (1, 'Rowan Foods', 'secret@rowan.example');"
            "INSERT INTO goods VALUES (1, 'Copper kettle');"
        )
    connection.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


def index(url: str, folder: Path, **options: object) -> ValueIndex:
    database = open_database(url)
    try:
        return open_values(database, database.schema(), folder, **options)  # type: ignore[arg-type]
    finally:
        database.close()


def change(url: str, sql: str) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.executescript(sql)
    connection.close()
    os.utime(url.removeprefix("sqlite:///"), ns=(time.time_ns(), time.time_ns()))


def test_the_second_time_nothing_is_read(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = index(url, tmp_path / "kept")
    monkeypatch.setattr(store, "stored_values", lambda *args, **options: pytest.fail("read again"))
    second = index(url, tmp_path / "kept")
    question = "rowan foods and copper kettles"
    assert (
        first.hints(question)
        == second.hints(question)
        == ("clients.name = 'Rowan Foods'", "goods.title = 'Copper kettle'")
    )


def test_new_rows_of_a_file_are_seen(url: str, tmp_path: Path) -> None:
    index(url, tmp_path / "kept")
    change(url, "INSERT INTO clients VALUES (2, 'Alder Dairy', NULL);")
    assert index(url, tmp_path / "kept").hints("alder dairy") == ("clients.name = 'Alder Dairy'",)


def test_only_tables_whose_definition_changed_are_read_again(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_stamp", lambda database: "")  # as with a server, which does not tell
    index(url, tmp_path / "kept")
    change(url, "ALTER TABLE goods ADD COLUMN kind TEXT; UPDATE goods SET kind = 'Utensil';")
    read: list[str] = []
    whole = store.stored_values

    def counted(database, schema, *, only, **options):  # type: ignore[no-untyped-def]
        read.append(only)
        return whole(database, schema, only=only, **options)

    monkeypatch.setattr(store, "stored_values", counted)
    assert index(url, tmp_path / "kept").hints("utensil") == ("goods.kind = 'Utensil'",)
    assert read == ["goods"]


def test_values_of_a_server_are_good_for_a_day(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_stamp", lambda database: "")
    index(url, tmp_path / "kept")
    [file] = (tmp_path / "kept").iterdir()
    content = json.loads(file.read_text())
    change(url, "UPDATE clients SET name = 'Alder Dairy';")
    assert index(url, tmp_path / "kept").hints("alder dairy") == ()
    file.write_text(json.dumps(content | {"made": content["made"] - 2 * 24 * 3600}))
    assert index(url, tmp_path / "kept").hints("alder dairy") == ("clients.name = 'Alder Dairy'",)


def test_the_file_is_the_owners_and_holds_nothing_excluded(url: str, tmp_path: Path) -> None:
    index(url, tmp_path / "kept", exclude=["clients.email"])
    [file] = (tmp_path / "kept").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert "secret" not in file.read_text()
    assert "Rowan Foods" in file.read_text()


def test_an_exclusion_that_no_column_is_called_is_told_with_the_nearest_name(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was to be kept private is read otherwise, and nobody would know."""
    database = open_database(url)
    for names, said in (
        ("clients.emial, TITLE, clients.*", ["clients.emial. Nearest: clients.email."]),
        ("email,goods.title", []),
    ):
        caplog.clear()
        store.keep(database, database.schema(), Settings(home=tmp_path, exclude_values=names))
        assert [text.partition("is called ")[2] for text in caplog.messages] == said
    database.close()


def test_what_is_kept_is_what_would_be_read_at_once(url: str, tmp_path: Path) -> None:
    """A column that refers to another table is found there, and not a second time."""
    change(
        url,
        "CREATE TABLE colours (code TEXT PRIMARY KEY); INSERT INTO colours VALUES ('vermilion');"
        "CREATE TABLE pots (id INTEGER PRIMARY KEY, colour TEXT REFERENCES colours (code));"
        "INSERT INTO pots VALUES (1, 'vermilion');",
    )
    database = open_database(url)
    at_once = ValueIndex.build(database, database.schema()).hints("vermilion pots")
    database.close()
    assert at_once == index(url, tmp_path / "kept").hints("vermilion pots") == ("colours.code = 'vermilion'",)


def test_a_broken_file_is_made_again(url: str, tmp_path: Path) -> None:
    index(url, tmp_path / "kept")
    [file] = (tmp_path / "kept").iterdir()
    file.write_text("{")
    assert index(url, tmp_path / "kept").hints("rowan foods") == ("clients.name = 'Rowan Foods'",)


def test_a_server_can_be_kept_too(postgres_server: Callable[[str], str], tmp_path: Path) -> None:
    psycopg = pytest.importorskip("psycopg")
    url = postgres_server("kept")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE clients (id INT PRIMARY KEY, name TEXT)")
        connection.execute("INSERT INTO clients VALUES (1, 'Rowan Foods')")
    assert index(url, tmp_path / "kept").hints("rowan foods") == ("clients.name = 'Rowan Foods'",)
