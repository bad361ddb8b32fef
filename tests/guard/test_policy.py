"""Who may see what: a policy hides tables, columns and rows from every way of asking."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mnemosyne import guard
from mnemosyne.databases import Database, open_database
from mnemosyne.errors import SettingsError
from mnemosyne.guard import Policy, Refusal, SafeQuery, TableRule
from mnemosyne.guard.policy import read_policy
from mnemosyne.guard.query import Dialect
from mnemosyne.results import Result
from mnemosyne.schema import Column, Schema, Table

DIALECTS: tuple[Dialect, ...] = ("postgres", "duckdb", "sqlite")
POLICY = Policy(
    {
        "samples": TableRule(rows="status <> 'Cancelled'"),
        "clients": TableRule(hidden=frozenset({"contact_email"})),
        "results": TableRule(
            columns=frozenset({"result_id", "sample_id", "determinand_id", "numeric_value", "pass_fail", "test_date"}),
            rows="approved_date IS NOT NULL",
        ),
        "determinands": TableRule(),
    }
)


def _check(sql: str, lab: Schema, target: Dialect = "postgres") -> SafeQuery | Refusal:
    return guard.check(sql, lab, target=target, policy=POLICY)


HIDDEN = [
    "SELECT contact_email FROM clients",
    "SELECT c.contact_email FROM clients c",
    'SELECT "contact_email" FROM clients',
    "SELECT CONTACT_EMAIL FROM clients",
    "SELECT clients.contact_email FROM clients",
    "SELECT 1 FROM clients WHERE contact_email LIKE 'a%'",
    "SELECT 1 FROM clients ORDER BY contact_email",
    "SELECT COUNT(*) FROM clients GROUP BY contact_email",
    "SELECT COUNT(DISTINCT contact_email) FROM clients",
    "SELECT MAX(contact_email) FROM clients HAVING MAX(contact_email) > 'a'",
    "SELECT COUNT(*) FILTER (WHERE contact_email IS NULL) FROM clients",
    "SELECT RANK() OVER (ORDER BY contact_email) FROM clients",
    "SELECT LENGTH(contact_email) FROM clients",
    "SELECT CASE WHEN contact_email = 'x' THEN 1 END FROM clients",
    "SELECT (SELECT contact_email FROM clients LIMIT 1)",
    "SELECT x.contact_email FROM (SELECT * FROM clients) AS x",
    "SELECT x.contact_email FROM (SELECT c.* FROM clients c) AS x",
    "WITH x AS (SELECT * FROM clients) SELECT contact_email FROM x",
    "WITH clients AS (SELECT * FROM clients) SELECT contact_email FROM clients",
    "WITH x AS (SELECT contact_email AS a FROM clients) SELECT a FROM x",
    "SELECT 1 FROM samples s WHERE EXISTS (SELECT 1 FROM clients c WHERE c.contact_email = s.sample_id)",
    "SELECT 1 FROM samples s JOIN clients c ON c.contact_email = s.sample_id",
    "SELECT a.client_id FROM clients a JOIN clients b USING (contact_email)",
    "SELECT client_name FROM clients UNION SELECT contact_email FROM clients",
    "SELECT client_name FROM clients UNION SELECT client_name FROM clients ORDER BY contact_email",
    "SELECT s.sample_id FROM samples s, LATERAL (SELECT contact_email FROM clients) AS x",
    "SELECT STRING_AGG(client_name, ',' ORDER BY contact_email) FROM clients",
    "SELECT DISTINCT ON (contact_email) client_id FROM clients",
    "SELECT approved_date FROM results",
    "SELECT analyst_id FROM results",
    "SELECT 1 FROM results WHERE analyst_id = 1",
    "SELECT * FROM analysts",
    "SELECT 1 FROM analysts",
    "SELECT (SELECT COUNT(*) FROM analysts)",
    "SELECT r.result_id FROM results r JOIN analysts a ON TRUE",
    "WITH analysts AS (SELECT * FROM analysts) SELECT * FROM analysts",
    "SELECT clients FROM clients",
    "SELECT COUNT(c) FROM clients c",
    "SELECT c::text FROM clients c",
    "SELECT (c).contact_email FROM clients c",
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("sql", HIDDEN)
def test_what_is_hidden_cannot_be_named(sql: str, dialect: Dialect, lab: Schema) -> None:
    verdict = _check(sql, lab, dialect)
    assert isinstance(verdict, Refusal), verdict.sql
    assert verdict.code in {"denied", "unknown-column", "unknown-table", "whole-row", "construct", "type"}


def test_a_refusal_says_that_it_is_not_allowed_but_not_what_is_there(lab: Schema) -> None:
    verdict = _check("SELECT contact_email FROM clients", lab)
    assert isinstance(verdict, Refusal)
    assert verdict.code == "denied"
    near = _check("SELECT contact_mail FROM clients", lab)
    assert isinstance(near, Refusal)
    assert "contact_email" not in near.reason + near.hint


def _answer(engines: dict[Dialect, Any], dialect: Dialect, sql: str, lab: Schema) -> Result:
    verdict = _check(sql, lab, dialect)
    assert isinstance(verdict, SafeQuery), verdict
    outcome = engines[dialect].run(verdict)
    assert isinstance(outcome, Result), f"{outcome}\n{verdict.sql}"
    return outcome


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_star_stands_for_the_permitted_columns(dialect: Dialect, engines: dict[Dialect, Any], lab: Schema) -> None:
    assert "contact_email" not in _answer(engines, dialect, "SELECT * FROM clients", lab).columns
    assert "approved_date" not in _answer(engines, dialect, "SELECT r.* FROM results r LIMIT 5", lab).columns


ROWS = [
    "SELECT COUNT(*) FROM samples WHERE status = 'Cancelled'",
    "SELECT COUNT(*) FROM samples WHERE status = 'Cancelled' OR TRUE AND status = 'Cancelled'",
    "SELECT COUNT(*) FROM public.samples WHERE status = 'Cancelled'",
    "SELECT COUNT(*) FROM \"samples\" AS x WHERE x.status = 'Cancelled'",
    "WITH samples AS (SELECT * FROM samples) SELECT COUNT(*) FROM samples WHERE status = 'Cancelled'",
    "WITH clients AS (SELECT * FROM samples) SELECT COUNT(*) FROM clients WHERE status = 'Cancelled'",
    "SELECT COUNT(*) FROM (SELECT * FROM samples) AS clients WHERE clients.status = 'Cancelled'",
    "SELECT COUNT(*) FROM clients samples JOIN samples s USING (client_id) WHERE s.status = 'Cancelled'",
    "SELECT COUNT(*) FROM clients c LEFT JOIN samples s ON s.client_id = c.client_id AND s.status = 'Cancelled' "
    "WHERE s.sample_id IS NOT NULL",
    "SELECT COUNT(*) FROM clients c NATURAL JOIN samples s WHERE s.status = 'Cancelled'",
    "SELECT COUNT(*) FROM clients c FULL JOIN samples s USING (client_id) WHERE s.status = 'Cancelled'",
    "SELECT (SELECT COUNT(*) FROM samples WHERE status = 'Cancelled')",
    "SELECT COUNT(*) FROM clients c WHERE EXISTS (SELECT 1 FROM samples s WHERE s.client_id = c.client_id "
    "AND s.status = 'Cancelled')",
    "SELECT COUNT(*) FROM clients WHERE client_id IN (SELECT client_id FROM samples WHERE status = 'Cancelled')",
    "SELECT COUNT(*) FROM (SELECT status FROM samples UNION ALL SELECT status FROM samples) AS x "
    "WHERE status = 'Cancelled'",
    "SELECT COUNT(*) FILTER (WHERE status = 'Cancelled') FROM samples",
    "WITH RECURSIVE x AS (SELECT sample_id, status FROM samples UNION SELECT sample_id, status FROM x) "
    "SELECT COUNT(*) FROM x WHERE status = 'Cancelled'",
    "SELECT COUNT(*) FROM samples a JOIN samples b ON a.sample_id = b.sample_id WHERE b.status = 'Cancelled'",
    "SELECT COUNT(*) FROM results r WHERE NOT EXISTS (SELECT 1 FROM samples s WHERE s.sample_id = r.sample_id) "
    "AND r.sample_id IN (SELECT sample_id FROM samples WHERE status = 'Cancelled')",
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("sql", ROWS)
def test_a_hidden_row_does_not_exist(sql: str, dialect: Dialect, engines: dict[Dialect, Any], lab: Schema) -> None:
    assert _answer(engines, dialect, sql, lab).rows == ((0,),)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_without_the_policy_there_are_such_rows(dialect: Dialect, engines: dict[Dialect, Any], lab: Schema) -> None:
    for sql in (ROWS[0], "SELECT COUNT(*) FROM results WHERE approved_date IS NULL"):
        verdict = guard.check(sql, lab, target=dialect)
        assert isinstance(verdict, SafeQuery)
        assert engines[dialect].run(verdict).rows[0][0] > 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_row_rule_may_use_a_column_that_is_hidden(dialect: Dialect, engines: dict[Dialect, Any], lab: Schema) -> None:
    everything = guard.check("SELECT COUNT(*) FROM results WHERE approved_date IS NOT NULL", lab, target=dialect)
    assert isinstance(everything, SafeQuery)
    seen = _answer(engines, dialect, "SELECT COUNT(*) FROM results", lab).rows
    assert seen == engines[dialect].run(everything).rows


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_condition_of_the_question_never_looks_at_a_hidden_row(
    dialect: Dialect, engines: dict[Dialect, Any], lab: Schema
) -> None:
    """A cast that fails on hidden rows only would tell of them, if it were tried before the rule."""
    policy = Policy({"samples": TableRule(rows="sample_id = 'none'")})
    verdict = guard.check("SELECT COUNT(*) FROM samples WHERE CAST(sample_id AS INTEGER) > 0", lab,
                          target=dialect, policy=policy)  # fmt: skip
    assert isinstance(verdict, SafeQuery)
    assert engines[dialect].run(verdict).rows == ((0,),)


def test_a_policy_of_a_file(tmp_path: Path, lab: Schema) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(
        "others: true\ntables:\n  clients:\n    hide: [contact_email]\n  samples:\n    rows: status <> 'Cancelled'\n",
        encoding="utf-8",
    )
    policy = read_policy(file)
    assert isinstance(guard.check("SELECT * FROM analysts", lab, policy=policy), SafeQuery)
    assert isinstance(guard.check("SELECT contact_email FROM clients", lab, policy=policy), Refusal)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tables: [a]", "maps each table"),
        ("tabels: {}", "tabels"),
        ("others: perhaps", "true or false"),
        ("tables: {clients: {hide: contact_email}}", "lists of names"),
        ("tables: {clients: {rows: 5}}", "condition"),
        ("tables: {clients: {columns: [a], colums: [b]}}", "colums"),
        ("a: b: c", "not YAML"),
    ],
)
def test_a_policy_without_meaning_is_an_error_that_names_the_place(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=words):
        read_policy(file)


@pytest.mark.parametrize(
    "rule",
    [
        TableRule(rows="1; DELETE FROM clients"),
        TableRule(rows="client_id IN (SELECT 1"),
        TableRule(rows="nothing = 1"),
        TableRule(rows="pg_sleep(1) IS NULL"),
        TableRule(rows="TRUE) UNION SELECT (TRUE"),
        TableRule(rows="TRUE ORDER BY 1"),
        TableRule(hidden=frozenset({"nothing"})),
        TableRule(columns=frozenset({"nothing"})),
    ],
)
def test_a_rule_that_is_no_rule_stops_everything(rule: TableRule, lab: Schema) -> None:
    with pytest.raises(SettingsError):
        guard.check("SELECT client_id FROM clients", lab, policy=Policy({"clients": rule}))


def test_a_rule_for_a_table_that_does_not_exist_is_an_error(lab: Schema) -> None:
    with pytest.raises(SettingsError, match="custumers"):
        guard.check("SELECT 1", lab, policy=Policy({"custumers": TableRule()}))


NAMESAKES = """
    CREATE SCHEMA a; CREATE TABLE a.samples (id INTEGER PRIMARY KEY, site TEXT, secret TEXT);
    INSERT INTO a.samples VALUES (1, 'from a', 'of a');
    CREATE SCHEMA b; CREATE TABLE b.samples (id INTEGER PRIMARY KEY, site TEXT, secret TEXT);
    INSERT INTO b.samples VALUES (2, 'from b', 'of b');
    CREATE TABLE a.plates (id INTEGER); CREATE TABLE plates (id INTEGER, secret TEXT);
    INSERT INTO a.plates VALUES (1); INSERT INTO plates VALUES (2, 'of plates');
