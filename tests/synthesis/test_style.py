"""The one way in which queries are printed, and that it means what the tree means."""

from __future__ import annotations

import pytest
import sqlglot

from mnemosyne.synthesis.style import print_sql


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT s.sample_id FROM samples s JOIN clients c ON s.client_id = c.client_id WHERE c.city IS NOT NULL",
        "SELECT DATE_TRUNC('month', test_date)::date AS month, COUNT(*) AS n FROM results GROUP BY month",
        "SELECT 100.0 * COUNT(*) FILTER (WHERE pass_fail = 'F') / COUNT(*) FROM results WHERE pass_fail IS NOT NULL",
        "SELECT sample_id FROM samples WHERE received_date >= CURRENT_DATE - INTERVAL '30 days'",
        "SELECT sample_id FROM samples WHERE received_date = CURRENT_DATE - INTERVAL '1 day'",
        "SELECT method_code FROM methods WHERE technique NOT IN ('Pour Plate', 'Flow Analysis') AND NOT accredited",
        "SELECT ROUND(AVG(numeric_value)::numeric, 1) FROM results",
        "SELECT client_name FROM clients c WHERE NOT EXISTS (SELECT 1 FROM samples s WHERE s.client_id = c.client_id)",
        "SELECT DISTINCT ON (matrix) matrix, sample_id FROM samples ORDER BY matrix, collection_date DESC",
    ],
)
def test_house_style_is_a_fixed_point(sql: str) -> None:
    assert print_sql(sqlglot.parse_one(sql, read="postgres")) == sql  # type: ignore[arg-type]


def test_a_cast_binds_no_tighter_than_the_tree_says() -> None:
    assert (
        print_sql(sqlglot.parse_one("SELECT CAST(a - b AS date) FROM t", read="postgres"))
        == "SELECT (a - b)::date FROM t"
    )  # type: ignore[arg-type]
