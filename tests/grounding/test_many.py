"""Thousands of names in one column: each is found as it is written, and no word of a question becomes one."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from itertools import product
from pathlib import Path

import pytest

from mnemosyne.databases import Database, open_database
from mnemosyne.grounding import Grounder, ValueIndex, store, stored
from mnemosyne.grounding.names import Names
from mnemosyne.grounding.store import open_values
from mnemosyne.grounding.stored import VALUES_PER_COLUMN, stored_values
from mnemosyne.grounding.words import vocabulary
from mnemosyne.guard.policy import Policy, TableRule

SYLLABLES = ["ba", "den", "fro", "gul", "kim", "lor", "mas", "nev", "pol", "quar", "ris", "tov", "vex", "wun", "zel"]
KINDS = ("Foods", "Dairy", "Borough Council", "Water Company", "Farms", "and Sons")
ORDINARY = sorted({word for kind in ("stop", "asking", "measures", "periods", "plain") for word in vocabulary(kind)})


def invented() -> list[str]:
    """5,000 names of invented words, and three for each word that questions are made of."""
    words = ["".join(parts).capitalize() for parts in product(SYLLABLES, SYLLABLES, SYLLABLES[:4])]
    names = [f"{word} {kind}" for kind in KINDS for word in words][:5_000]
    common = [word.capitalize() for word in ORDINARY]
    return [
        *names,
        "St Babaden's Hospital",
        *common,
        *(f"{word} Samples" for word in common),
        *(f"{word} Year" for word in common),
    ]


@pytest.fixture(scope="module")
def large(lab_sqlite: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The laboratory with more than 5,000 clients."""
    path = tmp_path_factory.mktemp("large") / "lab.db"
    shutil.copy(lab_sqlite.removeprefix("sqlite:///"), path)
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO clients (client_name, client_type, country, registered_date, active)"
            " VALUES (?, 'Retailer', 'Ireland', '2025-01-01', 1)",
            [(name,) for name in invented()],
        )
    connection.close()
    database = open_database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture(scope="module")
def many(large: Database) -> ValueIndex:
    return ValueIndex.build(large, large.schema())


@pytest.fixture(scope="module")
def few(lab_sqlite: str) -> ValueIndex:
    database = open_database(lab_sqlite)
    index = ValueIndex.build(database, database.schema())
    database.close()
    return index


def client(name: str) -> tuple[str, ...]:
    return ("clients.client_name = '{}'".format(name.replace("'", "''")),)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Zelzelgul Dairy", "Zelzelgul Dairy"),  # one of the last by name
        ("zelzelgul dairy", "Zelzelgul Dairy"),
        ("'Zelzelgul Dairy'", "Zelzelgul Dairy"),
        ("Zelzelgul Dairy Ltd", "Zelzelgul Dairy"),
        ("Zelzelgull Dairy", "Zelzelgul Dairy"),
        ("zelzegul dairy", "Zelzelgul Dairy"),
        ("zelzelgul water compnay", "Zelzelgul Water Company"),
        ("Babaden and Sons", "Babaden and Sons"),
        ("St Babaden's Hospital", "St Babaden's Hospital"),
        ("Kestrel Foods", "Kestrel Foods"),
        ("'Total'", "Total"),  # a word of any question, quoted
        ("Monthly Samples", "Monthly Samples"),  # the same with capitals
    ],
)
def test_a_name_beyond_the_first_thousands_is_found(many: ValueIndex, words: str, name: str) -> None:
    assert many.hints(f"How many urgent samples did we take for {words} last month?") == client(name)


@pytest.mark.parametrize(
    "question",
    [
        "total samples per year, monthly samples too",
        "Monthly total this year",  # opens a sentence
        "Samples of Zelzelgul in 2026",  # a first word stands for none among thousands
        "Samples of Nevin Zelzelgul Dairy",  # another name
        "Samples of Zelzelgul Dairy Nevin",
        "Samples of Nevin & Zelzelgul Dairy",
        "Samples of zelzelgal farming",
        "zelzelgul dairie",  # `dairies` and `dairy`: two slips in a short word
        "Tolvexba Dairy",  # as near to two names
    ],
)
def test_what_is_only_like_one_of_thousands_is_none(many: ValueIndex, question: str) -> None:
    assert many.hints(question) == ()


def test_single_words_are_names_where_they_are_written_so(tmp_path: Path) -> None:
    url = shop(tmp_path / "shop.db", [*invented()[:2_500], "Nevbrook", "Jan"])
    index = open_values(database := open_database(url), database.schema(), tmp_path)
    database.close()
    assert index.hints("Orders of Nevbrook") == ("buyers.buyer_name = 'Nevbrook'",)
    for question in ("Nevbrook orders", "orders of nevbrook", "Nevbruk's orders", "of Nevbrook Farm", "since Jan 2024"):
        assert index.hints(question) == ()


def test_no_question_of_lab_dev_is_told_more(few: ValueIndex, many: ValueIndex, large: Database) -> None:
    """With a client for every word that questions are made of; nor is one given back for it."""
    text = (files("mnemosyne.data") / "sets" / "lab-dev.jsonl").read_text(encoding="utf-8")
    scope = Grounder(large.schema(), many).scope
    for question in (json.loads(line)["question"] for line in text.splitlines()):
        assert many.hints(question) == few.hints(question)
        assert scope.judge(question) is None