"""
"""Tables of one name in several namespaces: `samples` in none that is the default, `plates` in one that is."""


@pytest.fixture(scope="module")
def namesakes(
    postgres_server: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Dialect, Database]]:
    import psycopg

    server, file = postgres_server("namesakes"), tmp_path_factory.mktemp("namesakes") / "lab.duckdb"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(NAMESAKES)
    with duckdb.connect(str(file)) as connection:
        connection.execute(NAMESAKES)
    opened: dict[Dialect, Database] = {
        "postgres": open_database(server),
        "duckdb": open_database(f"duckdb:///{file}"),
    }
    yield opened
    for database in opened.values():
        database.close()


def _rows(database: Database, sql: str, policy: Policy | None) -> Any:
    """The rows of a query, or the code of its refusal."""
    verdict = guard.check(sql, database.schema(), target=database.dialect, policy=policy)
    if isinstance(verdict, Refusal):
        return verdict.code
    outcome = database.run(verdict)
    assert isinstance(outcome, Result), f"{outcome}\n{verdict.sql}"
    return outcome.rows


SECRETS = Policy({"samples": TableRule(hidden=frozenset({"secret"}))}, others=True)


@pytest.mark.parametrize("policy", [None, SECRETS], ids=["no policy", "policy"])
@pytest.mark.parametrize("dialect", ["postgres", "duckdb"])
def test_a_table_is_never_answered_with_its_namesake(
    dialect: Dialect, policy: Policy | None, namesakes: dict[Dialect, Database]
) -> None:
    database = namesakes[dialect]
    assert _rows(database, "SELECT site FROM a.samples", policy) == (("from a",),)
    assert _rows(database, "SELECT site FROM b.samples", policy) == (("from b",),)
    both = "SELECT x.site, y.site FROM a.samples x CROSS JOIN b.samples y"
    assert _rows(database, both, policy) == (("from a", "from b"),)
    assert _rows(database, "SELECT id FROM plates", policy) == ((2,),)
    assert _rows(database, "SELECT id FROM public.plates", policy) == ((2,),)
    assert _rows(database, "SELECT id FROM a.plates", policy) == ((1,),)
    assert _rows(database, "SELECT id FROM public.samples", policy) == "unknown-table"
    assert _rows(database, "SELECT site FROM samples", policy) == "ambiguous-table"


@pytest.mark.parametrize("dialect", ["postgres", "duckdb"])
def test_a_rule_holds_in_every_namespace_or_in_the_one_it_names(
    dialect: Dialect, namesakes: dict[Dialect, Database]
) -> None:
    database = namesakes[dialect]
    for name in ("a.samples", "b.samples"):
        assert _rows(database, f"SELECT secret FROM {name}", SECRETS) == "denied"
    rules = {"a.samples": TableRule(hidden=frozenset({"secret"})), "samples": TableRule(rows="id > 2")}
    policy = Policy(rules, others=True)
    assert _rows(database, "SELECT * FROM a.samples", policy) == ((1, "from a"),)
    assert _rows(database, "SELECT secret FROM a.samples", policy) == "denied"
    assert _rows(database, "SELECT * FROM b.samples", policy) == ()
    one = Policy({"b.samples": TableRule()})
    assert _rows(database, "SELECT site FROM b.samples", one) == (("from b",),)
    assert _rows(database, "SELECT site FROM a.samples", one) == "denied"
    assert [table.full_name for table in guard.visible(database.schema(), one, dialect).tables] == ["b.samples"]
    with pytest.raises(SettingsError, match=r"c\.samples"):
        guard.check("SELECT 1", database.schema(), policy=Policy({"c.samples": TableRule()}))


def test_an_ambiguous_table_is_refused_with_the_names_that_it_could_have(namesakes: dict[Dialect, Database]) -> None:
    verdict = guard.check("SELECT site FROM samples", namesakes["postgres"].schema())
    assert isinstance(verdict, Refusal)
    assert verdict.reason == "the table samples could be a.samples or b.samples; write which one is meant"
    assert verdict.hint == "a.samples, b.samples"


def _table(name: str, *columns: str) -> Table:
    return Table(name, tuple(Column(column, "INTEGER") for column in columns))


CASES = Schema(
    (_table("Plates", "capital"), _table("plates", "small"), _table("UP", "one"), _table("Up", "two"),
     _table("cells", "cell", "value", "Value")),
    case_sensitive=True,
)  # fmt: skip
"""Names that differ only in case, as PostgreSQL allows."""


@pytest.mark.parametrize(
    ("sql", "printed"),
    [
        ("SELECT * FROM plates", "SELECT small FROM plates"),
        ("SELECT * FROM PLATES", "SELECT small FROM plates"),
        ('SELECT * FROM "plates"', "SELECT small FROM plates"),
        ('SELECT * FROM "Plates"', 'SELECT capital FROM "Plates"'),
        ('SELECT * FROM "UP"', 'SELECT one FROM "UP"'),
        ("SELECT cell FROM cells", "SELECT cell FROM cells"),
    ],
)
def test_tables_that_differ_only_in_case_are_kept_apart(sql: str, printed: str) -> None:
    verdict = guard.check(sql, CASES)
    assert isinstance(verdict, SafeQuery), verdict
    assert verdict.sql == printed
    narrowed = guard.check('SELECT * FROM "Plates"', CASES, policy=Policy({"plates": TableRule(rows="TRUE")}))
    assert isinstance(narrowed, SafeQuery), narrowed
    assert 'SELECT capital FROM "Plates"' in narrowed.sql


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM up", "ambiguous-table"),
        ("SELECT value FROM cells", "ambiguous-column"),
        ('SELECT "Value" FROM cells', "ambiguous-column"),
        ("SELECT * FROM cells", "ambiguous-column"),
    ],
)
def test_what_could_be_two_names_that_differ_only_in_case_is_refused(sql: str, code: str) -> None:
    verdict = guard.check(sql, CASES)
    assert isinstance(verdict, Refusal), verdict.sql
    assert verdict.code == code


def test_a_rule_for_a_column_holds_for_all_that_differ_only_in_case() -> None:
    policy = Policy({"cells": TableRule(hidden=frozenset({"value"}))})
    starred = guard.check("SELECT * FROM cells", CASES, policy=policy)
    assert isinstance(starred, SafeQuery), starred
    assert "value" not in starred.sql.lower()
    assert isinstance(guard.check('SELECT "Value" FROM cells', CASES, policy=policy), Refusal)
