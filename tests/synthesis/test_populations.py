"""Rows that pairs are verified on: none loses its parent, is invented in silence, or shows a disguised value."""

from __future__ import annotations

import math
import sqlite3
from datetime import date
from pathlib import Path

import pytest

from mnemosyne.databases import Database, Limits, open_database
from mnemosyne.errors import SettingsError
from mnemosyne.guard.query import SafeQuery
from mnemosyne.results import Failure, Result
from mnemosyne.schema import Schema
from mnemosyne.synthesis import copies, copying
from mnemosyne.synthesis.copying import Copy, Fate, read_copy
from mnemosyne.synthesis.disguise import check_names, disguise, disguised, lookalikes
from mnemosyne.synthesis.order import Order
from mnemosyne.synthesis.pools import Privacy
from mnemosyne.synthesis.populations import invented, make
from mnemosyne.synthesis.references import Rows, key_of, references
from mnemosyne.synthesis.thinning import thin

TODAY = date(2026, 6, 15)

SHOP = """
CREATE TABLE clients (client_id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE shops (land TEXT NOT NULL, number INTEGER NOT NULL, town TEXT, PRIMARY KEY (land, number));
CREATE TABLE orders (order_id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients (client_id),
  land TEXT, shop INTEGER, FOREIGN KEY (land, shop) REFERENCES shops (land, number));
CREATE TABLE lines (line_id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (order_id), item TEXT);
CREATE TABLE parts (part_id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parts (part_id), name TEXT);
CREATE TABLE teams (team_id INTEGER PRIMARY KEY, captain_id INTEGER REFERENCES players (player_id));
CREATE TABLE players (player_id INTEGER PRIMARY KEY, team_id INTEGER NOT NULL REFERENCES teams (team_id));
"""


def shop(path: Path) -> str:
    """400 rows a table; the newest rows refer to the oldest ones, so that no two cuts meet by themselves."""
    connection = sqlite3.connect(path)
    connection.executescript(SHOP)
    many = range(1, 401)
    rows: dict[str, list[tuple[object, ...]]] = {
        "clients": [(n, f"Client {n}") for n in many],
        "shops": [("AB"[n % 2], n, f"Town {n}") for n in many],
        "orders": [(n, 401 - n, "AB"[(401 - n) % 2], 401 - n if n % 5 else None) for n in many],
        "lines": [(n, 401 - n, f"Item {n % 7}") for n in many],
        "parts": [(n, n % 20 + 1 if n > 20 else None, f"Part {n}") for n in many],
        "teams": [(n, 401 - n) for n in many],
        "players": [(n, (n * 7) % 400 + 1) for n in many],
    }
    for table, found in rows.items():
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(found[0]))})", found)
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def shop_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return shop(tmp_path_factory.mktemp("shop") / "shop.db")


def copied(url: str, most: int = 40, privacy: Privacy = Privacy()) -> tuple[Copy, Schema]:
    database = open_database(url)
    try:
        schema = database.schema()
        return read_copy(database, schema, privacy, most), schema
    finally:
        database.close()


def orphans(rows: Rows, schema: Schema) -> list[str]:
    """Rows whose parent is not there."""
    found: list[str] = []
    for key in references(schema):
        there = {key_of(row, key.targets) for row in rows.get(key.parent, [])}
        found += [
            f"{key.child} {row} lacks {key.parent} {name}"
            for row in rows.get(key.child, [])
            if (name := key_of(row, key.places)) is not None and name not in there
        ]
    return found


def test_a_cut_copy_holds_every_row_that_its_rows_refer_to(shop_url: str) -> None:
    copy, schema = copied(shop_url)
    assert orphans(copy.rows, schema) == []
    assert len(copy.rows["lines"]) == 40
    assert {fate.kind for fate in copy.fates} == {"cut"}
    # One table deep is not enough: lines lead to orders, these to clients and shops.
    assert all(40 <= len(copy.rows[name]) < 200 for name in ("orders", "clients", "shops", "parts"))
    for name, rows in copy.rows.items():
        assert len({tuple(row) for row in rows}) == len(rows), name


def test_orphans_of_the_database_itself_stay(tmp_path: Path) -> None:
    url = shop(tmp_path / "shop.db")
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("INSERT INTO lines VALUES (999, 7777, 'Lost')")
    connection.close()
    copy, schema = copied(url)
    assert orphans(copy.rows, schema) == ["lines [999, 7777, 'Lost'] lacks orders ('7777',)"]
    thinned = [thin(copy.rows, copy.references, 0.55, seed) for seed in range(20)]
    assert {line for rows in thinned for line in orphans(rows, schema)} == set(orphans(copy.rows, schema))


