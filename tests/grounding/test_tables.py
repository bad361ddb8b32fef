"""Schema linking: what a question needs of a large schema, within a budget; a small schema stays as it is."""

from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from mnemosyne.grounding import Grounder
from mnemosyne.grounding.tables import SchemaIndex, estimate_tokens
from mnemosyne.schema import Column, Schema, Table

LAB = Schema.from_ddl((files("mnemosyne.data") / "lims" / "schema.sql").read_text(encoding="utf-8"))


def catalogue(copies: int = 40) -> Schema:
    """The laboratory among many tables that have nothing to do with it."""
    words = ["invoice", "truck", "salary", "webpage", "flight", "orchard", "museum", "theatre", "bakery", "cinema"]
    others = tuple(
        Table(
            f"{words[i % 10]}_{i}",
            (
                Column(f"{words[i % 10]}_id", "INTEGER"),
                Column("created", "DATE"),
                *(Column(f"x{n}", "TEXT") for n in range(8)),
            ),
            (f"{words[i % 10]}_id",),
        )
        for i in range(copies)
    )
    return replace(LAB, tables=(*others[: copies // 2], *LAB.tables, *others[copies // 2 :]))


def names(schema: Schema) -> set[str]:
    return {table.name for table in schema.tables}


def test_a_small_schema_goes_in_whole_and_unchanged() -> None:
    grounded = Grounder(LAB).ground("How many failed results per client?")
    assert grounded.ddl == LAB.to_ddl()
    assert grounded.tables == ()


@pytest.mark.parametrize(
    ("question", "needed"),
    [
        ("How many samples did each client send?", {"samples", "clients"}),
        ("Which analysts approved results for each determinand?", {"analysts", "results", "determinands"}),
        ("Number of samples on worksheets per method", {"worksheets", "worksheet_samples", "samples", "methods"}),
        ("How many clients tested each determinand?", {"clients", "samples", "results", "determinands"}),
    ],
)
def test_the_tables_of_a_question_and_the_paths_between_them_are_kept(question: str, needed: set[str]) -> None:
    linked = SchemaIndex(catalogue()).link(question, 1_000)
    assert needed <= names(linked.schema)
    assert not linked.whole
    assert estimate_tokens(linked.schema.to_ddl()) == linked.tokens <= 1_000


def test_keys_are_kept_where_columns_are_not() -> None:
    wide = replace(
        LAB,
        tables=tuple(
            replace(t, columns=(*t.columns, *(Column(f"extra{n}", "TEXT") for n in range(60)))) for t in LAB.tables
        ),
    )
    linked = SchemaIndex(wide).link("How many samples did each client send in by city?", 600)
    for table in linked.schema.tables:
        original = wide.table(table.name)
        assert original is not None
        kept = {column.name for column in table.columns}
        assert set(original.primary_key) <= kept
        assert {name for key in original.foreign_keys for name in key.columns} <= kept
    assert {"clients", "samples"} <= names(linked.schema)
    clients = linked.schema.table("clients")
    assert clients is not None
    assert clients.column("city") is not None


def test_no_key_points_at_a_table_that_was_left_out() -> None:
    linked = SchemaIndex(catalogue()).link("List all clients", 300)
    for table in linked.schema.tables:
        assert {key.table for key in table.foreign_keys} <= names(linked.schema)
    assert Schema.from_ddl(linked.schema.to_ddl()).to_ddl() == linked.schema.to_ddl()


def test_a_table_wider_than_the_budget_gives_its_best_columns() -> None:
    fillers = [Column(f"filler_{n}", "TEXT") for n in range(300)]
    wide = Schema((Table("samples", (Column("id", "INT"), *fillers, Column("ph_value", "FLOAT")), ("id",)),))
    linked = SchemaIndex(wide).link("average ph value of the samples", 200)
    [table] = linked.schema.tables
    assert {"id", "ph_value"} <= {column.name for column in table.columns}
    assert linked.tokens <= 200


def test_a_stored_value_brings_its_table() -> None:
    schema = catalogue()
    without = SchemaIndex(schema).link("How many for Highfield?", 200)
    linked = SchemaIndex(schema).link("How many for Highfield?", 200, values={("clients", "client_name"): 1.0})
    assert "clients" not in names(without.schema)
    assert "clients" in names(linked.schema)


def test_a_real_laboratory_schema_of_32_tables_is_linked(shared_data: Callable[[str], Path]) -> None:
    schema = Schema.from_ddl((shared_data("lims") / "nimblelims" / "schema_dump.sql").read_text())
    linked = SchemaIndex(schema).link("Which tests failed for each sample, with the analyst's user name?", 800)
    assert {"samples", "tests"} <= names(linked.schema)
    assert linked.tokens <= 800
