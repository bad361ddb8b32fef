"""What is wrong with a wrong answer: one pair of queries per category."""

from __future__ import annotations

import pytest

from mnemosyne.evaluation.diagnosis import CATEGORIES, diagnose
from mnemosyne.evaluation.judging import Answer, Task, judge
from mnemosyne.evaluation.workers import Worlds
from mnemosyne.schema import Schema

JOINED = "SELECT c.name, o.total FROM customers c JOIN orders o ON o.customer_id = c.id"

CASES = [
    ("no SQL", "SELECT 1", "", False),
    ("parse", "SELECT 1", "SELECT FROM WHERE", False),
    ("parse", "SELECT 1", "SELECT 1; SELECT 2", False),
    ("unknown table", "SELECT 1", "SELECT * FROM clients", False),
    ("unknown column", "SELECT 1", "SELECT surname FROM customers", False),
    ("refused", "SELECT 1", "SELECT pg_sleep(1)", False),
    ("order", "SELECT id FROM orders ORDER BY id", "SELECT id FROM orders ORDER BY id DESC", True),
    ("extra columns", "SELECT name FROM customers", "SELECT name, city FROM customers", False),
    ("missing columns", "SELECT name, city FROM customers", "SELECT name FROM customers", False),
    ("wrong table", "SELECT id FROM customers WHERE id > 2", "SELECT id FROM orders", False),
    ("join", JOINED, JOINED.replace("JOIN", "LEFT JOIN"), False),
    ("set operation", "SELECT city FROM customers UNION SELECT note FROM orders",
     "SELECT city FROM customers EXCEPT SELECT note FROM orders", False),
    ("aggregate", "SELECT MAX(total) FROM orders", "SELECT MIN(total) FROM orders", False),
    ("date window", "SELECT id FROM orders WHERE ordered >= '2026-05-01'",
     "SELECT id FROM orders WHERE ordered >= '2026-03-01'", False),
    ("filter", "SELECT id FROM customers WHERE city = 'Riga'", "SELECT id FROM customers WHERE name = 'Riga'", False),
    ("filter value", "SELECT id FROM customers WHERE city = 'Riga'", "SELECT id FROM customers WHERE city = 'Oslo'",
     False),
    ("duplicates", "SELECT city FROM customers", "SELECT DISTINCT city FROM customers", False),
    ("order or limit", "SELECT id FROM orders ORDER BY id LIMIT 1", "SELECT id FROM orders ORDER BY id LIMIT 2", False),
    ("expression", "SELECT total * 2 FROM orders", "SELECT total + 3 FROM orders", False),
]  # fmt: skip


@pytest.mark.parametrize(("category", "gold", "answer", "ordered"), CASES)
def test_the_category_of_a_wrong_answer(
    category: str, gold: str, answer: str, ordered: bool, shops: tuple[str, str], shop_schema: Schema
) -> None:
    task = Task("t", gold, "postgres", shop_schema, shops, (Answer(answer),), ordered)
    outcome = judge(task, Worlds())
    [verdict] = outcome.verdicts
    assert not all(verdict.strict) or not verdict.runs
    found = diagnose(gold, "postgres", answer, verdict, len(outcome.shown[0].columns), shop_schema)
    assert found == category


def test_every_category_that_a_query_can_fall_into_has_a_case() -> None:
    assert set(CATEGORIES) - {case[0] for case in CASES} == {"abstained", "fails", "other"}
