"""Golds whose LIMIT cuts a tie: chance says which of the equal rows they return."""

from __future__ import annotations

import pytest

from mnemosyne.evaluation.judging import Answer, Task, judge
from mnemosyne.evaluation.workers import Worlds
from mnemosyne.schema import Schema

CASES = [
    ("SELECT id FROM orders ORDER BY total DESC LIMIT 1", True),
    ("SELECT id FROM orders ORDER BY total DESC, id LIMIT 1", False),
    ("SELECT id FROM orders ORDER BY total DESC LIMIT 3", False),  # the tie lies before the cut
    (
        "SELECT total FROM orders WHERE id IN (2, 3) ORDER BY total DESC LIMIT 1",
        False,
    ),  # whichever it is, it looks alike
    ("SELECT id FROM orders ORDER BY total DESC LIMIT 1 OFFSET 1", True),  # the offset cuts, too
    ("SELECT id FROM orders LIMIT 2", True),  # nothing is ordered, so all rows tie
    ("SELECT id FROM orders LIMIT 100", False),
    ("SELECT city FROM customers GROUP BY city ORDER BY COUNT(*) DESC LIMIT 1", True),
    ("SELECT city, COUNT(*) AS n FROM customers GROUP BY city ORDER BY n DESC LIMIT 1", True),
    ("SELECT id FROM customers UNION SELECT id FROM orders ORDER BY id LIMIT 2", False),
    ("SELECT id FROM orders WHERE total = (SELECT total FROM orders ORDER BY total DESC LIMIT 1)", False),
    ("SELECT id FROM orders ORDER BY total DESC", False),
]


@pytest.mark.parametrize(("gold", "tied"), CASES)
def test_a_limit_that_cuts_a_tie_is_seen(gold: str, tied: bool, shops: tuple[str, str], shop_schema: Schema) -> None:
    worlds = Worlds()
    task = Task("t", gold, "sqlite", shop_schema, shops[:1], (Answer(gold, "sqlite"),), ties=True)
    assert judge(task, worlds).tied is tied
    worlds.close()


def test_a_tie_on_any_population_counts_and_nobody_looks_unasked(shops: tuple[str, str], shop_schema: Schema) -> None:
    """The largest order is two orders in the first shop and one in the second."""
    gold = "SELECT id FROM orders ORDER BY total DESC LIMIT 1"
    worlds = Worlds()
    for populations, tied in ((shops[1:], False), (shops[::-1], True)):
        assert judge(Task("t", gold, "sqlite", shop_schema, populations, (), ties=True), worlds).tied is tied
    steps: list[tuple[int, int]] = []
    judge(Task("t", gold, "sqlite", shop_schema, shops, ()), worlds, note=steps.append)
    assert steps == [(-1, 0), (-1, 1)]
    worlds.close()