def test_thinning_leaves_no_row_without_its_parent_and_about_the_share_asked_for(shop_url: str) -> None:
    copy, schema = copied(shop_url, most=3_000)
    assert {fate.kind for fate in copy.fates} == {"whole"}
    for keep in (0.75, 0.55):
        for seed in range(5):
            rows = thin(copy.rows, copy.references, keep, seed)
            assert orphans(rows, schema) == []
            assert abs(len(rows["lines"]) - 400 * keep) < 50
            assert 400 * keep - 40 < len(rows["clients"]) < 400
            assert 0 < len(rows["parts"]) < 400
    assert thin(copy.rows, copy.references, 0.55, 1) == thin(copy.rows, copy.references, 0.55, 1)
    assert thin(copy.rows, copy.references, 0.55, 1) != thin(copy.rows, copy.references, 0.55, 2)
    assert thin(copy.rows, copy.references, 1.0, 1) == copy.rows


def test_thinning_empties_no_table() -> None:
    schema = Schema.from_ddl(
        "CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b (id INT PRIMARY KEY, a_id INT NOT NULL REFERENCES a (id))"
    )
    rows: Rows = {"a": [[1]], "b": [[1, 1]]}
    for seed in range(20):
        assert thin(rows, references(schema), 0.01, seed) == rows


def test_a_chain_of_rows_without_end_is_cut_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "ROUNDS", 5)
    connection = sqlite3.connect(tmp_path / "chain.db")
    connection.execute("CREATE TABLE steps (id INTEGER PRIMARY KEY, previous INTEGER REFERENCES steps (id))")
    connection.executemany("INSERT INTO steps VALUES (?, ?)", [(n, n - 1 or None) for n in range(1, 301)])
    connection.commit()
    connection.close()
    copy, schema = copied(f"sqlite:///{tmp_path / 'chain.db'}", most=20)
    assert orphans(copy.rows, schema) == []
    assert len(copy.rows["steps"]) == 25
    assert copy.fates == [Fate("steps", "cut", 25, loose=1)]


def test_a_table_that_cannot_be_read_is_told_and_its_invented_rows_are_those_referred_to(
    shop_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "open_database", lambda url: Deaf(open_database(url), "clients"))
    schema = open_database(shop_url).schema()
    found = copies.copies(Order(shop_url, tmp_path, today=TODAY), schema)
    assert next(f for f in found.fates if f.table == "clients") == Fate("clients", "unread", 0, "stopped after 30 s.")
    assert "Could not be read, so invented: clients (stopped after 30 s)." in found.remarks()
    assert "| clients | 0 | invented: not read |" in found.page()
    import duckdb

    with duckdb.connect(str(found.files[0]), read_only=True) as copy:
        met = copy.execute("SELECT COUNT(*), COUNT(c.client_id) FROM orders LEFT JOIN clients c USING (client_id)")
        assert met.fetchone() == (400, 400)


class Deaf:
    """A database of which one table takes too long."""

    def __init__(self, database: Database, table: str) -> None:
        self.database, self.table = database, table
        self.url, self.dialect, self.close, self.schema = (
            database.url,
            database.dialect,
            database.close,
            database.schema,
        )

    def run(self, query: SafeQuery, limits: Limits = Limits()) -> Result | Failure:
        if self.table in query.tables:
            return Failure("timeout", "stopped after 30 s.")
        return self.database.run(query, limits)


def test_tables_that_were_cut_or_are_empty_are_told(tmp_path: Path) -> None:
    url = shop(tmp_path / "shop.db")
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("DELETE FROM lines")
        connection.executemany("INSERT INTO clients VALUES (?, ?)", [(n, "x") for n in range(401, 3_500)])
    connection.close()
    found = copies.copies(Order(url, tmp_path, today=TODAY), open_database(url).schema())
    # The newest 3,000 and the 400 that orders refer to would be too many: what is needed comes first.
    assert found.remarks() == [
        "Cut to so many rows, with those that they refer to: clients (3,000).",
        "Without rows, so invented: lines.",
    ]


def test_look_alikes_have_the_shape_and_are_stored_nowhere() -> None:
    values = ["Otter", "otter", "Heron", "P", "F", "A-17", "+", "0700 12", *map(str, range(10))]
    made = lookalikes(values, stored=["b", "d"])
    assert set(made) == set(values)
    assert len({other.lower() for other in made.values()}) == len(values)
    assert not {other.lower() for other in made.values()} & ({value.lower() for value in values} | {"b", "d"})
    assert made["Otter"].istitle()
    assert len(made["Otter"]) == 5
    assert made["A-17"][1] == "-"
    assert all(made[str(n)].isdigit() for n in range(10))
    assert lookalikes(reversed(values), stored=["d", "b"]) == made


def test_rows_meet_by_disguised_keys_as_before(shop_url: str) -> None:
    copy, schema = copied(shop_url)
    columns = disguised(Privacy(disguise=frozenset({"shops.land", "client_id"})), schema)
    assert columns == {("shops", "land"), ("orders", "land"), ("clients", "client_id"), ("orders", "client_id")}
    rows = disguise(copy.rows, schema, columns)
    assert orphans(rows, schema) == []
    assert not {row[0] for row in rows["shops"]} & {"A", "B"}
    assert len({row[0] for row in rows["shops"]}) == 2
    assert [row[1] for row in rows["clients"]] == [row[1] for row in copy.rows["clients"]]


