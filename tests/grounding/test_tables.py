"""Schema linking: what a question needs of a large schema, within a budget; a small schema stays as it is."""

from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from mnemosyne.grounding import Grounder
from mnemosyne.grounding.tables import SchemaIndex, estimate_tokens
from mnemosyne.schema import Column, ForeignKey, Schema, Table

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


def test_irregular_plurals_and_other_alphabets_are_words() -> None:
    schema = Schema.from_ddl(
        "CREATE TABLE analyses (analysis_id INTEGER PRIMARY KEY, turnaround INTEGER);"
        "CREATE TABLE orders (order_id INTEGER, analysis_id INTEGER);"
        "CREATE TABLE bills (bill_id INTEGER, analysis_id INTEGER);"
        'CREATE TABLE "Échantillons" (id INTEGER, reçu DATE);'
    )
    index = SchemaIndex(schema)
    assert index.rank("Which analysis has the longest time?")[0] == 0
    assert schema.tables[index.rank("How many échantillons are there?")[0]].name == "Échantillons"
    assert Grounder(schema).ground("How many échantillons are there?", abstain=True).abstention is None


def test_a_real_laboratory_schema_of_32_tables_is_linked(shared_data: Callable[[str], Path]) -> None:
    schema = Schema.from_ddl((shared_data("lims") / "nimblelims" / "schema_dump.sql").read_text())
    linked = SchemaIndex(schema).link("Which tests failed for each sample, with the analyst's user name?", 800)
    assert {"samples", "tests"} <= names(linked.schema)
    assert linked.tokens <= 800


def table(name: str, columns: str, *keys: ForeignKey, primary: str = "") -> Table:
    return Table(name, tuple(Column(word, "TEXT") for word in columns.split()), (primary,) if primary else (), keys)


PARCELS = Schema(
    (
        table("parcel", "parcel_id barcode weight depot sender colour", primary="parcel_id"),
        table(
            "scan", "scan_id barcode_ref lane", ForeignKey(("barcode_ref",), "parcel", ("barcode",)), primary="scan_id"
        ),
        *(table(f"filler_{n}", "filler_id one two three") for n in range(30)),
    )
)


def test_what_other_tables_refer_to_is_kept_beside_a_tables_own_keys() -> None:
    index = SchemaIndex(PARCELS)
    seen = set()
    for budget in range(20, 200, 5):
        part = index.link("scans per lane of each parcel", budget).schema
        for holder in part.tables:
            for key in holder.foreign_keys:
                target = part.table(key.table)
                assert target is not None
                assert set(key.references) <= {column.name for column in target.columns}, (budget, part.to_ddl())
                seen.add(len(target.columns))
    assert min(seen) < 6, "no budget made the table that is referred to any narrower"


def test_a_table_too_wide_by_itself_keeps_what_other_tables_refer_to() -> None:
    fillers = " ".join(f"filler_{n}" for n in range(300))
    wide = table("parcel", f"{fillers} parcel_id barcode", primary="parcel_id")
    linked = SchemaIndex(replace(PARCELS, tables=(wide, *PARCELS.tables[1:]))).link("weigh every parcel", 200)
    parcel = linked.schema.table("parcel")
    assert parcel is not None
    assert {"parcel_id", "barcode"} <= {column.name for column in parcel.columns}
    assert len(parcel.columns) < 200


def chain(*words: str, others: int = 30) -> Schema:
    """Tables in a row, each with a key to the one before, among many that no key joins."""
    row = [
        table(
            word,
            f"{word}_id {word}_x {word}_y {words[n - 1] + '_id' if n else ''}",
            *([ForeignKey((f"{words[n - 1]}_id",), words[n - 1], (f"{words[n - 1]}_id",))] if n else []),
            primary=f"{word}_id",
        )
        for n, word in enumerate(words)
    ]
    return Schema((*row, *(table(f"filler_{n}", "filler_id one two three") for n in range(others))))


GREEK = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")


@pytest.mark.parametrize("last", GREEK[1:])
def test_a_path_between_two_tables_is_kept_however_long_it_is(last: str) -> None:
    """Notes of the first table say more of the question than what lies between, and must not crowd it out."""
    key = ForeignKey(("alpha_id",), "alpha", ("alpha_id",))
    notes = (table(f"note_{n}", f"note_id alpha_id {last}_text", key, primary="note_id") for n in range(20))
    schema = chain(*GREEK)
    linked = SchemaIndex(replace(schema, tables=(*schema.tables, *notes))).link(f"count {last} per alpha", 350)
    assert set(GREEK[: GREEK.index(last) + 1]) <= names(linked.schema)
    assert linked.tokens <= 350


def test_a_named_table_stands_alone_where_its_path_does_not_fit() -> None:
    linked = SchemaIndex(chain(*GREEK)).link("count theta per alpha", 100)
    assert {"alpha", "theta"} <= names(linked.schema)
    assert linked.tokens <= 100


def joined(schema: Schema) -> set[frozenset[str]]:
    """The groups of tables that foreign keys join."""
    groups = {t.name: {t.name} for t in schema.tables}
    for holder in schema.tables:
        for key in holder.foreign_keys:
            whole = groups[holder.name] | groups[key.table]
            groups |= dict.fromkeys(whole, whole)
    return {frozenset(group) for group in groups.values()}


