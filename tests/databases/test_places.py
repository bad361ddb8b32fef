"""A database that cannot be opened: what happened, why, and what to do next. Nothing is created by asking."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from mnemosyne.databases import open_database
from mnemosyne.databases.places import parse
from mnemosyne.errors import DatabaseError, DatabaseNotFound, DatabaseUnreachable, DatabaseUnreadable


def failure(url: str) -> DatabaseError:
    with pytest.raises(DatabaseError) as caught:
        open_database(url).schema()
    return caught.value


@pytest.mark.parametrize("form", ["sqlite:///{}", "duckdb:///{}", "{}"])
def test_no_such_file_names_the_nearest_and_creates_nothing(form: str, tmp_path: Path) -> None:
    (tmp_path / "laboratory.db").write_bytes(b"SQLite format 3\x00")
    error = failure(form.format(tmp_path / "labratory.db"))
    assert isinstance(error, DatabaseNotFound)
    assert "labratory.db" in str(error)
    assert "laboratory.db" in error.hint
    assert [path.name for path in tmp_path.iterdir()] == ["laboratory.db"]


@pytest.mark.parametrize("url", ["~no-such-user/lab.db", "sqlite:///~no-such-user/lab.db"])
def test_a_file_of_a_user_that_is_not_there(url: str) -> None:
    error = failure(url)
    assert isinstance(error, DatabaseNotFound)
    assert str(error) == "There is no file ~no-such-user/lab.db."


def test_a_folder_is_not_a_database(tmp_path: Path) -> None:
    assert "is a folder" in str(failure(f"sqlite:///{tmp_path}"))


def test_an_empty_file_is_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    assert "is empty" in str(failure(f"sqlite:///{tmp_path}/empty.db"))


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_a_file_of_another_kind_is_not_a_database(engine: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("These are notes about samples, and no database.")
    error = failure(f"{engine}:///{tmp_path}/notes.txt")
    assert isinstance(error, DatabaseUnreadable)
    assert "encrypted" in str(error)


def test_the_wrong_engine_is_told_the_right_one(lab_sqlite: str, lab_duckdb: str) -> None:
    file = lab_sqlite.removeprefix("sqlite:///")
    assert failure(f"duckdb:///{file}").hint == f"Use sqlite:///{file}"
    file = lab_duckdb.removeprefix("duckdb:///")
    assert failure(f"sqlite:///{file}").hint == f"Use duckdb:///{file}"


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_a_damaged_database_is_said_to_be_damaged(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    whole = Path(request.getfixturevalue(f"lab_{engine}").removeprefix(f"{engine}:///")).read_bytes()
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(whole[:100] + b"\xa5" * 8_000 + whole[8_100 : len(whole) // 2])
    error = failure(f"{engine}:///{damaged}")
    assert isinstance(error, DatabaseUnreadable)
    assert "damaged" in f"{error} {error.hint}" or "malformed" in str(error)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "lab.db").write_bytes(b"SQLite format 3\x00")
    monkeypatch.setattr(Path, "open", closed)
    assert "may not be read by this user" in str(failure(f"sqlite:///{tmp_path}/lab.db"))


@pytest.mark.parametrize(
    ("url", "words", "hint"),
    [
        ("", "No database is named", "sqlite:///lab.db"),
        ("mysql://localhost/lab", "No database of kind 'mysql'", "URLs"),
        ("sqllite:///lab.db", "Did you mean sqlite://?", "URLs"),
        ("sqlite://lab.db", "lacks a slash", "sqlite:///lab.db"),
        ("sqlite:///:memory:", "in memory is empty", "URLs"),
        ("sqlite://", "lacks a slash", "sqlite:///lab.db"),
        ("postgresql://localhost:port/lab", "has no meaning", "URLs"),
    ],
)
def test_a_url_without_meaning(url: str, words: str, hint: str) -> None:
    error = failure(url)
    assert words in str(error)
    assert hint in error.hint


def test_a_server_that_does_not_answer() -> None:
    error = failure("postgresql://someone:secret@127.0.0.1:1/lab?connect_timeout=2")
    assert isinstance(error, DatabaseUnreachable)
    assert "does not answer" in str(error)
    assert "secret" not in f"{error} {error.hint}"


def test_a_host_that_does_not_exist() -> None:
    error = failure("postgresql://someone:secret@no-such-host.invalid/lab?connect_timeout=2")
    assert isinstance(error, DatabaseUnreachable)
    assert "secret" not in f"{error} {error.hint}"


def test_a_database_that_the_server_does_not_have(postgres_server: Callable[[str], str]) -> None:
    error = failure(postgres_server("there").replace("/there?", "/absent?"))
    assert isinstance(error, DatabaseNotFound)
    assert "no such database" in str(error)


def test_a_wrong_password_is_said_without_saying_the_password(postgres_server: Callable[[str], str]) -> None:
    url = postgres_server("guarded")
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("CREATE ROLE careful LOGIN PASSWORD 'right'")
        server.execute("CREATE TABLE t (a INT); GRANT SELECT ON t TO careful")
        [file] = server.execute("SHOW hba_file").fetchone() or ("",)
        rules = Path(file).read_text()
        Path(file).write_text("local all careful scram-sha-256\n" + rules)
        server.execute("SELECT pg_reload_conf()")
    try:
        error = failure(url.replace("postgres@", "careful:wr0ng%40secret@"))
        assert isinstance(error, DatabaseUnreachable)
        assert "does not accept this name or password" in str(error)
        assert "wr0ng" not in f"{error} {error.hint} {error!r}"
        opened = open_database(url.replace("postgres@", "careful:right@"))
        assert opened.schema().tables[0].name == "t"
        assert "right" not in opened.url
        opened.close()
    finally:
        Path(file).write_text(rules)
        with psycopg.connect(url, autocommit=True) as server:
            server.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:s3cret@db.example/lab", "postgresql://ann@db.example/lab"),
        ("postgresql://ann:s3c:r@t@db.example/lab", "postgresql://ann@db.example/lab"),
        ("postgresql://db.example/lab?user=ann&password=s3cret", "postgresql://db.example/lab?user=ann"),
        ("postgresql:///lab?password=s3cret", "postgresql:///lab"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    place = parse(url)
    assert place.url == shown
    assert "s3c" not in repr(place)


@pytest.mark.parametrize(
    ("url", "shown", "parameters"),
    [
        ("postgresql:///lab", "postgresql:///lab", {"dbname": "lab"}),
        (
            "postgresql:///lab?host=/run/postgresql",
            "postgresql:///lab?host=%2Frun%2Fpostgresql",
            {"dbname": "lab", "host": "/run/postgresql"},
        ),
        ("postgresql://", "postgresql://", {}),
        ("postgres://ann:s3cret@/lab", "postgresql://ann@/lab", {"dbname": "lab", "user": "ann", "password": "s3cret"}),
    ],
)
def test_a_server_url_without_a_host_keeps_its_slashes(url: str, shown: str, parameters: dict[str, str]) -> None:
    place = parse(url)
    assert place.url == shown
    assert psycopg.conninfo.conninfo_to_dict(place.conninfo) == parameters
    assert parse(shown).url == shown


def test_a_server_on_this_machine_opens_by_its_socket_folder(postgres_server: Callable[[str], str]) -> None:
    url = postgres_server("local")
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("CREATE TABLE t (a INT)")
        where = server.info.get_parameters()["host"]
    opened = open_database(f"postgresql:///local?host={where}&user=postgres")
    assert opened.url.startswith("postgresql:///local?host=")
    assert opened.schema().tables[0].name == "t"
    opened.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cret/x@db.example/lab",
        "postgresql://u:12/s3cret@db.example/lab",
        "postgresql://u:s3c@ret/x@db.example/lab",
        "postgresql://u:12/s3?cret@db.example/lab",
        "postgresql://u/n:s3cret@db.example/lab",
        "postgresql://u:s3cret/lab",
        "postgresql://u:[s3cret/x",
    ],
)
def test_a_password_with_a_slash_is_refused_without_saying_any_of_it(url: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        parse(url)
    said = f"{caught.value} {caught.value.hint} {caught.value!r}"
    assert "has no meaning" in said
    assert "percent-encoded: / is %2F" in said
    assert not [part for part in ("s3", "cret", "ret", "/x", "12/") if part in said.replace("secret", "")]


def test_a_password_that_is_percent_encoded_reaches_the_server() -> None:
    place = parse("postgresql://u:s3cret%2Fx%40y@db.example/lab?user=ann@corp")
    assert psycopg.conninfo.conninfo_to_dict(place.conninfo)["password"] == "s3cret/x@y"
    assert place.url == "postgresql://u@db.example/lab?user=ann%40corp"


def test_a_password_among_the_parameters_is_scrubbed_as_it_stands() -> None:
    place = parse("postgresql:///lab?password=s3c+ret%zz")
    assert place.scrub('invalid percent-encoded token: "s3c+ret%zz"') == 'invalid percent-encoded token: "***"'


def test_relative_and_absolute_files(lab_sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(lab_sqlite.removeprefix("sqlite:///"))
    monkeypatch.chdir(file.parent)
    for url in ("sqlite:///lab.db", "lab.db", str(file), f"sqlite:///{file}", "sqlite:///lab.db?mode=rw"):
        opened = open_database(url)
        assert len(opened.schema().tables) == 8
        opened.close()
