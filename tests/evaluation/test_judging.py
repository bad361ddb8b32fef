"""Gold and answer on every population: what is right, what is only lucky, and what each failure is called."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from mnemosyne.databases import Limits
from mnemosyne.evaluation.judging import Answer, Outcome, Task, Verdict, judge
from mnemosyne.evaluation.workers import Worlds
from mnemosyne.schema import Schema

COUNTING = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)
SELECT MAX(i) FROM n"""


@pytest.fixture
def ask(shops: tuple[str, str], shop_schema: Schema):  # type: ignore[no-untyped-def]
    """`ask(gold, answer, …)`: the verdict on one answer."""
    worlds = Worlds()

    def verdict(gold: str, answer: str, *, ordered: bool = False, limits: Limits = Limits()) -> Verdict:
        task = Task("t", gold, "postgres", shop_schema, shops, (Answer(answer),), ordered, date(2026, 6, 15), limits)
        [found] = judge(task, worlds).verdicts
        return found

    yield verdict
    worlds.close()


# Faults of other evaluators, each as a case ---------------------------------------------------------------------


def test_values_are_compared_and_column_names_are_not(ask) -> None:  # type: ignore[no-untyped-def]
    assert ask("SELECT 1 AS n", "SELECT 1 AS other").strict == (True, True)
    assert ask("SELECT 1 AS n", "SELECT 999 AS n").strict == (False, False)


def test_duplicate_rows_count(ask) -> None:  # type: ignore[no-untyped-def]
    found = ask("SELECT city FROM customers", "SELECT DISTINCT city FROM customers")
    assert found.strict == (False, False)


def test_a_query_that_is_right_by_luck_is_right_on_one_population_only(ask) -> None:  # type: ignore[no-untyped-def]
    found = ask("SELECT name FROM customers WHERE city = 'Oslo'", "SELECT name FROM customers WHERE id >= 3")
    assert found.strict == (True, False)
    assert found.shown_world == 1, "the report shows the population that tells them apart"


def test_order_counts_only_where_the_question_asks_for_it(ask) -> None:  # type: ignore[no-untyped-def]
    gold, upward = "SELECT id, total FROM orders ORDER BY total DESC", "SELECT id, total FROM orders ORDER BY total"
    assert ask(gold, upward, ordered=False).strict == (True, True)
    wrong = ask(gold, upward, ordered=True)
    assert wrong.strict == (False, False)
    assert wrong.unordered


def test_ties_may_come_in_either_order(ask) -> None:  # type: ignore[no-untyped-def]
    """Two orders of the first shop have the same total."""
    gold = "SELECT id FROM orders ORDER BY total DESC"
    for tie in ("id", "id DESC"):
        assert ask(gold, f"SELECT id FROM orders ORDER BY total DESC, {tie}", ordered=True).strict == (True, True)


def test_the_sort_key_need_not_be_shown(ask) -> None:  # type: ignore[no-untyped-def]
    gold = "SELECT name FROM customers ORDER BY city, name"
    assert ask(gold, "SELECT name FROM customers ORDER BY name", ordered=True).strict[0] is False


def test_extra_columns_are_forgiven_by_the_lenient_figure_only(ask) -> None:  # type: ignore[no-untyped-def]
    found = ask("SELECT name FROM customers", "SELECT id, name, city FROM customers")
    assert found.strict == (False, False)
    assert found.lenient == (True, True)


def test_null_is_not_an_empty_text_and_not_nought(ask) -> None:  # type: ignore[no-untyped-def]
    assert ask("SELECT note FROM orders", "SELECT COALESCE(note, '') FROM orders").strict == (False, False)
    assert ask("SELECT MAX(total) FROM orders WHERE id < 0", "SELECT 0").strict == (False, False)


def test_a_number_is_the_same_number_in_every_type_but_text_is_not(ask) -> None:  # type: ignore[no-untyped-def]
    assert ask("SELECT COUNT(*) FROM orders", "SELECT COUNT(*) * 1.0 FROM orders").strict == (True, True)
    assert ask("SELECT id FROM orders", "SELECT CAST(id AS TEXT) FROM orders").strict == (False, False)


