"""The same database in three engines is the same text for the model."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import psycopg
import pytest

from mnemosyne import lims
from mnemosyne.databases import open_database
from mnemosyne.errors import DatabaseUnreadable
from mnemosyne.schema import Schema

CANONICAL = """\
-- Where samples come from
CREATE TABLE sites (
    site_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL, -- as on the label
    parent_id INTEGER REFERENCES sites (site_id),
    kind TEXT CHECK (kind IN ('river', 'lake')),
    "Depth m" FLOAT,
    opened DATE
);

CREATE TABLE visits (
    site_id INTEGER NOT NULL REFERENCES sites (site_id),
    day DATE NOT NULL,
    level INTEGER CHECK (level IN (1, 2, 3)),
    photo BYTEA,
    cost NUMERIC,
    seen_at TIMESTAMP,
    ok BOOLEAN,
    PRIMARY KEY (site_id, day)
);

CREATE TABLE findings (
    finding_id INTEGER PRIMARY KEY,
    site_id INTEGER NOT NULL,
    day DATE NOT NULL,
    note TEXT,
    FOREIGN KEY (site_id, day) REFERENCES visits (site_id, day)
);

CREATE VIEW deep (
    name TEXT,
    "Depth m" FLOAT
);"""

TABLES = """
CREATE TABLE sites (
    site_id INTEGER PRIMARY KEY,
    name VARCHAR(80) NOT NULL,
    parent_id INTEGER REFERENCES sites (site_id),
    kind VARCHAR(10) CHECK (kind IN ('river', 'lake')),
    "Depth m" DOUBLE PRECISION,
    opened DATE
);
CREATE TABLE visits (
    site_id INTEGER NOT NULL REFERENCES sites (site_id),
    day DATE NOT NULL,
    level INTEGER CHECK (level IN (1, 2, 3)),
    photo {blob},
    cost DECIMAL(10, 2),
    seen_at TIMESTAMP,
    ok BOOLEAN,
    PRIMARY KEY (site_id, day)
);
CREATE TABLE findings (
    finding_id INTEGER PRIMARY KEY,
    site_id INTEGER NOT NULL,
    day DATE NOT NULL,
    note TEXT,
    FOREIGN KEY (site_id, day) REFERENCES visits (site_id, day)
);
CREATE VIEW deep AS SELECT name, "Depth m" FROM sites WHERE "Depth m" > 10;
"""
COMMENTS = "COMMENT ON TABLE sites IS 'Where samples come from'; COMMENT ON COLUMN sites.name IS 'as on the label';"


def read(url: str) -> Schema:
    database = open_database(url)
    try:
        return database.schema()
    finally:
        database.close()


@pytest.fixture
def make(tmp_path: Path, postgres_server: Callable[[str], str]) -> Callable[[str, str], str]:
    """`make("sqlite", ddl)`: a new database with these tables, and its URL."""

    def made(engine: str, ddl: str) -> str:
        if engine == "sqlite":
            connection = sqlite3.connect(tmp_path / "made.db")
            connection.executescript(f"BEGIN; {ddl}; COMMIT")
            connection.close()
            return f"sqlite:///{tmp_path}/made.db"
        if engine == "duckdb":
            with duckdb.connect(str(tmp_path / "made.duckdb")) as opened:
                opened.execute(f"BEGIN; {ddl}; COMMIT")
            return f"duckdb:///{tmp_path}/made.duckdb"
        url = postgres_server(f"made_{tmp_path.name[-40:]}")
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(ddl)
        return url

    return made


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_tables_views_types_keys_lists_and_comments_are_read(engine: str, make: Callable[[str, str], str]) -> None:
    ddl = TABLES.format(blob="BYTEA" if engine == "postgres" else "BLOB") + COMMENTS
    assert read(make(engine, ddl)).to_ddl() == CANONICAL


def test_sqlite_reads_the_same_and_takes_comments_from_its_stored_ddl(make: Callable[[str, str], str]) -> None:
    ddl = TABLES.format(blob="BLOB").replace("NOT NULL,\n    parent", "NOT NULL, -- as on the label\n    parent")
    found = read(make("sqlite", ddl)).to_ddl()
    # SQLite stores nothing that stands above a CREATE TABLE, and a view's expressions have no type there
    assert found == CANONICAL.removeprefix("-- Where samples come from\n")


@pytest.mark.parametrize("engine", ["sqlite", "duckdb", "postgres"])
def test_the_laboratory_is_the_same_text_in_every_engine_and_from_its_file(
    engine: str, request: pytest.FixtureRequest
) -> None:
    assert read(request.getfixturevalue(f"lab_{engine}")).to_ddl() == Schema.from_ddl(lims.ddl()).to_ddl()


def test_postgresql_reads_enums_domains_namespaces_and_quoted_capitals(make: Callable[[str, str], str]) -> None:
    ddl = """
    CREATE TYPE state AS ENUM ('new', 'done');
    CREATE DOMAIN grade AS INTEGER CHECK (VALUE IN (1, 2));
    CREATE SCHEMA archive;
    CREATE TABLE "Jobs" ("Id" SERIAL PRIMARY KEY, state state NOT NULL, grade grade, tags TEXT[], delta INTEGER
        CHECK (delta IN (-1, 1)));
    CREATE TABLE archive.old (job_id INTEGER REFERENCES "Jobs" ("Id"));
    CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM "Jobs";
    """
    assert read(make("postgres", ddl)).to_ddl() == (
        'CREATE TABLE "Jobs" (\n    "Id" INTEGER PRIMARY KEY,\n'
        "    state TEXT NOT NULL CHECK (state IN ('new', 'done')),\n    grade INTEGER CHECK (grade IN (1, 2)),\n"
        "    tags TEXT[],\n    delta INTEGER CHECK (delta IN (-1, 1))\n);\n\n"
        'CREATE TABLE archive.old (\n    job_id INTEGER REFERENCES "Jobs" ("Id")\n);\n\n'
        "CREATE VIEW counted (\n    n INTEGER\n);"
    )


def test_postgresql_shows_only_what_the_user_may_read(make: Callable[[str, str], str]) -> None:
    url = make(
        "postgres",
        """CREATE TABLE open (a INT, b INT); CREATE TABLE closed (a INT);
        DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; GRANT SELECT (a) ON open TO reader;""",
    )
    assert read(url.replace("postgres@", "reader@")).to_ddl() == "CREATE TABLE open (\n    a INTEGER\n);"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("REVOKE SELECT (a) ON open FROM reader")
    with pytest.raises(DatabaseUnreadable, match="no table that this user may read"):
        read(url.replace("postgres@", "reader@"))


def test_duckdb_reads_enums_and_other_namespaces(make: Callable[[str, str], str]) -> None:
    ddl = """CREATE TYPE state AS ENUM ('new', 'it''s done'); CREATE TABLE jobs (id INTEGER PRIMARY KEY, s state);
    CREATE SCHEMA old; CREATE TABLE old.jobs (id INTEGER, tags VARCHAR[], more STRUCT(a INTEGER));"""
    assert read(make("duckdb", ddl)).to_ddl() == (
        "CREATE TABLE jobs (\n    id INTEGER PRIMARY KEY,\n    s TEXT CHECK (s IN ('new', 'it''s done'))\n);\n\n"
        "CREATE TABLE old.jobs (\n    id INTEGER,\n    tags TEXT[],\n    more STRUCT\n);"
    )


def test_sqlite_leaves_out_what_full_text_search_keeps_for_itself(make: Callable[[str, str], str]) -> None:
    ddl = "CREATE VIRTUAL TABLE notes USING fts5(body); CREATE TABLE t (a INT, b AS (a + 1), c)"
    tables = read(make("sqlite", ddl)).tables
    assert [table.name for table in tables] == ["notes", "t"]
    assert [column.name for column in tables[1].columns] == ["a", "b", "c"]


def test_sqlite_leaves_out_views_whose_tables_are_gone(make: Callable[[str, str], str]) -> None:
    ddl = """CREATE TABLE gone (a INT); CREATE TABLE kept (a INT, b TEXT); CREATE VIEW stale AS SELECT a FROM gone;
    CREATE VIEW staler AS SELECT a FROM stale; CREATE VIEW fine AS SELECT b FROM kept; DROP TABLE gone"""
    assert read(make("sqlite", ddl)).to_ddl() == (
        "CREATE TABLE kept (\n    a INTEGER,\n    b TEXT\n);\n\nCREATE VIEW fine (\n    b TEXT\n);"
    )


@pytest.mark.parametrize("engine", ["sqlite", "duckdb", "postgres"])
def test_a_database_without_tables_is_said_to_be_one(engine: str, make: Callable[[str, str], str]) -> None:
    url = make(engine, "CREATE TABLE t (a INT); DROP TABLE t;")
    with pytest.raises(DatabaseUnreadable, match="holds no table"):
        read(url)


@pytest.mark.parametrize("engine", ["sqlite", "duckdb", "postgres"])
def test_two_hundred_tables_take_less_than_two_seconds(engine: str, make: Callable[[str, str], str]) -> None:
    columns = ", ".join(f"c{n} INTEGER NOT NULL CHECK (c{n} IN (1, 2, 3))" for n in range(8))
    ddl = ";".join(
        f"CREATE TABLE t{n} (id INTEGER PRIMARY KEY, {columns}, up INTEGER REFERENCES t{max(n - 1, 0)} (id))"
        for n in range(200)
    )
    url = make(engine, ddl)
    started = time.process_time()
    schema = read(url)
    assert len(schema.tables) == 200
    assert schema.tables[7].columns[1].values == (1, 2, 3)
    assert time.process_time() - started < 2.0
