"""A policy holds in every way of asking: the model does not see what it denies, and no draft gets past it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import cli as cli

from mnemosyne import guard
from mnemosyne.assistant import Assistant, Options, generate_sql
from mnemosyne.databases import open_database
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.errors import SettingsError
from mnemosyne.guard import Policy, TableRule
from mnemosyne.schema import Schema
from mnemosyne.settings import Settings

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

SHOP = """
CREATE TABLE staff (staff_id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE clients (
    client_id INTEGER PRIMARY KEY, name TEXT, email TEXT, agent INTEGER REFERENCES staff (staff_id));
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients (client_id), item TEXT, secret INTEGER);
CREATE VIEW contacts AS SELECT name, email FROM clients;
INSERT INTO staff VALUES (1, 'Morgan Vale');
INSERT INTO clients VALUES (1, 'Rowan Foods', 'desk@rowan.example', 1), (2, 'Alder Dairy', 'hello@alder.example', 1);
INSERT INTO orders VALUES (1, 1, 'Copper kettle', 0), (2, 2, 'Silver ladle', 1);
"""
RULES = """
others: true
tables:
  clients: {hide: [email]}
  orders: {columns: [order_id, client_id, item], rows: secret = 0}
  staff: {columns: []}
"""
POLICY = Policy(
    {
        "clients": TableRule(hidden=frozenset({"email"})),
        "orders": TableRule(columns=frozenset({"order_id", "client_id", "item"}), rows="secret = 0"),
        "staff": TableRule(columns=frozenset()),
    },
    others=True,
)


@pytest.fixture
def shop(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.executescript(SHOP)
    connection.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


@pytest.fixture
def rules(tmp_path: Path) -> str:
    file = tmp_path / "policy.yaml"
    file.write_text(RULES, encoding="utf-8")
    return str(file)


def over(shop: str, *answers: str, **options: object) -> tuple[Assistant, ScriptedEngine]:
    engine = ScriptedEngine(answers)
    chosen = Options(**options)  # type: ignore[arg-type]
    return Assistant.over(engine, open_database(shop), options=chosen, policy=POLICY), engine


def test_the_model_is_not_shown_what_it_may_not_use(shop: str) -> None:
    assistant, engine = over(shop, "SELECT 1")
    with assistant:
        assistant.ask("How many clients are there?")
    shown = engine.prompts[0].text
    assert "CREATE TABLE clients" in shown
    assert "item TEXT" in shown
    for denied in ("email", "secret", "staff", "contacts"):
        assert denied not in shown


def test_keys_that_would_name_what_is_hidden_go_with_it() -> None:
    schema = Schema.from_ddl(
        "CREATE TABLE a (x INT PRIMARY KEY, y INT); CREATE TABLE b (x INT REFERENCES a (x), z INT, PRIMARY KEY (x, z));"
    )
    seen = guard.visible(schema, Policy({"a": TableRule(hidden=frozenset({"x"})), "b": TableRule()}))
    assert seen.to_ddl() == Schema.from_ddl(
        "CREATE TABLE a (y INT); CREATE TABLE b (x INT NOT NULL, z INT NOT NULL, PRIMARY KEY (x, z));"
    ).to_ddl()  # fmt: skip
    assert guard.visible(schema, None) is schema


@pytest.mark.parametrize("kept", [False, True], ids=["read", "kept"])
def test_hints_come_from_permitted_columns_and_rows_alone(shop: str, kept: bool, tmp_path: Path) -> None:
    question = (
        "What did Rowan Foods (desk@rowan.example, agent Morgan Vale) pay for a copper kettle and a silver ladle?"
    )
    settings = Settings(home=tmp_path / "home") if kept else None
    for _ in range(2):  # the second time from the file, where there is one
        engine = ScriptedEngine(["SELECT 1"] * 2)
        with Assistant.over(engine, open_database(shop), settings=settings, policy=POLICY) as assistant:
            answer = assistant.ask(question)
        assert answer.hints == ("clients.name = 'Rowan Foods'", "orders.item = 'Copper kettle'")
    for file in (tmp_path / "home").rglob("*.json"):
        text = file.read_text()
        assert "Copper kettle" in text
        assert not [word for word in ("desk@", "Morgan", "Silver") if word in text]


def test_values_that_were_kept_without_the_policy_are_not_used_under_it(shop: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    free = Assistant.over(ScriptedEngine(["SELECT 1"] * 2), open_database(shop), settings=settings)
    with free:
        assert free.ask("a silver ladle").hints == ("orders.item = 'Silver ladle'",)
    bound = Assistant.over(ScriptedEngine(["SELECT 1"]), open_database(shop), settings=settings, policy=POLICY)
    with bound:
        assert bound.ask("a silver ladle").hints == ()


def test_rows_that_depend_on_the_day_are_read_again_the_next_day(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mnemosyne.grounding import store

    settings = Settings(home=tmp_path / "home")
    read: list[str] = []
    whole = store.stored_values

    def counted(*args, only: str, **options):  # type: ignore[no-untyped-def]
        read.append(only)
        return whole(*args, only=only, **options)

    monkeypatch.setattr(store, "stored_values", counted)
    for _ in range(2):
        Assistant.over(ScriptedEngine([]), open_database(shop), settings=settings, policy=POLICY).close()
    assert sorted(read) == ["clients", "orders"]

    class Tomorrow(store.date):
        @classmethod
        def today(cls):  # type: ignore[no-untyped-def]
            return cls(2999, 1, 1)

    monkeypatch.setattr(store, "date", Tomorrow)
    Assistant.over(ScriptedEngine([]), open_database(shop), settings=settings, policy=POLICY).close()
    assert sorted(read) == ["clients", "orders", "orders"]


def test_a_star_is_the_permitted_columns_of_the_permitted_rows(shop: str) -> None:
    assistant, _ = over(shop, "SELECT * FROM clients", "SELECT * FROM orders")
    with assistant:
        clients, orders = assistant.ask("Which clients?").result, assistant.ask("Which orders?").result
    assert clients is not None
    assert clients.columns == ("client_id", "name", "agent")
    assert orders is not None
    assert orders.rows == ((1, 1, "Copper kettle"),)


DENIED = [
    "SELECT email FROM clients",
    "SELECT COUNT(*) FROM staff",
    "SELECT email FROM contacts",
    "SELECT secret FROM orders",
]


@pytest.mark.parametrize("sql", DENIED)
def test_what_is_denied_is_said_and_not_tried_in_other_words(shop: str, sql: str) -> None:
    """A draft without the denied column would answer another question than the one that was asked."""
    assistant, engine = over(shop, sql, "SELECT name FROM clients")
    with assistant:
        answer = assistant.ask("What is it?")
    assert answer.refusal is not None
    assert answer.refusal.code == "denied"
    assert "may not be read" in answer.problem
    assert answer.result is None
    assert len(engine.prompts) == 1


@pytest.mark.parametrize("sql", DENIED)
def test_a_repair_gets_past_it_no_more_than_a_draft(shop: str, sql: str) -> None:
    assistant, engine = over(shop, "SELECT emial FROM clients", sql)
    with assistant:
        answer = assistant.ask("What is it?")
    assert [step.kind for step in answer.steps] == ["draft", "repair"]
    assert answer.refusal is not None
    assert answer.refusal.code == "denied"
    assert "email" not in engine.prompts[1].text.replace("emial", "")


@pytest.mark.parametrize("sql", DENIED)
def test_nor_do_three_votes_of_four(shop: str, sql: str) -> None:
    assistant, _ = over(shop, sql, sql, sql, "SELECT name FROM clients", votes=4)
    with assistant:
        answer = assistant.ask("What is it?")
    assert answer.written == "SELECT name FROM clients"
    assert all(step.outcome is None for step in answer.steps[:3])


def test_a_reply_in_another_dialect_gets_past_it_no_more(shop: str) -> None:
    assistant, _ = over(shop, "SELECT `email`, CURDATE() FROM clients", repairs=0)
    with assistant:
        assert assistant.ask("What is it?").refusal is not None


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy({"custumers": TableRule()}), "custumers"),
        (Policy({"clients": TableRule(hidden=frozenset({"mail"}))}), "mail"),
        (Policy({"orders": TableRule(rows="secrt = 0")}), "secrt"),
        (Policy({}), "permits no table"),
    ],
)
def test_a_policy_that_does_not_fit_stops_the_start(shop: str, policy: Policy, words: str) -> None:
    database = open_database(shop)
    with pytest.raises(SettingsError, match=words):
        Assistant.over(ScriptedEngine([]), database, policy=policy)
    with pytest.raises(SettingsError, match=words):
        Assistant.open(shop, model="openai:http://127.0.0.1:1/v1#none", policy=policy)
    database.close()


def test_open_takes_the_name_of_the_file(shop: str, rules: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ScriptedEngine(["SELECT email FROM clients"])
    monkeypatch.setattr("mnemosyne.engines.open_engine", lambda name, settings: engine)
    with Assistant.open(shop, policy=rules, options=Options(grounding=False)) as assistant:
        assert assistant.policy == POLICY
        assert not assistant.ask("What is it?").ok


def test_sql_for_a_schema_alone_is_bound_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from mnemosyne.errors import AnswerRefused

    engine = ScriptedEngine(["SELECT b FROM t"])
    monkeypatch.setattr("mnemosyne.engines.open_engine", lambda name, settings: engine)
    with pytest.raises(AnswerRefused, match=r"t\.b may not be read"):
        generate_sql("CREATE TABLE t (a INT, b INT)", "b?", policy=Policy({"t": TableRule(hidden=frozenset({"b"}))}))
    assert "b INTEGER" not in engine.prompts[0].text


def test_ask_takes_the_policy(cli: CommandLine, shop: str, rules: str) -> None:
    ran = cli("ask", "Who?", "--db", shop, "--policy", rules, "--format", "csv", script=["SELECT * FROM clients"])
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0] == "client_id,name,agent"
    ran = cli("ask", "Who?", "--db", shop, "--policy", rules, script=["SELECT email FROM clients"])
    assert ran.code == 3
    assert "clients.email may not be read" in ran.err
    shown = ["ask", "Who?", "--db", shop, "--policy", rules, "--sql-only", "--dialect", "tsql"]
    ran = cli(*shown, script=["SELECT * FROM clients"])
    assert ran.code == 0, ran.err
    assert "email" not in ran.out


def test_predict_takes_the_policy(cli: CommandLine, shop: str, rules: str, tmp_path: Path) -> None:
    lines = [
        {"question": "Who?", "db": shop},
        {"question": "Where?", "db": shop},
        {"question": "What?", "schema": "CREATE TABLE other (a INT)"},
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, lines)))
    output = tmp_path / "p.jsonl"
    script = ["SELECT name FROM clients", "SELECT email FROM clients", "SELECT a FROM other"]
    ran = cli("predict", str(tmp_path / "q.jsonl"), "-o", str(output), "--policy", rules, script=script)
    assert ran.code == 0, ran.err
    who, where, what = map(json.loads, output.read_text().splitlines())
    assert who["ok"]
    assert (where["ok"], where["sql"]) == (False, "")
    assert "may not be read" in where["problem"]
    assert (what["ok"], what["sql"]) == (False, "")
    assert "does not have" in what["problem"]


@pytest.mark.parametrize("verb", ["ask", "predict", "schema", "guard"])
def test_a_policy_that_cannot_be_read_is_no_permission(
    verb: str, cli: Callable[..., object], shop: str, tmp_path: Path
) -> None:
    (tmp_path / "q.jsonl").write_text('{"question": "Who?"}')
    files = [str(tmp_path / "q.jsonl"), "-o", str(tmp_path / "p.jsonl")]
    first = {"ask": ["Who?"], "predict": files, "guard": ["SELECT 1"], "schema": []}
    argv = [verb, *first[verb], "--db", shop, "--policy", str(tmp_path / "absent.yaml")]
    ran = cli(*argv, script=["SELECT email FROM clients"])
    assert ran.code == 2  # type: ignore[attr-defined]
    assert "absent.yaml cannot be read" in ran.err  # type: ignore[attr-defined]


def test_schema_shows_what_the_model_will_see(cli: CommandLine, shop: str, rules: str) -> None:
    ran = cli("schema", "--db", shop, "--policy", rules)
    assert ran.code == 0
    assert "CREATE TABLE orders" in ran.out
    assert "secret" not in ran.out
