"""When a question is given back: nothing about it in the schema, several ways to read it, or no question at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mnemosyne.databases import Database, open_database
from mnemosyne.grounding import Grounder, ValueIndex
from mnemosyne.schema import Schema

INVENTED = yaml.safe_load((Path(__file__).parent / "invented.yaml").read_text())
STAFF = yaml.safe_load((Path(__file__).parent / "staff.yaml").read_text())
SHOP = Schema.from_ddl(
    "CREATE TABLE products (product_id INT PRIMARY KEY, product_name TEXT, price FLOAT, supplier TEXT);"
    "CREATE TABLE orders (order_id INT PRIMARY KEY, product_id INT REFERENCES products, order_date DATE, quantity INT);"
)


@pytest.fixture(scope="module")
def laboratory(lab_sqlite: str) -> Iterator[Database]:
    database = open_database(lab_sqlite)
    yield database
    database.close()


@pytest.fixture(scope="module")
def grounder(laboratory: Database) -> Grounder:
    schema = laboratory.schema()
    return Grounder(schema, ValueIndex.build(laboratory, schema))


def test_most_invented_questions_without_an_answer_are_given_back(grounder: Grounder) -> None:
    caught = [q for q in INVENTED["unanswerable"] if grounder.scope.judge(q)]
    assert len(caught) >= 0.9 * len(INVENTED["unanswerable"])


def test_invented_questions_with_an_answer_are_not_refused(grounder: Grounder) -> None:
    refused = [q for q in INVENTED["answerable"] if grounder.scope.judge(q)]
    assert len(refused) <= 0.03 * len(INVENTED["answerable"]), refused


@pytest.mark.parametrize(
    ("question", "reason", "words"),
    [
        ("Which courier brought the samples?", "missing", "courier"),
        ("What is the price per client?", "missing", "price"),
        ("Number of samples per farm", "missing", "farm"),
        ("Who received sample 12?", "missing", "who received"),
        ("Delete all cancelled samples", "write", "delete all"),
        ("How many samples will we receive next month?", "prediction", "will we"),
        ("Write me a poem about coliforms", "elsewhere", "poem"),
        ("Who is our best analyst?", "ambiguous", "best"),
        ("Legionella results please", "ambiguous", "Legionella"),
        ("How many samples last week?", "ambiguous", "last week"),
    ],
)
def test_the_answer_names_the_words_that_stand_in_the_way(
    grounder: Grounder, question: str, reason: str, words: str
) -> None:
    abstention = grounder.scope.judge(question)
    assert abstention is not None
    assert abstention.reason == reason
    assert words in " ".join(abstention.evidence)
    assert abstention.message.endswith((".", "?"))


def test_choices_are_offered_where_the_database_has_them(grounder: Grounder) -> None:
    kinds = grounder.scope.judge("Legionella results please")
    assert kinds is not None
    assert kinds.candidates == (
        "determinands.determinand_name = 'Legionella pneumophila'",
        "determinands.determinand_name = 'Legionella spp.'",
    )
    dates = grounder.scope.judge("How many samples last week?")
    assert dates is not None
    assert "samples.received_date" in dates.candidates


def test_reasons_and_excuses_are_not_the_question(grounder: Grounder) -> None:
    judge = grounder.scope.judge
    assert judge("The invoice run is tonight. How many samples were reported for each client in May 2026?") is None
    assert judge("How many urgent samples are in progress, because the courier leaves at five?") is None
    assert judge("How many samples per courier, because the invoice run is tonight?") is not None


def test_them_may_mean_what_the_question_has_named(grounder: Grounder) -> None:
    assert grounder.scope.judge("How many clients - all of them?") is None
    assert grounder.scope.judge("How many of them are there?") is not None


def test_another_schema_has_other_gaps() -> None:
    shop = Grounder(SHOP).scope
    assert shop.judge("What is the average price of each product?") is None
    assert shop.judge("Which supplier has the most orders?") is None
    assert shop.judge("How many instruments were calibrated?") is not None


def test_words_that_nothing_knows_are_missing(grounder: Grounder) -> None:
    judge = grounder.scope.judge
    unknown = judge("Which swabs came from stainless steel surfaces?")
    assert unknown is not None
    assert "steel" in unknown.evidence
    assert judge("Why was sample S-2025-00210 cancelled?") is not None
    assert judge("Since when is method ISO 11731 accredited?") is not None
    assert judge("When was sample S-2025-00210 received?") is None
    assert judge("Raise the limit for copper to 2.5") is not None
    assert judge("How many samples did kestrel send?") is None, "a client's first word"
    assert judge("Number of fialed samples per clinet in 2025, in reverse order of client") is None


def test_a_first_word_of_many_names_is_known() -> None:
    """More names than can be offered as choices: it is the query that has to look for them."""
    [table] = SHOP.tables[:1]
    names = [f"Wombat {kind}" for kind in ("Mug", "Bowl", "Plate", "Knife", "Fork", "Spoon")]
    values = ValueIndex.of([(table, table.columns[1], names)], SHOP)
    assert Grounder(SHOP, values).scope.judge("How many wombat orders were there?") is None
    two = Grounder(SHOP, ValueIndex.of([(table, table.columns[1], names[:2])], SHOP)).scope
    asked = two.judge("How many wombat orders were there?")
    assert asked is not None
    assert asked.reason == "ambiguous"
    unknown = Grounder(SHOP).scope.judge("How many wombat orders were there?")
    assert unknown is not None
    assert unknown.reason == "missing"


def test_a_word_may_be_a_name_beyond_the_cap() -> None:
    [table] = SHOP.tables[:1]
    names = [f"{kind} Lamp" for kind in ("Oak", "Elm", "Ash", "Fir")]
    known = Grounder(SHOP, ValueIndex.of([(table, table.columns[1], names)], SHOP)).scope
    cut = Grounder(SHOP, ValueIndex.of([(table, table.columns[1], names)], SHOP, cap=4)).scope
    assert known.judge("How many zephyr orders were there?") is not None
    assert cut.judge("How many zephyr orders were there?") is None


@pytest.mark.parametrize(("half", "caught"), [("design", 0.8), ("test", 0.65)])
def test_questions_of_the_staff_are_given_back_or_answered(grounder: Grounder, half: str, caught: float) -> None:
    kinds = dict(STAFF[half])
    answerable = kinds.pop("answerable")
    unanswerable = [question for questions in kinds.values() for question in questions]
    assert sum(grounder.scope.judge(q) is not None for q in unanswerable) >= caught * len(unanswerable)
    assert sum(grounder.scope.judge(q) is not None for q in answerable) <= 0.03 * len(answerable)


def test_questions_that_people_wrote_are_answered(grounder: Grounder) -> None:
    """lab-written holds no question without an answer; rules were tuned on it, so this only guards what was reached."""
    from importlib.resources import files

    from mnemosyne.datasets import read_examples

    asked = [e.question for e in read_examples(str(files("mnemosyne") / "data" / "sets" / "lab-written.jsonl.gz"))][::3]
    assert sum(grounder.scope.judge(question) is not None for question in asked) <= 0.03 * len(asked)
