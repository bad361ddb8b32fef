"""A query that runs and has no word of what the question names: found, set right where certain, told otherwise."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from mnemosyne.assistant import Assistant, Options, lexicon
from mnemosyne.assistant.unmet import unmet, with_window
from mnemosyne.databases import Database, open_database
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.grounding import Grounder, ValueIndex

TODAY = date(2026, 6, 15)
LAST_YEAR = "DATE_TRUNC('year', CURRENT_DATE) - INTERVAL '1 year'"


@pytest.fixture(scope="module")
def laboratory(lab_sqlite: str) -> Iterator[Database]:
    database = open_database(lab_sqlite)
    yield database
    database.close()


@pytest.fixture(scope="module")
def grounder(laboratory: Database) -> Grounder:
    schema = laboratory.schema()
    return Grounder(schema, ValueIndex.build(laboratory, schema))


def lacks(grounder: Grounder, question: str, sql: str) -> tuple[str, ...]:
    return unmet(grounder.ground(question), sql, TODAY)


@pytest.mark.parametrize(
    ("question", "condition"),
    [
        ("samples received this year", "EXTRACT(YEAR FROM received_date) = EXTRACT(YEAR FROM CURRENT_DATE)"),
        ("samples received this year", "received_date >= '2026-01-01'"),
        ("samples received last year", "EXTRACT(YEAR FROM received_date) = EXTRACT(YEAR FROM CURRENT_DATE) - 1"),
        ("samples received last year", "received_date BETWEEN '2025-01-01' AND '2025-12-31'"),
        ("samples received last year", "DATE_TRUNC('year', received_date) = DATE '2025-01-01'"),
        ("samples received in the last 30 days", "received_date >= CURRENT_DATE - 30"),
        ("samples received last month", "EXTRACT(MONTH FROM received_date) = 5"),  # taken apart: not judged
        ("samples received this year", "NOT (received_date < '2026-01-01')"),
        ("samples received last year", "NOT (received_date < '2025-01-01' OR received_date > '2025-12-31')"),
        (
            "samples received this year",
            "sample_id IN (SELECT sample_id FROM samples WHERE received_date >= '2026-01-01')",
        ),
    ],
)
def test_a_window_is_met_however_it_is_written(grounder: Grounder, question: str, condition: str) -> None:
    assert lacks(grounder, question, f"SELECT COUNT(*) FROM samples WHERE {condition}") == ()


@pytest.mark.parametrize(
    ("question", "condition"),
    [
        ("samples received this year", "EXTRACT(YEAR FROM received_date) = 2023"),
        ("samples received last year", "received_date >= '2025-01-01'"),
        ("samples received since 1 January last year", "EXTRACT(YEAR FROM received_date) = 2025"),
        ("samples received in the last 30 days", "received_date >= CURRENT_DATE - 3"),
        ("samples received in the last 30 days", "matrix = 'Raw Milk'"),
        ("samples received this year", "NOT (received_date >= '2026-01-01')"),
        ("samples received last year", "received_date NOT BETWEEN '2025-01-01' AND '2025-12-31'"),
        ("samples received last year", "NOT (EXTRACT(YEAR FROM received_date) = 2025)"),
        ("samples received last year", "received_date >= '2025-01-01' OR received_date < '2025-06-01'"),
    ],
)
def test_other_days_are_told(grounder: Grounder, question: str, condition: str) -> None:
    [told] = lacks(grounder, question, f"SELECT COUNT(*) FROM samples WHERE {condition}")
    assert "and the query has no such condition: date " in told


def test_the_halves_of_a_window_may_stand_apart(grounder: Grounder) -> None:
    sql = (
        "SELECT COUNT(*) FILTER (WHERE received_date < DATE_TRUNC('year', CURRENT_DATE)) FROM samples "
        f"WHERE received_date >= {LAST_YEAR}"
    )
    assert lacks(grounder, "samples received last year", sql) == ()


def test_a_value_is_missed_when_neither_it_nor_its_column_is_there(grounder: Grounder) -> None:
    question = "How many raw milk samples are urgent?"
    assert (
        lacks(grounder, question, "SELECT COUNT(*) FROM samples WHERE matrix = 'Raw Milk' AND priority = 'Urgent'")
        == ()
    )
    [told] = lacks(grounder, question, "SELECT COUNT(*) FROM samples WHERE priority = 'Urgent'")
    assert told == "The question says 'raw milk', and the query has no such condition: samples.matrix = 'Raw Milk'."
    grouped = "SELECT matrix, COUNT(*) FROM samples WHERE priority = 'Urgent' GROUP BY matrix"
    assert lacks(grounder, question, grouped) == (), "its column is there: how it is used is the query's business"
    assert lacks(grounder, question, "not SQL at all (") == ()


@pytest.mark.parametrize(
    "question",
    [
        "How many samples, urgent or not?",
        "How many samples, routine and urgent alike?",
        "Not urgent, but how many samples are there?",
        "Environmental Agency asked: how many samples?",
        "For the water utility audit: how many samples?",
    ],
)
def test_what_need_not_hold_is_not_missed(grounder: Grounder, question: str) -> None:
    assert lacks(grounder, question, ALL) == ()
    assert lacks(grounder, "How many urgent samples for water utilities?", ALL) != ()


def test_a_value_is_not_missed_where_the_query_names_its_row_by_the_key(grounder: Grounder) -> None:
    question = "Average lead reading, lead being determinand 24"
    results = "SELECT AVG(numeric_value) FROM results"
    assert lacks(grounder, question, f"{results} WHERE determinand_id = 24") == ()
    assert lacks(grounder, question, f"{results} WHERE determinand_id IN (24, 25)") == ()
    assert lacks(grounder, question, f"{results} WHERE sample_id = 'S-2025-00123'") != ()
    joined = "SELECT AVG(numeric_value) FROM results r JOIN determinands d ON r.determinand_id = d.determinand_id"
    assert lacks(grounder, question, joined) != (), "a join names no row"


def test_a_client_that_is_named_by_its_first_word_is_missed(grounder: Grounder) -> None:
    question = "How many samples did kestrel send?"
    [told] = lacks(grounder, question, ALL)
    assert told.endswith("clients.client_name = 'Kestrel Foods'.")
    named = (
        "SELECT COUNT(*) FROM samples s JOIN clients c ON c.client_id = s.client_id WHERE client_name ILIKE 'Kestrel%'"
    )
    assert lacks(grounder, question, named) == ()


@pytest.mark.parametrize(
    ("question", "sql", "mended"),
    [
        (
            "urgent samples received this year",
            "SELECT COUNT(*) FROM samples WHERE priority = 'Urgent' AND EXTRACT(YEAR FROM received_date) = 2023",
            "SELECT COUNT(*) FROM samples WHERE priority = 'Urgent' "
            "AND received_date >= DATE_TRUNC('YEAR', CURRENT_DATE)",
        ),
        (
            "Samples per month, received last year",
            "SELECT DATE_TRUNC('MONTH', received_date) AS month, COUNT(*) FROM samples "
            "WHERE received_date >= '2024-01-01' AND received_date < '2025-01-01' GROUP BY month",
            "SELECT DATE_TRUNC('MONTH', received_date) AS month, COUNT(*) FROM samples "
            "WHERE received_date >= DATE_TRUNC('YEAR', CURRENT_DATE) - INTERVAL '1 YEAR' "
            "AND received_date < DATE_TRUNC('YEAR', CURRENT_DATE) GROUP BY month",
        ),
        (  # another time is spoken of
            "samples received this year and reported in May",
            "SELECT COUNT(*) FROM samples WHERE received_date >= '2025-01-01'",
            None,
        ),
        (  # two windows in the query
            "samples received this year",
            "SELECT COUNT(*) FROM samples WHERE received_date >= '2025-01-01' AND reported_date >= '2024-01-01'",
            None,
        ),
        (  # ruled out
            "samples other than those received in the last 7 days",
            "SELECT COUNT(*) FROM samples WHERE received_date < CURRENT_DATE - INTERVAL '7 days'",
            None,
        ),
        (  # no window at all: which column is meant is not known
            "samples received this year",
            "SELECT COUNT(*) FROM samples",
            None,
        ),
        (
            "samples received this year",
            "SELECT COUNT(*) FROM samples WHERE received_date >= '2025-01-01' OR priority = 'Urgent'",
            None,
        ),
        (  # ruled out by the query
            "samples received this year",
            "SELECT COUNT(*) FROM samples WHERE NOT (received_date >= '2025-01-01' AND priority = 'Urgent')",
            None,
        ),
        (
            "samples received this year",
            "SELECT COUNT(*) FROM samples WHERE received_date <> '2025-01-01'",
            None,
        ),
        (  # a term with days of its own
            "How many samples received this year are overdue?",
            "SELECT COUNT(*) FROM samples WHERE received_date >= DATE_TRUNC('year', CURRENT_DATE) "
            "AND reported_date IS NULL AND status <> 'Cancelled' AND received_date < CURRENT_DATE - INTERVAL '10 days'",
            None,
        ),
        (  # a part of the year that the question names
            "samples received in Q1 last year",
            "SELECT COUNT(*) FROM samples WHERE received_date BETWEEN '2025-01-01' AND '2025-03-31'",
            None,
        ),
        (  # a part that no rule knows
            "Q2: samples received last year, h1 apart",
            "SELECT COUNT(*) FROM samples WHERE received_date BETWEEN '2025-04-01' AND '2025-06-30'",
            None,
        ),
        (  # right already
            "samples received this year",
            "SELECT COUNT(*) FROM samples WHERE received_date >= '2026-01-01'",
            None,
        ),
    ],
)
def test_days_are_set_right_only_where_that_is_certain(
    grounder: Grounder, question: str, sql: str, mended: str | None
) -> None:
    assert with_window(grounder.ground(question), question, sql, TODAY) == mended


ALL = "SELECT COUNT(*) FROM samples"
URGENT = "SELECT COUNT(*) FROM samples WHERE priority = 'Urgent'"


def test_the_assistant_sets_the_days_right_without_a_further_word_of_the_model(laboratory: Database) -> None:
    wrong = "SELECT COUNT(*) FROM samples WHERE EXTRACT(YEAR FROM received_date) = 2023"
    engine = ScriptedEngine([wrong])
    answer = Assistant.over(engine, laboratory, options=Options(today=TODAY)).ask("Samples received this year?")
    assert [step.kind for step in answer.steps] == ["draft", "mend"]
    assert answer.understood is not None
    assert answer.understood.windows == ("received_date from 2026-01-01",)
    assert answer.lacks == ()


def test_the_model_is_asked_once_more_for_what_it_left_out(laboratory: Database) -> None:
    engine = ScriptedEngine([ALL, URGENT])
    answer = Assistant.over(engine, laboratory, options=Options(today=TODAY)).ask("How many urgent samples?")
    assert [step.kind for step in answer.steps] == ["draft", "repair"]
    assert "priority = 'Urgent'" in answer.sql
    assert "The question says 'urgent'" in engine.prompts[1].tail


@pytest.mark.parametrize("second", [ALL, "SELECT nothing FROM nowhere", "SELECT COUNT(*) FROM clients"])
def test_a_second_draft_that_is_no_better_is_not_the_answer_and_the_person_is_told(
    laboratory: Database, second: str
) -> None:
    engine = ScriptedEngine([ALL, second])
    answer = Assistant.over(engine, laboratory, options=Options(today=TODAY)).ask("How many urgent samples?")
    assert answer.ok
    assert answer.written == ALL
    assert answer.lacks == (
        "The question says 'urgent', and the query has no such condition: samples.priority = 'Urgent'.",
    )
    assert len(engine.prompts) == 2


@pytest.mark.parametrize("options", [Options(repairs=0), Options(grounding=False)])
def test_without_repairs_or_grounding_the_model_is_asked_once(laboratory: Database, options: Options) -> None:
    engine = ScriptedEngine([ALL])
    answer = Assistant.over(engine, laboratory, options=options).ask("How many urgent samples?")
    assert len(engine.prompts) == 1
    assert bool(answer.lacks) is options.grounding


RATE = "SELECT 100.0 * COUNT(*) FILTER (WHERE pass_fail = 'P') / COUNT(*) FROM results"


@pytest.mark.parametrize(
    ("question", "sql", "condition"),
    [
        ("How many results are still pending?", "SELECT COUNT(*) FROM results", "results.numeric_value IS NULL"),
        ("Count the less-than results", "SELECT COUNT(*) FROM results", "results.qualifier = '<'"),
        ("What is our pass rate?", RATE, "results.pass_fail IS NOT NULL"),
        ("How many accredited methods are there?", "SELECT COUNT(*) FROM methods", "accredited"),
        (
            "overdue samples, how many?",
            "SELECT COUNT(*) FROM samples WHERE reported_date IS NULL",
            "samples.reported_date IS NULL AND samples.status <> 'Cancelled' AND "
            "samples.received_date < CURRENT_DATE - INTERVAL '10 days'",
        ),
    ],
)
def test_a_term_that_the_query_never_looks_at_is_told(
    grounder: Grounder, question: str, sql: str, condition: str
) -> None:
    [told] = lacks(grounder, question, sql)
    assert told.endswith(f"and the query has no such condition: {condition}.")


@pytest.mark.parametrize(
    ("question", "sql"),
    [
        ("How many results are still pending?", "SELECT COUNT(*) FROM results WHERE numeric_value IS NULL"),
        ("How many results are still pending?", "SELECT COUNT(*) - COUNT(numeric_value) FROM results"),
        ("What is our pass rate?", RATE + " WHERE pass_fail IS NOT NULL"),
        ("What is our pass rate?", RATE + " WHERE pass_fail IN ('P', 'F')"),
        (
            "What is our pass rate?",
            "SELECT 100.0 * COUNT(*) FILTER (WHERE pass_fail = 'P') / COUNT(pass_fail) FROM results",
        ),
        ("What is our pass rate?", RATE + " WHERE pass_fail = 'P' OR pass_fail = 'F'"),
        ("How many worksheets are not approved yet?", "SELECT COUNT(*) FROM worksheets WHERE status <> 'Approved'"),
        ("How many accredited methods are there?", "SELECT COUNT(*) FILTER (WHERE accredited) FROM methods"),
        ("How many pending worksheets?", "SELECT COUNT(*) FROM worksheets"),  # said of results only
    ],
)
def test_a_term_is_met_when_its_columns_are_looked_at(grounder: Grounder, question: str, sql: str) -> None:
    assert lacks(grounder, question, sql) == ()


def test_the_terms_of_an_own_lexicon_are_known(laboratory: Database, tmp_path: Path) -> None:
    file = tmp_path / "lexicon.yaml"
    file.write_text(
        "name: own\ntables:\n  samples: {label: sample_id, nouns: [sample]}\n"
        "terms:\n  - {on: samples, sql: \"samples.priority = 'Urgent'\", pre: [red hot], post: [in a hurry]}\n"
    )
    schema = laboratory.schema()
    own = Grounder(schema, ValueIndex.build(laboratory, schema), names=lexicon.read(file, schema))
    counted = "SELECT COUNT(*) FROM samples"
    for question in ("How many red hot samples?", "samples in a hurry, how many"):
        assert lacks(own, question, counted) != ()
        assert lacks(own, question, counted + " WHERE priority = 'Urgent'") == ()
    assert lacks(own, "results still pending?", "SELECT COUNT(*) FROM results") == ()  # not a term of this lexicon


OVERDUE = "reported_date IS NULL AND status <> 'Cancelled' AND received_date < CURRENT_DATE - INTERVAL '10 days'"


@pytest.mark.parametrize(
    ("question", "condition", "word"),
    [
        ("How many samples are overdue right now?", "status = 'Received'", "overdue"),
        ("How many results are pending?", "result_id > 0", "pending"),
        ("Which results are not yet approved?", "pass_fail = 'F'", "approved_date IS NULL"),
        ("How many results are still pending approval?", "numeric_value IS NULL", "approved_date IS NULL"),
        ("Which of her samples are still open?", "client_id = 3", "status NOT IN"),
        ("Which results were above their limit?", "numeric_value > 5", "limit_value"),
        ("List the exceedances of last year", "test_date >= '2025-01-01' AND test_date < '2026-01-01'", "pass_fail"),
        ("samples logged in last year", "collection_date BETWEEN '2025-01-01' AND '2025-12-31'", "received_date"),
        ("results tested last year", "approved_date BETWEEN '2025-01-01' AND '2025-12-31'", "test_date"),
    ],
)
def test_what_words_mean_here_is_looked_for_wherever_they_stand(
    grounder: Grounder, question: str, condition: str, word: str
) -> None:
    table = "samples" if "sample" in question else "results"
    told = lacks(grounder, question, f"SELECT * FROM {table} WHERE {condition}")
    assert any(word in sentence for sentence in told), told


@pytest.mark.parametrize(
    ("question", "sql"),
    [
        ("How many samples received this year are overdue?",
         f"SELECT COUNT(*) FROM samples WHERE received_date >= '2026-01-01' AND {OVERDUE}"),
        ("Which analysts have less than 10 results?",
         "SELECT analyst_id FROM results GROUP BY analyst_id HAVING COUNT(*) < 10"),
        ("Our most active clients this year",
         "SELECT client_id, COUNT(*) FROM samples WHERE received_date >= '2026-01-01' GROUP BY client_id"),
        ("How many results are still pending approval?", "SELECT COUNT(*) FROM results WHERE approved_date IS NULL"),
        ("Results above the limit of detection?",
         "SELECT r.* FROM results r JOIN determinands d USING (determinand_id) WHERE numeric_value > detection_limit"),
        ("samples logged in last year",
         "SELECT * FROM samples WHERE received_date BETWEEN '2025-01-01' AND '2025-12-31'"),
        ("clients taken on last year",
         "SELECT * FROM clients WHERE registered_date BETWEEN '2025-01-01' AND '2025-12-31'"),
    ],
)  # fmt: skip
def test_what_only_looks_like_such_a_word_is_not_missed(grounder: Grounder, question: str, sql: str) -> None:
    assert lacks(grounder, question, sql) == ()
