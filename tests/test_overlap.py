"""Training and evaluation stay apart: by question, by run of words, by the form of the SQL."""

import pytest

from mnemosyne.datasets import Example
from mnemosyne.datasets.overlap import NeighbourIndex, OverlapIndex, normal_question, sql_form, sql_skeleton

PROTECTED = [
    Example(
        "bench-1",
        "Which clients sent us raw milk in the last 30 days without a single failure?",
        "SELECT c.client_name AS who FROM clients c JOIN samples s ON s.client_id = c.client_id "
        "WHERE s.matrix = 'Raw Milk' ORDER BY who LIMIT 5",
        "lab",
    )
]


def example(question: str, sql: str = "SELECT 1") -> Example:
    return Example("t", question, sql, "lab")


def test_normal_question_forgets_case_marks_and_accents() -> None:
    assert normal_question("  Wie viele Prüfungen,  E. coli?") == "wie viele prufungen e coli"


@pytest.mark.parametrize(
    "other",
    [
        "select x.client_name from clients x join samples y on y.client_id = x.client_id where y.matrix = 'Water' "
        "order by x.client_name limit 9",
        "SELECT c.client_name AS n FROM clients AS c JOIN samples AS t ON t.client_id = c.client_id "
        "WHERE t.matrix = '' ORDER BY c.client_name LIMIT 1 -- why",
    ],
)
def test_a_skeleton_forgets_literals_aliases_and_case(other: str) -> None:
    base = "SELECT c.client_name FROM clients c JOIN samples s ON s.client_id = c.client_id WHERE s.matrix = 'x' "
    assert sql_skeleton(base + "ORDER BY c.client_name LIMIT 5") == sql_skeleton(other)


def test_a_skeleton_remembers_tables_columns_and_clauses() -> None:
    base = sql_skeleton("SELECT status FROM samples WHERE priority = 'Urgent'")
    assert sql_skeleton("SELECT status FROM samples WHERE matrix = 'Urgent'") != base
    assert sql_skeleton("SELECT DISTINCT status FROM samples WHERE priority = 'Urgent'") != base
    assert sql_skeleton("SELECT status FROM worksheets WHERE priority = 'Urgent'") != base


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t WHERE b = 1 AND c IS NULL", "SELECT t.a FROM t WHERE c IS NULL AND 2 = b"),
        ("SELECT a, b FROM t WHERE c = 'x'", "SELECT b, a AS first FROM t WHERE c = 'y'"),
        ("SELECT a FROM t WHERE d >= DATE '2025-01-01'", "SELECT a FROM t WHERE d >= '2024-06-01'"),
        (
            "SELECT a FROM t WHERE d >= CURRENT_DATE - INTERVAL '6 months'",
            "SELECT a FROM t WHERE d >= CURRENT_DATE - 7",
        ),
        ("SELECT x.a FROM t x JOIN u y ON x.k = y.k", "SELECT u.a FROM u JOIN t ON u.k = t.k"),
        ("WITH n AS (SELECT a FROM t) SELECT n.a FROM n", "WITH m AS (SELECT a FROM t) SELECT a FROM m"),
    ],
)
def test_a_form_forgets_the_order_of_writing(one: str, other: str) -> None:
    assert sql_form(one) == sql_form(other)
    assert sql_skeleton(one) != sql_skeleton(other) or "WITH" in one


@pytest.mark.parametrize(
    "other",
    [
        "SELECT a FROM t WHERE b = 1 OR c IS NULL",
        "SELECT a FROM t WHERE b > 1 AND c IS NULL",
        "SELECT DISTINCT a FROM t WHERE b = 1 AND c IS NULL",
        "SELECT a FROM u WHERE b = 1 AND c IS NULL",
        "SELECT COUNT(a) FROM t WHERE b = 1 AND c IS NULL",
    ],
)
def test_a_form_remembers_what_is_asked(other: str) -> None:
    assert sql_form("SELECT a FROM t WHERE b = 1 AND c IS NULL") != sql_form(other)


def test_text_that_is_not_sql_is_its_own_skeleton() -> None:
    assert sql_skeleton("SELECT FROM ((") == "select from (("


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (example("which clients sent us RAW MILK in the last 30 days, without a single failure"), "question"),
        (example("So which clients sent us raw milk in the last week?"), "n-gram"),
        (example("New question", PROTECTED[0].sql.replace("Raw Milk", "Raw Meat")), "form"),
        (example("Which clients sent raw milk?", "SELECT client_name FROM clients"), ""),
    ],
)
def test_overlap_is_named(candidate: Example, reason: str) -> None:
    assert OverlapIndex(PROTECTED).reason(candidate) == reason


def test_the_nearest_neighbour_is_found() -> None:
    index = NeighbourIndex([example("How many samples are open?"), example("List all clients in Leeds")])
    found = index.nearest("how many samples were open")
    assert found is not None
    assert found.question == "How many samples are open?"
    assert 0.5 < found.similarity < 1
    assert index.nearest("How many samples are open?").similarity == 1  # type: ignore[union-attr]
    assert index.nearest("zzz") is None
