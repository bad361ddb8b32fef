"""Golds of public sets without data run on a strictly typed database that is made from their DDL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mnemosyne.datasets import Example
from mnemosyne.datasets.public import Malformed, gretel
from mnemosyne.datasets.quality import Rules, keep
from mnemosyne.schema import Schema
from mnemosyne.training.trial import EMPTY, FAILS, UNMADE, Trial, inserted

DDL = """CREATE TABLE t (age INTEGER, name VARCHAR(20), d DATE, b BOOLEAN, w FLOAT, n NUMERIC(10, 2));
CREATE TABLE u (name TEXT, id SERIAL)"""
ROWS = """INSERT INTO t (age, name, d) VALUES (1, 'O''Neil; x', DATE '2020-01-01'), (-2, "b", NULL);
INSERT INTO u VALUES ('b', 5);"""


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    opened = Trial({"with rows": f"{DDL};\n{ROWS}"})
    yield opened
    opened.close()


def verdict(trial: Trial, sql: str, name: str = "none", ddl: str = DDL) -> str:
    return trial(Example(name, "?", sql, Schema.from_ddl(ddl).to_ddl()))


TYPED_WRONG = [
    "SELECT SUM(name) FROM t",
    "SELECT AVG(name) FROM t",
    "SELECT name FROM t WHERE age = 'old'",
    "SELECT name FROM t WHERE name = 3",
    "SELECT name FROM t WHERE name > 3",
    "SELECT name FROM t WHERE name = 'x' AND age = 'old'",
    "SELECT name FROM t WHERE name = 'a' OR age = 'old'",
    "SELECT name FROM (SELECT * FROM t WHERE name = 'x') AS s WHERE age IN ('p', 'q')",
    "SELECT name FROM t WHERE d > '2020-01-01' AND d < 'nope'",
    "SELECT name FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.name = t.name AND u.id = 'z')",
    "SELECT name FROM t GROUP BY name HAVING COUNT(*) > 5 AND MAX(age) > 'x'",
    "SELECT COUNT(*) FILTER (WHERE age = 'x') FROM t",
    "SELECT t.name FROM t JOIN u ON t.name = u.id",
]
TYPED_RIGHT = [
    "SELECT name FROM t WHERE age = '3'",
    "SELECT name FROM t WHERE name = 'x' OR NOT age < 3 AND d < '2021-01-01'",
    "SELECT name FROM t WHERE CAST(name AS INTEGER) > 3",
    "SELECT name FROM t WHERE CAST(name AS DATE) > '2020-01-01'",
    "SELECT name FROM t WHERE age = (SELECT MAX(age) FROM t WHERE name = 'x')",
    "SELECT INITCAP(name), AVG(n), SUM(w) FROM t WHERE b GROUP BY name HAVING COUNT(*) > 5",
    "SELECT t.name FROM t JOIN u ON t.name = u.name ORDER BY t.age DESC LIMIT 3",
]


@pytest.mark.parametrize("sql", TYPED_WRONG)
def test_a_gold_that_mixes_types_is_left_out_where_no_rows_are_known(trial: Trial, sql: str) -> None:
    assert verdict(trial, sql) == FAILS


@pytest.mark.parametrize("sql", TYPED_RIGHT)
def test_a_gold_that_runs_is_kept_where_no_rows_are_known(trial: Trial, sql: str) -> None:
    assert verdict(trial, sql) == ""


def test_postgresql_says_the_same(postgres_server: Callable[[str], str]) -> None:
    import psycopg

    with psycopg.connect(postgres_server("trial"), autocommit=True) as connection:
        connection.execute(DDL)
        for sql in TYPED_RIGHT:
            connection.execute(sql)
        for sql in TYPED_WRONG:
            with pytest.raises(psycopg.Error):
                connection.execute(sql)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT name FROM t WHERE age = 1", ""),
        ("SELECT d FROM t WHERE name = 'O''Neil; x'", ""),
        ("SELECT t.age FROM t JOIN u ON t.name = u.name WHERE u.id = 5", ""),
        ("SELECT name FROM t WHERE age = 7", EMPTY),
        ("SELECT name FROM t WHERE d > CURRENT_DATE", ""),
        ("SELECT COUNT(*) FROM t WHERE age = 7 AND age = 'x'", FAILS),
    ],
)
def test_rows_that_come_with_an_example_are_asked(trial: Trial, sql: str, reason: str) -> None:
    assert verdict(trial, sql, "with rows") == reason


def test_rows_that_cannot_be_stored_or_are_computed_are_not_known(trial: Trial) -> None:
    contexts = {
        "short": "INSERT INTO t (age) VALUES (1, 2)",
        "wrong type": "INSERT INTO t (age) VALUES ('many')",
        "computed": "INSERT INTO t (age) SELECT 1",
        "function": "INSERT INTO t (age) VALUES (ABS(2))",
        "other table": "INSERT INTO u (id) VALUES (1)",
        "no SQL": "INSERT INTO t (age VALUES ((",
        "stored": "insert into T (AGE) values (1)",
    }
    with_rows = Trial(contexts)
    reasons = {name: verdict(with_rows, "SELECT name FROM t WHERE age = 7", name) for name in contexts}
    with_rows.close()
    assert reasons == {**dict.fromkeys(contexts, ""), "stored": EMPTY}
    assert inserted(f"{contexts['stored']};{contexts['computed']}", Schema.from_ddl(DDL)) == {}


def test_nothing_of_one_gold_is_left_for_the_next(trial: Trial) -> None:
    assert verdict(trial, "SELECT a FROM t", ddl="CREATE TABLE t (a INT)") == ""
    assert verdict(trial, "SELECT a FROM s.t", ddl="CREATE TABLE s.t (a INT[], b JSON, c UUID)") == ""
    assert verdict(trial, "SELECT name FROM t") == ""
    assert verdict(trial, "SELECT a FROM t") == "guard: unknown-column"


def test_a_schema_that_duckdb_cannot_make_is_counted_apart_and_never_fatal(trial: Trial) -> None:
    assert verdict(trial, "SELECT a FROM x", ddl="CREATE TABLE x (a POLYGON)") == UNMADE
    assert verdict(trial, "SELECT a FROM x", ddl="CREATE TABLE x (a INT)") == ""


def test_what_comes_from_strangers_reaches_no_file(trial: Trial, tmp_path: Path) -> None:
    import duckdb

    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    assert verdict(trial, f"SELECT a FROM read_csv('{file}')").startswith("guard: ")
    with pytest.raises(duckdb.PermissionException):
        trial._connection.execute(f"SELECT * FROM '{file}'")
    with pytest.raises(duckdb.InvalidInputException):
        trial._connection.execute("SET enable_external_access = true")


def test_golds_of_gretel_are_judged_on_their_own_rows_and_counted() -> None:
    table = "CREATE TABLE sales (id INT, place TEXT, volume INT);"
    context = f"{table} INSERT INTO sales VALUES (1, 'Oslo', 2), (2, 'Bergen', 9);"
    golds = {
        "Volume of Oslo?": "SELECT SUM(volume) FROM sales WHERE place = 'Oslo'",
        "Sales of Rome?": "SELECT id FROM sales WHERE place = 'Rome'",
        "All places?": "SELECT SUM(place) FROM sales",
    }
    rows = [{"sql_prompt": question, "sql_context": context, "sql": sql} for question, sql in golds.items()]
    contexts: dict[str, str] = {}
    examples = list(gretel((("here", row) for row in rows), Malformed(), contexts=contexts))
    assert not [example for example in examples if "INSERT" in example.schema]
    judge = Trial(contexts)
    kept, report = keep(examples, Rules(), execute=judge)
    judge.close()
    assert [example.question for example in kept] == ["Volume of Oslo?"]
    assert dict(report.dropped) == {EMPTY: 1, FAILS: 1}
    assert len(report.listed) == 2