def test_only_columns_of_names_have_more(many: ValueIndex, large: Database) -> None:
    read = {(table.name, column.name): len(values) for table, column, values in stored_values(large, large.schema())}
    assert read["clients", "client_name"] == len(set(invented())) + 40
    assert read["samples", "sample_id"] == VALUES_PER_COLUMN
    assert many.cut == {("samples", "sample_id")}
    near = many.nearest("clients", "client_name", "Zelzelgal Dairy")
    assert near is not None
    assert client("Zelzelgul Dairy")[0] in near


def shop(path: Path, names: list[str]) -> str:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE buyers (id INTEGER PRIMARY KEY, buyer_name TEXT, email TEXT)")
        connection.executemany("INSERT INTO buyers (buyer_name) VALUES (?)", [(name,) for name in names])
    connection.close()
    return f"sqlite:///{path}"


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_every_engine_reads_them(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    script = (
        "CREATE TABLE buyers (id INTEGER PRIMARY KEY, buyer_name VARCHAR(100));"
        "INSERT INTO buyers SELECT n, 'Buyer ' || n FROM generate_series(1, 2500) AS g (n);"
        "INSERT INTO buyers VALUES (0, 'Zelzelgul Dairy');"
    )
    if engine == "duckdb":
        with pytest.importorskip("duckdb").connect(str(tmp_path / "b.duckdb")) as duck:
            duck.execute(script)
        url = f"duckdb:///{tmp_path / 'b.duckdb'}"
    else:
        psycopg = pytest.importorskip("psycopg")
        url = request.getfixturevalue("postgres_server")("many")
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(script)
    database = open_database(url)
    index = ValueIndex.build(database, database.schema())
    database.close()
    assert index.hints("orders of zelzelgull dairy") == ("buyers.buyer_name = 'Zelzelgul Dairy'",)
    assert not index.cut


def test_excluded_and_forbidden_names_are_never_read(large: Database) -> None:
    schema, question = large.schema(), "samples of Zelzelgul Dairy, Zelzelgul Farms, Kestrel Foods"
    assert ValueIndex.build(large, schema, exclude=["client_name"]).hints(question) == ()
    hidden = Policy({"clients": TableRule(hidden=frozenset({"client_name"}))}, others=True)
    assert ValueIndex.build(large, schema, policy=hidden).hints(question) == ()
    rows = Policy({"clients": TableRule(rows="client_name NOT LIKE '%Dairy'")}, others=True)
    permitted = ValueIndex.build(large, schema, policy=rows)
    assert permitted.hints(question) == (*client("Zelzelgul Farms"), *client("Kestrel Foods"))


def test_more_than_there_is_room_for_stay_cut(large: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = large.schema()

    def names(**options: int) -> int:
        read = {c.name: len(values) for _, c, values in stored_values(large, schema, only="clients", **options)}
        return read["client_name"]

    assert names(room=3_000) == VALUES_PER_COLUMN
    monkeypatch.setattr(stored, "NAMES_PER_COLUMN", 3_000)
    assert names() == 3_000
    cut = ValueIndex.build(large, schema)
    assert ("clients", "client_name") in cut.cut
    assert cut.nearest("clients", "client_name", "Zelzelgal Dairy") is None, "it may be stored"


def test_columns_share_what_room_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = shop(tmp_path / "shop.db", invented()[:2_500])
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.executescript("CREATE TABLE sellers AS SELECT id, buyer_name AS seller_name FROM buyers")
    connection.close()
    monkeypatch.setattr(store, "NAMES_IN_ALL", 900)
    database = open_database(url)
    index = open_values(database, database.schema(), tmp_path / "kept")
    database.close()
    assert index.cut == {("sellers", "seller_name")}


def test_a_house_can_add_words_for_them(large: Database, tmp_path: Path) -> None:
    own = tmp_path / "house.yaml"
    own.write_text("groups:\n  - [Zelzelgul Dairy, ZGD, The Blue Barn]\n")
    names = Names(values={("clients", "client_name"): {"Zelzelgul Farms": ("windmill",)}})
    index = ValueIndex.build(large, large.schema(), synonyms=own, names=names)
    assert index.hints("Samples of ZGD") == client("Zelzelgul Dairy")
    assert index.hints("samples of zgd") == ()
    assert index.hints("Samples of The Blue Barn") == client("Zelzelgul Dairy")
    assert index.hints("samples of windmill") == client("Zelzelgul Farms")


def test_what_was_kept_under_the_old_cap_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = shop(tmp_path / "shop.db", [*invented()[:2_500], "Zelzelgul Dairy"])

    def hints() -> tuple[str, ...]:
        database = open_database(url)
        try:
            return open_values(database, database.schema(), tmp_path / "kept").hints("orders of Zelzelgul Dairy")
        finally:
            database.close()

    assert hints() == ("buyers.buyer_name = 'Zelzelgul Dairy'",)
    [file] = (tmp_path / "kept").iterdir()
    content = json.loads(file.read_text())
    values = content["tables"]["buyers"]["columns"]["buyer_name"]
    content["tables"]["buyers"]["columns"]["buyer_name"] = values[:VALUES_PER_COLUMN]
    file.write_text(json.dumps(content | {"format": 3}))
    assert hints() == ("buyers.buyer_name = 'Zelzelgul Dairy'",)
    assert json.loads(file.read_text())["format"] == store.FORMAT
    monkeypatch.setattr(store, "stored_values", lambda *args, **options: pytest.fail("read again"))
    assert hints() == ("buyers.buyer_name = 'Zelzelgul Dairy'",)
