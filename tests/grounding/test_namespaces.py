"""Tables with a namespace, `lab.analysts`: the same words mean the same as without one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mnemosyne import guard
from mnemosyne.databases import Database, open_database
from mnemosyne.grounding import ValueIndex
from mnemosyne.grounding.doubts import unstored
from mnemosyne.guard.query import SafeQuery

TABLES = """
CREATE TABLE {lab}analysts (analyst_id INTEGER PRIMARY KEY, analyst_name TEXT, department TEXT, job_title TEXT);
INSERT INTO {lab}analysts VALUES (1, 'Zbigniew Boe', 'Microbiology', 'Analyst'), (2, 'Ann Ray', 'Chemistry', 'Lead');
CREATE TABLE {lab}determinands (determinand_id INTEGER PRIMARY KEY, category TEXT);
INSERT INTO {lab}determinands VALUES (1, 'Microbiology'), (2, 'Chemistry');
CREATE TABLE clients (client_id INTEGER PRIMARY KEY, client_name TEXT);
INSERT INTO clients VALUES (1, 'Rowan Foods');
"""


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def spaced(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Database, ValueIndex]]:
    """A database with the namespace `lab`, which is not on the search path, and the index of its values."""
    script = "CREATE SCHEMA lab;" + TABLES.format(lab="lab.")
    if request.param == "duckdb":
        duckdb = pytest.importorskip("duckdb")
        path = tmp_path_factory.mktemp("spaced") / "house.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute(script)
        url = f"duckdb:///{path}"
    else:
        psycopg = pytest.importorskip("psycopg")
        server: Callable[[str], str] = request.getfixturevalue("postgres_server")
        url = server("spaced")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(script)
    database = open_database(url)
    yield database, ValueIndex.build(database, database.schema())
    database.close()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> ValueIndex:
    """The index of the same values in tables without a namespace."""
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path_factory.mktemp("plain") / "house.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(TABLES.format(lab=""))
    database = open_database(f"duckdb:///{path}")
    index = ValueIndex.build(database, database.schema())
    database.close()
    return index


@pytest.mark.parametrize(
    ("question", "hints"),
    [
        ("Thank you, Zbigniew, list all clients", ()),
        ("How many results did Zbigniew Boe approve?", ("analysts.analyst_name = 'Zbigniew Boe'",)),
        ("How many microbiology analysts are there?", ("analysts.department = 'Microbiology'",)),
        ("microbiology results", ("determinands.category = 'Microbiology'",)),
        ("List analyst names", ()),
    ],
)
def test_a_namespace_changes_no_hint(
    spaced: tuple[Database, ValueIndex], plain: ValueIndex, question: str, hints: tuple[str, ...]
) -> None:
    assert plain.hints(question) == hints
    assert spaced[1].hints(question) == tuple(f"lab.{hint}" for hint in hints)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT * FROM lab.analysts WHERE department = 'Mikrobiology'", "lab.analysts.department = 'Mikrobiology'"),
        ("SELECT * FROM analysts AS a WHERE a.department = 'Mikrobiology'", "lab.analysts.department = 'Mikrobiology'"),
        (
            "SELECT * FROM lab.analysts WHERE lab.analysts.department IN ('Mikrobiology')",
            "lab.analysts.department = 'Mikrobiology'",
        ),
        ("SELECT * FROM {usual}.clients WHERE client_name = 'Rowan Food'", "clients.client_name = 'Rowan Food'"),
        (
            "SELECT * FROM clients c, lab.analysts WHERE C.client_name = 'Rowan Food'",
            "clients.client_name = 'Rowan Food'",
        ),
        ("SELECT * FROM lab.analysts WHERE department = 'Chemistry'", None),
    ],
)
def test_a_value_that_nobody_stored_is_told_of_every_table(
    spaced: tuple[Database, ValueIndex], sql: str, said: str | None
) -> None:
    database, values = spaced
    usual = {"duckdb": "main", "postgres": "public"}[database.dialect]
    checked = guard.check(sql.format(usual=usual), database.schema(), target=database.dialect)
    assert isinstance(checked, SafeQuery), checked
    doubt = unstored(checked, values)
    assert (doubt.evidence[0] if doubt is not None else None) == said


def test_columns_can_be_excluded_with_their_namespace(spaced: tuple[Database, ValueIndex]) -> None:
    database, values = spaced
    bare = ValueIndex.build(database, database.schema(), exclude=["lab.analysts.analyst_name", "lab.determinands.*"])
    assert values.hints("results of Zbigniew Boe") == ("lab.analysts.analyst_name = 'Zbigniew Boe'",)
    assert bare.hints("results of Zbigniew Boe") == ()
    assert bare.hints("microbiology results") == ("lab.analysts.department = 'Microbiology'",)


def names(count: int) -> str:
    return ", ".join(
        f"({number}, 'Client {number:03d} Ltd', '{'A' * 81 if number < 3 else ''}')" for number in range(count)
    )


@pytest.mark.parametrize("engine", ["sqlite", "duckdb", "postgres"])
def test_nothing_is_said_of_what_a_cut_column_does_not_store(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The last of ten names is beyond the cap of five, so only the whole column may be said not to store one."""
    script = f"""CREATE TABLE clients (id INTEGER PRIMARY KEY, client_name TEXT, note TEXT);
    INSERT INTO clients VALUES {names(10)};
    CREATE TABLE remarks (id INTEGER PRIMARY KEY, remark TEXT);
    INSERT INTO remarks SELECT id, note || client_name FROM clients;"""
    if engine == "sqlite":
        import sqlite3

        with sqlite3.connect(tmp_path / "c.db") as lite:
            lite.executescript(script)
        lite.close()
        url = f"sqlite:///{tmp_path / 'c.db'}"
    elif engine == "duckdb":
        with pytest.importorskip("duckdb").connect(str(tmp_path / "c.duckdb")) as duck:
            duck.execute(script)
        url = f"duckdb:///{tmp_path / 'c.duckdb'}"
    else:
        psycopg = pytest.importorskip("psycopg")
        url = request.getfixturevalue("postgres_server")("cut")
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(script)
    database = open_database(url)
    schema = database.schema()
    cut, whole = ValueIndex.build(database, schema, cap=5), ValueIndex.build(database, schema, cap=11)

    def doubt(column: str, table: str, value: str, values: ValueIndex) -> bool:
        sql = f"SELECT id FROM {table} WHERE {column} = '{value}'"
        checked = guard.check(sql, schema, target=database.dialect)
        assert isinstance(checked, SafeQuery), checked
        return unstored(checked, values) is not None

    assert not doubt("client_name", "clients", "Client 009 Ltd", cut)
    assert not doubt("client_name", "clients", "Client 010 Ltd", cut)
    assert doubt("client_name", "clients", "Client 010 Ltd", whole)
    # three remarks are prose, which is not kept: seven short ones are still more than the cap
    assert not doubt("remark", "remarks", "Client 009 Ltd", cut)
    assert not doubt("remark", "remarks", "A" * 81 + "Client 001 Ltd", whole)
    assert not doubt("remark", "remarks", "", whole)
    assert cut.cut == {("clients", "client_name"), ("remarks", "remark")}
    assert not whole.cut
    database.close()