def test_what_is_dropped_at_last_was_taken_last_so_paths_stay_whole() -> None:
    """Names with capitals are written in quotes and take more than was counted, so tables are dropped again."""
    circle = []
    for n in range(12):
        before, after = f"Ring{(n - 1) % 12}", f"Ring{(n + 1) % 12}"
        keys = [ForeignKey((f"{other}Id",), other, (f"{other}Id",)) for other in (before, after)]
        colour = "colour" if n in (0, 5, 9) else ""
        circle.append(table(f"Ring{n}", f"Ring{n}Id {before}Id {after}Id {colour}", *keys, primary=f"Ring{n}Id"))
    index = SchemaIndex(Schema((*circle, *chain().tables), case_sensitive=True))
    for budget in range(100, 600, 10):
        linked = index.link("colour of the rings", budget)
        rings = {name for name in names(linked.schema) if name.startswith("Ring")}
        assert any(rings <= group for group in joined(linked.schema)), (budget, rings)
        assert linked.tokens <= budget


def test_without_grounding_tables_are_chosen_all_the_same_and_no_help_denies_it() -> None:
    from mnemosyne.assistant import Assistant, Options
    from mnemosyne.cli import ask, predict
    from mnemosyne.engines.scripted import ScriptedEngine

    engine = ScriptedEngine(["SELECT client_name FROM clients"])
    options = Options(grounding=False, whole_tokens=1_000, linked_tokens=600)
    with Assistant(engine, catalogue(), None, "postgres", options) as assistant:
        answer = assistant.ask("List all client names of London")
    assert answer.hints == ()
    assert "clients" in answer.tables
    assert len(answer.tables) < len(catalogue().tables)
    for command in (ask.command, predict.command):
        [option] = [one for one in command.params if one.name == "no_grounding"]
        assert "tables" not in str(option.to_info_dict()["help"])


def test_tables_far_behind_the_most_wanted_are_left_out_however_much_room_there_is() -> None:
    index = SchemaIndex(catalogue())
    question = "How many samples did each client send?"
    near, every = (index.link(question, 1_200, within=within) for within in (3.0, float("inf")))
    assert {"samples", "clients"} <= names(near.schema) <= names(LAB)
    assert names(near.schema) < names(every.schema)
    assert not names(every.schema) <= names(LAB)
    assert index.rank(question, within=3.0) == index.rank(question)[: len(index.rank(question, within=3.0))]


def test_tables_beside_one_large_group_do_not_win_where_nothing_speaks_for_them() -> None:
    """A large group is held back because it answers words by chance; that must not lift what answers none."""
    hub = table("sample", "sample_id taken", primary="sample_id")
    spokes = [
        table(f"part_{n}", f"part_{n}_id sample_id", ForeignKey(("sample_id",), "sample", ("sample_id",)))
        for n in range(60)
    ]
    orphans = [table(name, "at line") for name in ("schema_migrations", "audit_log", "alembic")]
    index = SchemaIndex(Schema((*orphans, hub, *spokes)))
    for question in ("How many samples?", "Samples without any known thing"):
        linked = index.link(question, 300, within=3.0)
        assert "sample" in names(linked.schema)
        assert not names(linked.schema) & {"schema_migrations", "audit_log", "alembic"}


def test_without_keys_a_stored_value_does_not_hide_a_table_that_is_named() -> None:
    bare = replace(catalogue(), tables=tuple(replace(t, foreign_keys=()) for t in catalogue().tables))
    values = {("clients", "client_name"): 1.0}
    assert names(
        SchemaIndex(bare).link("How many samples did Highfield send?", 600, values=values, within=3.0).schema
    ) >= {
        "clients",
        "samples",
    }


@pytest.mark.parametrize(("prefixed", "name"), [(True, "lims_parcel"), (False, "parcel_log")])
def test_a_prefix_of_most_names_in_a_group_is_no_part_of_them_and_an_ending_is(prefixed: bool, name: str) -> None:
    called = ("shed", "parcel", "farm") if prefixed else ("shed_log", "parcel_log", "parcel")
    shed, *others = (f"lims_{word}" if prefixed else word for word in called)
    keys = ForeignKey((f"{shed}_key",), shed, (f"{shed}_key",))
    group = [table(shed, f"{shed}_key"), *(table(other, f"{shed}_key", keys) for other in others)]
    index = SchemaIndex(Schema((*group, *(table(f"filler_{n}", "one two three") for n in range(30)))))
    position = next(i for i, one in enumerate(index.schema.tables) if one.name == name)
    assert index._is_named(position, {"parcel"}) is prefixed


def test_a_model_sees_little_first_and_more_of_a_large_schema_in_its_last_repair() -> None:
    grounder = Grounder(catalogue(), whole_tokens=1_000)
    for question in ("How many samples did each client send?", "Orchards created in May", "Which museum?", "List it"):
        grounded = grounder.ground(question)
        assert estimate_tokens(grounded.ddl) <= 600 < estimate_tokens(grounded.wider) <= 1_200
        first, wide = Schema.from_ddl(grounded.ddl), Schema.from_ddl(grounded.wider)
        assert set(grounded.tables) == names(first) < names(wide) == set(grounded.wider_tables)
        for shown in first.tables:
            assert {c.name for c in shown.columns} <= {c.name for c in wide.table(shown.name).columns}
    assert Grounder(LAB).ground("How many samples?").wider == ""
