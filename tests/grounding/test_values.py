"""Value linking: what people write finds what is stored, and what only looks like a value does not."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mnemosyne.databases import Database, open_database
from mnemosyne.errors import SettingsError
from mnemosyne.grounding import ValueIndex, synonyms

LEXICON = Path(__file__).parent.parent.parent / "src" / "mnemosyne" / "data" / "lims" / "lexicon.yaml"


@pytest.fixture(scope="module")
def laboratory(lab_sqlite: str) -> Iterator[Database]:
    database = open_database(lab_sqlite)
    yield database
    database.close()


@pytest.fixture(scope="module")
def index(laboratory: Database) -> ValueIndex:
    return ValueIndex.build(laboratory, laboratory.schema())


def found(index: ValueIndex, question: str) -> list[str]:
    return [mention.hint for mention in index.mentions(question)]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("Escherichia coli", "determinands.determinand_name = 'E. coli'"),
        ("e.coli", "determinands.determinand_name = 'E. coli'"),
        ("ecoli", "determinands.determinand_name = 'E. coli'"),
        ("enterococi", "determinands.determinand_name = 'Enterococci'"),
        ("pseudomonas aeroginosa", "determinands.determinand_name = 'Pseudomonas aeruginosa'"),
        ("TVC at 22", "determinands.determinand_name = 'Total Viable Count 22C'"),
        ("Pb", "determinands.determinand_name = 'Lead'"),
        ("potable water", "samples.matrix = 'Drinking Water'"),
        ("swabs", "samples.matrix = 'Environmental Swab'"),
        ("water companies", "clients.client_type = 'Water Utility'"),
        ("UK", "clients.country = 'United Kingdom'"),
        ("ICPMS", "methods.technique = 'ICP-MS'"),
        ("method 9308-1", "methods.method_code = 'ISO 9308-1'"),
        ("ISO 7899", "methods.method_code = 'ISO 7899-2'"),
    ],
)
def test_every_way_to_write_a_value_leads_to_what_is_stored(index: ValueIndex, words: str, hint: str) -> None:
    assert index.hints(f"How many results for {words} last month?") == (hint,)


def test_names_may_be_misspelt_or_shortened(index: ValueIndex, laboratory: Database) -> None:
    from mnemosyne import guard
    from mnemosyne.guard.query import SafeQuery
    from mnemosyne.results import Result

    checked = guard.check("SELECT client_name FROM clients", laboratory.schema(), target=laboratory.dialect)
    assert isinstance(checked, SafeQuery)
    outcome = laboratory.run(checked)
    assert isinstance(outcome, Result)
    names = [str(row[0]) for row in outcome.rows]
    for name in names:
        if len(name) > 12:
            typo = name[:4] + name[5:]  # a letter is missing
            assert found(index, f"Results for {typo} please") == [f"clients.client_name = '{name}'"]
    council = next(name for name in names if name.endswith("Borough Council"))
    short = council.replace(" Borough", "")
    assert found(index, f"results for {short}") == [f"clients.client_name = '{council}'"]


def test_the_word_lists_of_the_laboratory_all_lead_to_their_values(index: ValueIndex) -> None:
    """The ways to say a value that training questions use are found when people use them."""
    missing = []
    for table, words in yaml.safe_load(LEXICON.read_text())["tables"].items():
        for column, entry in words["columns"].items():
            for value, said in entry.get("values", {}).items():
                literal = str(value).replace("'", "''")
                noun = {"analysts": "staff", "samples": "samples", "worksheets": "worksheets"}.get(table, "results")
                missing += [
                    (column, value, way)
                    for way in said
                    if value not in ("Reported", "Received")  # words of columns: see below
                    and f"{column} = '{literal}'" not in " ".join(found(index, f"How many {way} {noun}?"))
                ]
    assert missing == []


@pytest.mark.parametrize(
    "question",
    [
        "What is the lead time of each client?",
        "Which results were judged pass or fail?",
        "Samples received last week",
        "List analysts with their job titles",
        "As the Laboratory Manager I need all clients",
        "What was booked in at reception yesterday?",
        "Results above 50 mg/l",
        "Results of less than 5",
        "Which clients have names beginning with 'Kestrel Foods'?",
        "Results of any method with Enumeration in its name",
        "How much was as of today, in all, at most?",
        "Result number, job titles and analyst names of results",
        "When was Analyst Byrne hired?",
        "Show me technique, result number and test date",
        "The coplete records of samples",
        "Clients whose name has council in it",
        "Night shift lead speaking. How many samples today?",
        "Our marketing lead wants the number of clients",
        "Environmental Agency asked about sampling points",
        "In reception we wonder which person has the oldest job",
        "Reception date of samples, by contact person",
    ],
)
def test_what_only_looks_like_a_value_is_none(index: ValueIndex, question: str) -> None:
    assert found(index, question) == []


def test_a_kind_is_not_told_where_the_thing_itself_is_named(index: ValueIndex) -> None:
    assert index.hints("ICP-MS planning: worksheets of method ISO 17294-2") == ("methods.method_code = 'ISO 17294-2'",)
    assert index.hints("worksheets of ICPMS methods") == ("methods.technique = 'ICP-MS'",)


def test_what_is_asked_about_is_a_value_all_the_same(index: ValueIndex) -> None:
    assert (
        found(index, "Average lead reading per quality lead sample") == ["determinands.determinand_name = 'Lead'"] * 2
    )
    assert found(index, "Which water utility asked most?") == ["clients.client_type = 'Water Utility'"]
    assert found(index, "Staff of reception") == ["analysts.department = 'Sample Reception'"]


def test_the_first_word_of_a_stored_name_stands_for_it(index: ValueIndex) -> None:
    kestrel = ["clients.client_name = 'Kestrel Foods'"]
    assert found(index, "Which samples came from Kestrel?") == kestrel
    assert found(index, "How many samples did kestrel send?") == kestrel
    assert found(index, "Kestrel: number of samples") == kestrel
    assert found(index, "Samples of Kestrel Foods and of kestrel's farm") == kestrel
    assert index.hints("How many samples did kestrel send?") == tuple(kestrel)


@pytest.mark.parametrize(
    "question",
    [
        "Samples of Kestrel Bakery",  # another name
        "Samples that Anna Kestrel tested",
        "Thank you, Lars",  # the first name of an analyst, and of whoever asks
        "Was a kestrel seen?",
        "samples with kestrel feathers",  # no place for a name
        "Samples of the hotels",  # the first word of none
        "How was the examination?",  # of a description
    ],
)
def test_a_first_word_alone_is_no_name_everywhere(index: ValueIndex, question: str) -> None:
    assert "Kestrel" not in " ".join(found(index, question))
    assert index.hints(question) == ()


def test_first_words_that_are_shared_or_mean_more_stand_for_nothing() -> None:
    from mnemosyne.schema import Schema

    schema = Schema.from_ddl("CREATE TABLE farms (farm_name TEXT, town TEXT, remark TEXT)")
    [table] = schema.tables
    names, towns, remark = table.columns
    values = ValueIndex.of(
        [
            (table, names, ["Alder Farm", "Briar Farm", "Briar Dairy", "Cotton Farm", "Dunlin Farm", "Most Farm"]),
            (table, towns, ["Dunlin"]),
            (table, remark, ["Eider Sea", "once Cotton Mill"]),
        ],
        schema,
    )
    assert values.hints("Is it Alder?") == ("farms.farm_name = 'Alder Farm'",)
    for word in ("Briar", "Cotton", "Eider", "Most"):
        assert values.hints(f"Is it {word}?") == ()
    assert values.hints("Is it Dunlin?") == ("farms.town = 'Dunlin'",)
    assert values.first_words() == {"alder", "briar", "cotton", "dunlin"}


@pytest.mark.parametrize(
    ("question", "optional"),
    [
        ("samples this year, urgent or not", [True]),
        ("Urgent and routine alike, drinking water", [True, True, False]),
        ("samples of May, cancelled ones included", [True]),
        ("all samples, including cancelled", [True]),
        ("Not urgent, but list the samples", [True]),
        ("Urgent samples or those not reported", [False]),
        ("For the water utility audit: drinking water in progress", [True, False]),
        ("for the water utility in Dublin", [False, False]),
        ("not urgent samples", [False]),
    ],
)
def test_what_need_not_hold_is_told_apart(index: ValueIndex, question: str, optional: list[bool]) -> None:
    assert [mention.optional for mention in index.mentions(question)] == optional


def test_words_of_any_question_are_values_only_where_they_are_written_as_names() -> None:
    from mnemosyne.schema import Schema

    schema = Schema.from_ddl("CREATE TABLE ports (iata TEXT, first_name TEXT)")
    [table] = schema.tables
    ports = ValueIndex.of(
        [(table, table.columns[0], ["ALL", "IN", "ARE"]), (table, table.columns[1], ["NUMBERS"])], schema
    )
    assert ports.hints("What are the number of all planes in it?") == ()
    assert ports.hints("Planes that land at 'ALL' or IN") == ("ports.iata = 'ALL'", "ports.iata = 'IN'")


def test_a_status_is_meant_where_it_is_written_so_or_spoken_of(index: ValueIndex) -> None:
    assert found(index, "samples with status Received") == ["samples.status = 'Received'"]
    assert found(index, "the oldest sample we still have as Received") == ["samples.status = 'Received'"]
    assert found(index, "worksheets that are open") == ["worksheets.status = 'Open'"]
    assert found(index, "which samples are open?") == []
    assert found(index, "worksheets that nobody approved") == ["worksheets.status = 'Approved'"]
    assert found(index, "results approved yesterday") == []


def test_the_words_around_a_value_choose_its_column(index: ValueIndex) -> None:
    assert found(index, "microbiology staff") == ["analysts.department = 'Microbiology'"]
    assert found(index, "chemistry results per client") == ["determinands.category = 'Chemistry'"]
    assert found(index, "worksheets in progress") == ["worksheets.status = 'In Progress'"]


def test_codes_are_mentions_and_no_hints(index: ValueIndex) -> None:
    [mention] = index.mentions("failure rate per month")
    assert (mention.hint, mention.how) == ("results.pass_fail = 'F'", "code")
    assert index.hints("failure rate per month") == ()
    assert found(index, "less-than results") == ["results.qualifier = '<'"]
    assert found(index, "with a '<' sign") == ["results.qualifier = '<'"]


def test_hints_have_the_form_and_order_that_training_uses(index: ValueIndex) -> None:
    """One line each, in the order of the question, each once; a value that the DDL lists, written as there, is none."""
    question = "Nitrates and lead in tap water, drinking water or raw milk, and nitrate again?"
    assert index.hints(question) == (
        "determinands.determinand_name = 'Nitrate'",
        "determinands.determinand_name = 'Lead'",
        "samples.matrix = 'Drinking Water'",
    )


def test_an_s_behind_an_apostrophe_may_belong_to_a_name(tmp_path: Path) -> None:
    path = tmp_path / "shops.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE shops (shop_name TEXT, kind TEXT);"
            "INSERT INTO shops VALUES ('Wendy''s', 'Bakers'), ('Wendys', 'Baker'), ('Arby’s Diner', 'Café');"
        )
    connection.close()
    database = open_database(f"sqlite:///{path}")
    index = ValueIndex.build(database, database.schema())
    assert index.hints("What did Wendy's sell?") == ("shops.shop_name = 'Wendy''s'",)
    assert index.hints("What did Arby’s Diner sell?") == ("shops.shop_name = 'Arby’s Diner'",)
    assert not any("Bakers" in hint for hint in index.hints("the baker's shelf"))
    database.close()


def test_small_figures_of_a_formula_are_read_as_figures(index: ValueIndex) -> None:
    assert index.hints("results for NO₃ last year") == index.hints("results for NO3 last year") != ()


def test_quotes_in_values_are_doubled(index: ValueIndex) -> None:
    assert index.hints("worksheets of Lars O'Brien") in ((), ("analysts.analyst_name = 'Lars O''Brien'",))


def test_excluded_columns_are_never_read(laboratory: Database) -> None:
    schema = laboratory.schema()
    bare = ValueIndex.build(laboratory, schema, exclude=["client_name", "analysts.*", "methods.technique"])
    assert found(bare, "ICP-MS results of Senior Analyst for Kestrel Foods in Dublin") == ["clients.city = 'Dublin'"]


def test_a_cap_limits_what_is_read(laboratory: Database) -> None:
    whole = ValueIndex.build(laboratory, laboratory.schema())
    capped = ValueIndex.build(laboratory, laboratory.schema(), cap=5)
    assert len(capped) < len(whole) / 3


def test_a_house_can_add_its_own_words(laboratory: Database, tmp_path: Path) -> None:
    own = tmp_path / "house.yaml"
    own.write_text("groups:\n  - [Nitrate, blue cap test]\nphrases: [nitrate meeting]\n")
    index = ValueIndex.build(laboratory, laboratory.schema(), synonyms=own)
    assert found(index, "blue cap test results") == ["determinands.determinand_name = 'Nitrate'"]
    assert found(index, "before the nitrate meeting") == []
    own.with_name("bad.yaml").write_text("groups: {a: 1}\ncodes: 3\n")
    with pytest.raises(SettingsError, match="does not hold synonyms"):
        ValueIndex.build(laboratory, laboratory.schema(), synonyms=own.with_name("bad.yaml"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("groups:\n  - abc\n", "a group is 'abc', no list"),
        ("gruops: []\n", "'gruops' is not one of"),
        ("codes: [{P: Passed}]\n", "the words of P is 'Passed'"),
        ("codes: [{Yes: [passed]}]\n", "wants quotes"),
        ("phrases: lead time\n", "phrases is 'lead time', no list"),
        ("groups: [[Lead, No]]\n", "False in a group is no text"),
        ("- a\n", "it is a list"),
        ("[" * 5000, "nested too deeply"),
        ("groups: [[Blei, Größe]]\n".encode("latin-1"), "is not UTF-8 text"),
    ],
)
def test_a_synonym_file_of_another_form_is_refused_by_name(text: str | bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "house.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError, match=re.escape(words)) as caught:
        synonyms.load(file)
    assert "house.yaml" in str(caught.value)


def test_parts_that_a_synonym_file_leaves_empty_are_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "house.yaml"
    file.write_text("groups:\ncodes: []\n")
    assert synonyms.load(file) == synonyms.load()


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_every_engine_gives_the_same_hints(engine: str, index: ValueIndex, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(f"lab_{engine}")
    database = open_database(url)
    try:
        other = ValueIndex.build(database, database.schema())
    finally:
        database.close()
    question = "Escherichia coli in tap water from Dublin by ICPMS, Pb failures, open worksheets"
    assert found(other, question) == found(index, question)