def test_today_is_frozen_for_gold_and_answer(ask) -> None:  # type: ignore[no-untyped-def]
    found = ask("SELECT CAST('2026-06-15' AS DATE)", "SELECT CURRENT_DATE")
    assert found.strict == (True, True)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("", "no-sql"),
        ("WITH x AS (DELETE FROM orders RETURNING id) SELECT * FROM x", None),
        ("SELECT * INTO copy FROM orders", None),
        ("/**/DROP TABLE orders", None),
        ("SELECT 1; DROP TABLE orders", None),
        ("SELECT surname FROM customers", "unknown-column"),
        ("SELECT * FROM clients", "unknown-table"),
        ("SELEC id FROM orders", None),
    ],
)
def test_what_the_guard_refuses_never_runs_and_says_why(ask, answer: str, code: str | None) -> None:  # type: ignore[no-untyped-def]
    found = ask("SELECT COUNT(*) FROM orders", answer)
    assert not found.runs
    assert found.strict == (False, False)
    assert found.reason
    assert found.code == code if code else found.code


# Limits --------------------------------------------------------------------------------------------------------


def test_a_time_out_interrupts_the_query(ask) -> None:  # type: ignore[no-untyped-def]
    started = time.perf_counter()
    found = ask("SELECT 1", COUNTING, limits=Limits(timeout_seconds=0.3))
    assert (found.runs, found.code) == (False, "timeout")
    assert time.perf_counter() - started < 5


def test_the_connection_serves_the_next_query_after_a_time_out(shops: tuple[str, str], shop_schema: Schema) -> None:
    answers = (Answer(COUNTING), Answer("SELECT COUNT(*) FROM orders"))
    task = Task("t", "SELECT COUNT(*) FROM orders", "postgres", shop_schema, shops, answers, limits=Limits(0.3))
    hanging, good = judge(task, Worlds()).verdicts
    assert hanging.code == "timeout"
    assert good.strict == (True, True)


def test_a_cut_answer_is_never_right(ask) -> None:  # type: ignore[no-untyped-def]
    """The first three rows agree; what follows is unknown."""
    found = ask("SELECT id FROM customers WHERE id <= 3", "SELECT id FROM customers", limits=Limits(max_rows=3))
    assert found.runs
    assert found.strict[0] is False


# Golds ---------------------------------------------------------------------------------------------------------


def outcome(shops: tuple[str, ...], schema: Schema, gold: str, limits: Limits = Limits()) -> Outcome:
    return judge(Task("t", gold, "postgres", schema, shops, (Answer(gold),), limits=limits), Worlds())


@pytest.mark.parametrize(
    ("gold", "word"),
    [
        ("SELECT nothing FROM orders", "refused"),
        ("SELECT id FROM orders", "more than 2 rows on population 1"),
    ],
)
def test_a_gold_that_cannot_be_trusted_is_a_problem_and_no_verdict(
    shops: tuple[str, str], shop_schema: Schema, gold: str, word: str
) -> None:
    found = outcome(shops, shop_schema, gold, Limits(max_rows=2))
    assert word in found.problem
    assert found.verdicts == ()


def test_the_outcome_keeps_the_first_rows_of_the_gold_for_the_report(
    shops: tuple[str, str], shop_schema: Schema
) -> None:
    found = outcome(shops, shop_schema, "SELECT id FROM orders")
    assert found.rows == (4, 5)
    assert [len(result.rows) for result in found.shown] == [4, 5]


def test_an_answer_can_run_on_another_engine_than_the_gold(
    shops: tuple[str, str], shop_schema: Schema, tmp_path: Path
) -> None:
    """The self-test asks this of DuckDB and PostgreSQL; here a third file says whether the rows are compared."""
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "shop.duckdb"
    connection = duckdb.connect(str(path))
    connection.execute("CREATE TABLE customers AS SELECT * FROM (VALUES (1, 'Ann', 'Riga')) t(id, name, city)")
    connection.close()
    answers = (Answer("SELECT name FROM customers", worlds=(f"duckdb:///{path}",)),)
    task = Task("t", "SELECT name FROM customers", "postgres", shop_schema, shops[:1], answers)
    [there] = judge(task, Worlds()).verdicts
    assert there.runs
    assert there.strict == (False,)
    [equal] = judge(replace(task, gold="SELECT 'Ann'"), Worlds()).verdicts
    assert equal.strict == (True,)