def test_every_value_is_disguised_not_only_the_frequent_ones(tmp_path: Path) -> None:
    url = shop(tmp_path / "shop.db")
    found = copies.copies(
        Order(url, tmp_path, today=TODAY, privacy=Privacy(disguise=frozenset({"*"}))), open_database(url).schema()
    )
    import duckdb

    for file in found.files:
        with duckdb.connect(str(file), read_only=True) as copy:
            names = copy.execute("SELECT name FROM clients UNION ALL SELECT name FROM parts").fetchall()
            assert len(names) > 400
            assert not [name for (name,) in names if name.startswith(("Client", "Part"))]
    assert b"Client 77" not in b"".join(file.read_bytes() for file in found.files)


@pytest.mark.parametrize(
    ("privacy", "message", "hint"),
    [
        (
            Privacy(exclude=frozenset({"clients.nam"})),
            "--exclude: the schema has no column 'clients.nam'",
            "'clients.name'",
        ),
        (Privacy(disguise=frozenset({"twon"})), "--disguise: the schema has no column 'twon'", "'town'"),
        (Privacy(exclude=frozenset({"client.name"})), "no column 'client.name'", "'clients.name'"),
        (Privacy(exclude=frozenset({"clients"})), "'clients' is a table", "clients.client_id, clients.name"),
    ],
)
def test_a_name_that_privacy_does_not_find_is_an_error(
    shop_url: str, privacy: Privacy, message: str, hint: str
) -> None:
    _, schema = copied(shop_url, most=1)
    with pytest.raises(SettingsError, match=message) as caught:
        check_names(privacy, schema)
    assert hint in caught.value.hint


def test_a_date_has_no_look_alike() -> None:
    schema = Schema.from_ddl("CREATE TABLE people (id INT PRIMARY KEY, born DATE, name TEXT)")
    check_names(Privacy(disguise=frozenset({"*", "NAME"}), exclude=frozenset({"People.Born"})), schema)
    with pytest.raises(SettingsError, match=r"people\.born is a DATE") as caught:
        check_names(Privacy(disguise=frozenset({"born"})), schema)
    assert "--exclude people.born" in caught.value.hint


def test_an_excluded_key_ties_nothing(shop_url: str) -> None:
    copy, schema = copied(shop_url, privacy=Privacy(exclude=frozenset({"client_id"})))
    assert len(copy.rows["clients"]) == len(copy.rows["lines"]) == 40
    assert {row[0] for row in copy.rows["clients"]} == {None}
    assert [line for line in orphans(copy.rows, schema) if "clients" not in line] == []


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_other_engines_are_closed_over_their_keys_too(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"lab_{engine}")
    database = open_database(url)
    schema = database.schema()
    copy = read_copy(database, schema, most=60)
    database.close()
    assert orphans(copy.rows, schema) == []
    assert {"cut"} <= {fate.kind for fate in copy.fates} <= {"cut", "whole"}
    written = make(copy, schema, tmp_path / "one.duckdb", keep=0.55, seed=1, today=TODAY)
    assert orphans(written, schema) == []


def test_invented_rows_follow_the_seed() -> None:
    schema = Schema.from_ddl("CREATE TABLE farms (farm_id INT PRIMARY KEY, name TEXT)")
    one, other = (invented(schema, seed=seed, today=TODAY) for seed in (1, 2))
    assert one != other


def test_cells_are_copied_to_their_last_digit_and_what_no_type_holds_is_null(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "runs.db")
    connection.execute("CREATE TABLE runs (id BIGINT PRIMARY KEY, value REAL, started TIME)")
    rows = [
        (9007199254740993, 1.5, "08:30"), (9007199254740992, math.inf, "noon"), (2**63 - 1, -math.inf, "25:00"),
        (-(2**63), 2.5, "08:30:15.5"), (5.0, None, None),
    ]  # fmt: skip
    connection.executemany("INSERT INTO runs VALUES (?, ?, ?)", rows)
    connection.commit()
    connection.close()
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    found = copies.copies(Order(url, tmp_path, today=TODAY), open_database(url).schema())
    import duckdb

    with duckdb.connect(str(found.files[0]), read_only=True) as copy:
        stored = copy.execute("SELECT id, value, started::VARCHAR FROM runs ORDER BY id").fetchall()
    assert stored == [
        (-(2**63), 2.5, "08:30:15.5"), (5, None, None), (9007199254740992, None, None),
        (9007199254740993, 1.5, "08:30:00"), (2**63 - 1, None, None),
    ]  # fmt: skip


def test_a_number_beyond_64_bits_is_null(tmp_path: Path) -> None:
    schema = Schema.from_ddl("CREATE TABLE runs (id BIGINT)")
    rows = {"runs": [[2**63], [10**30], ["1e30"], [7]]}
    make(Copy(rows, []), schema, tmp_path / "one.duckdb", keep=1.0, seed=0, today=TODAY)
    import duckdb

    with duckdb.connect(str(tmp_path / "one.duckdb"), read_only=True) as copy:
        assert copy.execute("SELECT id FROM runs").fetchall() == [(None,), (None,), (None,), (7,)]
