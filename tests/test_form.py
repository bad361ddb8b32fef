"""An order, each thing once and whole rows that a question asks for: mended without the model, or told of."""

from collections.abc import Iterator

import pytest

from mnemosyne.assistant import Assistant
from mnemosyne.assistant.form import formed, unformed
from mnemosyne.databases import Database, open_database
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.results import Result


@pytest.fixture(scope="module")
def laboratory(lab_sqlite: str) -> Iterator[Database]:
    database = open_database(lab_sqlite)
    yield database
    database.close()


PER_MONTH = "SELECT DATE_TRUNC('month', received_date)::date AS month, COUNT(*) AS samples FROM samples GROUP BY 1"
EMAILS = "SELECT c.contact_email FROM samples AS s JOIN clients AS c ON s.client_id = c.client_id"


@pytest.mark.parametrize(
    ("question", "sql", "end"),
    [
        ("Samples per month, in calendar order.", PER_MONTH, "ORDER BY month"),
        ("samples per month, ordered by month please", PER_MONTH, "ORDER BY month"),
        ("Samples per month, sorted by samples", PER_MONTH, "ORDER BY samples"),
        ("E-mail addresses of clients with samples, each address once", EMAILS, "SELECT DISTINCT c.contact_email FROM"),
        ("Emails of those who sent samples, no duplicates.", EMAILS, "SELECT DISTINCT c.contact_email FROM"),
        (
            "Show all clients registered in 2025.",
            "SELECT client_name FROM clients WHERE active",
            "SELECT * FROM clients",
        ),
        ("please list all of our Irish clients", "SELECT client_id FROM clients WHERE active", "SELECT * FROM clients"),
        (
            "Show all samples of active clients",
            "SELECT s.sample_id FROM samples AS s JOIN clients AS c ON s.client_id = c.client_id WHERE c.active",
            "SELECT s.* FROM samples",
        ),
    ],
)
def test_what_the_form_asks_is_put_right(laboratory: Database, question: str, sql: str, end: str) -> None:
    made = formed(question, sql, laboratory.schema())
    assert made is not None
    assert end in made


@pytest.mark.parametrize(
    ("question", "sql"),
    [
        ("Samples per month", PER_MONTH),
        ("Samples per month, sorted by samples descending", PER_MONTH),  # which way is in the words: the model's part
        ("Samples per month, worst first isn't needed", PER_MONTH),
        ("How many samples, in calendar order?", "SELECT COUNT(*) FROM samples"),
        ("samples per month in calendar order", PER_MONTH + " ORDER BY 2"),
        ("How often did each client send samples, each client once?", EMAILS + " GROUP BY 1"),
        ("Every sample once", "SELECT sample_id FROM samples"),
        ("Show all clients by name only", "SELECT client_name FROM clients"),
        ("Show all clients and how many samples they sent", "SELECT client_name, 1 FROM clients"),
        ("Show all cities of clients", "SELECT city FROM clients"),
        ("Show all client names in Leeds", "SELECT client_name FROM clients"),
        ("List all sample ids for Kestrel Foods", "SELECT sample_id FROM samples"),
        ("Which clients sent samples?", "SELECT client_name FROM clients"),
    ],
)
def test_what_is_not_certain_stays(laboratory: Database, question: str, sql: str) -> None:
    assert formed(question, sql, laboratory.schema()) is None


def test_a_lack_of_order_or_of_single_rows_is_told() -> None:
    assert unformed("clients, latest first", "SELECT client_name FROM clients") == (
        "The question says 'latest first', and the query has no ORDER BY.",
    )
    [told] = unformed("emails of clients with samples, each email once", EMAILS)
    assert told.endswith("the query may give a row several times: use DISTINCT.")
    assert unformed("clients, latest first", "SELECT client_name FROM clients ORDER BY registered_date DESC") == ()
    assert unformed("change in order by month", "SELECT LAG(a) OVER (ORDER BY b) FROM t") == ()
    assert unformed("clients, latest first", "SELECT client_name FROM") == ()


PER_CLIENT = (
    "SELECT c.client_name, COUNT(s.sample_id) FROM clients c {} samples s ON s.client_id = c.client_id GROUP BY 1"
)


def test_rows_with_nothing_to_count_are_asked_for() -> None:
    question = "Samples per client this year, including clients with none."
    [told] = unformed(question, PER_CLIENT.format("JOIN"))
    assert "LEFT JOIN" in told
    assert unformed(question, PER_CLIENT.format("LEFT JOIN")) == ()
    assert unformed("Samples per client, including those of last year", PER_CLIENT.format("JOIN")) == ()
    assert (
        unformed(
            question,
            "SELECT client_name, (SELECT COUNT(*) FROM samples s WHERE s.client_id = c.client_id) FROM clients c",
        )
        == ()
    )


def test_the_answer_is_mended_without_a_second_asking(laboratory: Database) -> None:
    engine = ScriptedEngine([EMAILS])
    answer = Assistant.over(engine, laboratory).ask("E-mails of clients with samples, each address once")
    assert [step.kind for step in answer.steps] == ["draft", "mend"]
    assert isinstance(answer.result, Result)
    assert len(answer.result.rows) == len(set(answer.result.rows))
    assert answer.sql.startswith("SELECT DISTINCT")
    assert answer.lacks == ()


def test_an_order_that_only_the_model_can_write_is_asked_for_once(laboratory: Database) -> None:
    sorted_ = "SELECT client_name FROM clients ORDER BY registered_date DESC"
    engine = ScriptedEngine(["SELECT client_name FROM clients", sorted_])
    answer = Assistant.over(engine, laboratory).ask("client names, latest first")
    assert "ORDER BY" in answer.sql
    assert "has no ORDER BY" in engine.prompts[1].text
    engine = ScriptedEngine(["SELECT client_name FROM clients", "SELECT client_name FROM clients WHERE active"])
    answer = Assistant.over(engine, laboratory).ask("client names, latest first")
    assert answer.written == "SELECT client_name FROM clients"
    assert answer.lacks == ("The question says 'latest first', and the query has no ORDER BY.",)
