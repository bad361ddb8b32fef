"""The reports of the written sets are those that the command writes, and say what the sets hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from mnemosyne.datasets import Example, fingerprint
from mnemosyne.lims import set_reports, sets
from mnemosyne.schema import Schema

DOCS = Path(__file__).parent.parent.parent / "docs" / "sets"

ORDERS = Schema.from_ddl(
    "CREATE TABLE buyer (id INT PRIMARY KEY, name TEXT, city TEXT);"
    "CREATE TABLE item (id INT PRIMARY KEY, label TEXT, part_of INT REFERENCES item);"
    "CREATE TABLE sale (id INT PRIMARY KEY, buyer_id INT REFERENCES buyer (id), item_id INT REFERENCES item (id),"
    " sold DATE, paid DATE);"
    "CREATE TABLE visit (buyer_id INT REFERENCES buyer (id), seen DATE);"
)


def pair(sql: str, tier: str = "simple", tags: Sequence[str] = ()) -> Example:
    return Example(id="x", question="?", sql=sql, schema="orders", tier=tier, tags=tuple(tags))


def of(*sql: str) -> set_reports.Covered:
    return set_reports.covered("orders", [pair(one) for one in sql], ORDERS)


@pytest.mark.slow
def test_the_page_is_what_the_command_writes(tmp_path: Path) -> None:
    set_reports.main([str(tmp_path)])
    written = (tmp_path / "sets" / "written.md").read_text("utf-8")
    same = written == (DOCS / "written.md").read_text("utf-8")
    assert same, "run: python -m mnemosyne.lims.set_reports docs"
    for example in sets.written():
        assert example.question not in written, "an evaluation question in a report"
    assert _about(tmp_path / "sets" / "lab-written.png") == _about(DOCS / "lab-written.png")


@pytest.mark.parametrize("name", ["lab-train", "lab-written"])
def test_the_plots_are_of_the_sets_as_they_are(name: str) -> None:
    assert _about(DOCS / f"{name}.png") == f"{name} {fingerprint(set_reports.shipped(name))}"


def _about(plot: Path) -> str:
    """What the file says that it shows."""
    with Image.open(plot) as image:
        return str(image.info["Description"])


def test_functions_are_read_from_the_query_and_other_tags_stay() -> None:
    example = pair(
        "SELECT ROUND(AVG(id), 1), BOOL_AND(name LIKE 'A%') FROM buyer WHERE city IN ('A') EXCEPT SELECT 1, TRUE",
        tags=("voice:bench", "function:OF OTHERS"),
    )
    tags = [f"function:{name}" for name in ("AVG", "BOOL_AND", "EXCEPT", "IN", "LIKE", "ROUND")]
    assert set_reports.with_functions(example).tags == ("voice:bench", *tags)


def test_what_no_query_touches_is_named() -> None:
    page = set_reports.written_page([of("SELECT b.name FROM buyer b JOIN sale s ON s.buyer_id = b.id")], [])
    assert "| orders | 1 | 1 / 0 / 0 | 2 of 4 | 3 of 13 | 1 of 4 | 0 | 0 |" in page
    assert "Tables that no query reads: item, visit." in page
    keys = "buyer.id = visit.buyer_id, item.id = item.part_of, item.id = sale.item_id"
    assert f"Foreign keys that no query joins along: {keys}." in page
    assert "Columns that no query reads: buyer.city, item.id," in page
    assert "(0)" not in page


def test_a_join_path_is_between_tables_of_the_schema() -> None:
    found = of(
        "SELECT i.label FROM item i JOIN item p ON i.part_of = p.id",
        "SELECT s.id FROM sale s JOIN visit v ON v.buyer_id = s.buyer_id WHERE s.sold = s.paid",
        "WITH t AS (SELECT buyer_id, COUNT(*) AS n FROM sale GROUP BY buyer_id) "
        "SELECT b.name FROM buyer b JOIN t ON t.buyer_id = b.id",
    )
    assert set(found.coverage.joins) == {"item.id = item.part_of", "sale.buyer_id = visit.buyer_id"}
    assert found.inner == 1
    assert set(found.keys) & set(found.coverage.joins) == {"item.id = item.part_of"}


def test_databases_are_told_apart_and_summed() -> None:
    ddl = "CREATE TABLE room (id INT PRIMARY KEY, floor INT)"
    examples = [
        Example(f"set-{name}-0001", "?", sql, ddl, tier=tier, source="set")
        for name, sql, tier in (
            ("inn", "SELECT COUNT(*) FROM room", "simple"),
            ("old-inn", "SELECT MAX(floor) FROM room", "complex"),
        )
    ]
    parts = set_reports.by_database(examples)
    assert [part.name for part in parts] == ["inn", "old-inn"]
    every = set_reports.together("set", parts).coverage
    assert every.size == {"simple": 1, "complex": 1}
    assert set(every.tables) == {"inn: room", "old-inn: room"}
    assert every.missing == ["inn: room.id", "inn: room.floor", "old-inn: room.id"]
    assert {"function:COUNT", "function:MAX"} <= set(every.tags)
