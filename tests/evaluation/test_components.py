"""Exact set match and hardness: against queries made from known parts, and against the official script's rules."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemosyne.evaluation.components import exact_match, hardness, read
from mnemosyne.schema import Schema

DDL = """
CREATE TABLE a (x INTEGER PRIMARY KEY, y TEXT, z REAL);
CREATE TABLE b (w INTEGER PRIMARY KEY, x INTEGER REFERENCES a(x), v TEXT);
"""
SCHEMA = Schema.from_ddl(DDL)


def match(gold: str, answer: str) -> bool:
    return exact_match(read(gold, SCHEMA), read(answer, SCHEMA))


# An independent implementation: queries are drawn as parts, written as text, and their parts compared as sets --------


@dataclass(frozen=True)
class Parts:
    """A query before it is text; columns are `table.column`."""

    select: tuple[tuple[str, str], ...]
    joined: bool
    where: tuple[tuple[str, str], ...]
    link: str
    group: tuple[str, ...]
    having: tuple[str, ...]
    order: tuple[tuple[str, str], ...]
    limit: int | None


COLUMNS = ("a.x", "a.y", "a.z", "b.w", "b.x", "b.v")


@st.composite
def queries(draw: st.DrawFn) -> Parts:
    joined = draw(st.booleans())
    column = st.sampled_from(COLUMNS if joined else COLUMNS[:3])
    item = st.tuples(st.sampled_from(["", "", "COUNT", "SUM", "MAX"]), column)
    where = draw(st.lists(st.tuples(column, st.sampled_from(["=", ">", "<>", "LIKE"])), max_size=2, unique=True))
    group = draw(st.lists(column, max_size=2, unique=True))
    having = draw(st.lists(st.sampled_from([">", "<"]), max_size=1)) if group else []
    order = draw(st.lists(st.tuples(column, st.sampled_from(["ASC", "DESC"])), max_size=1))
    return Parts(
        tuple(draw(st.lists(item, min_size=1, max_size=3, unique=True))),
        joined,
        tuple(where),
        draw(st.sampled_from(["AND", "OR"])) if len(where) > 1 else "",
        tuple(group),
        tuple(having),
        tuple(order),
        draw(st.sampled_from([None, 3])),
    )


def text(parts: Parts, draw: st.DataObject) -> str:
    """The query in one of its many writings: aliases, values, the order of lists, the order of a join's sides."""
    aliases = draw.draw(st.booleans())
    names = {"a": "t1", "b": "t2"} if aliases else {"a": "a", "b": "b"}

    def column(full: str) -> str:
        table, _, name = full.partition(".")
        return f"{names[table]}.{name}" if parts.joined or draw.draw(st.booleans()) else name

    def shuffled(items: tuple) -> list:  # type: ignore[type-arg]
        return draw.draw(st.permutations(list(items)))

    value = draw.draw(st.sampled_from(["1", "'q'"]))
    select = [f"{f}({column(c)})" if f else column(c) for f, c in shuffled(parts.select)]
    sources = [f"a AS {names['a']}" if aliases else "a"]
    sql = f"SELECT {', '.join(select)} FROM "
    if parts.joined:
        sources.append(f"b AS {names['b']}" if aliases else "b")
        sources = shuffled(tuple(sources))
        sql += f"{sources[0]} JOIN {sources[1]} ON {column('a.x')} = {column('b.x')}"
    else:
        sql += sources[0]
    if parts.where:
        conditions = [f"{column(c)} {op} {value}" for c, op in shuffled(parts.where)]
        sql += " WHERE " + f" {parts.link} ".join(conditions)
    if parts.group:
        sql += " GROUP BY " + ", ".join(map(column, shuffled(parts.group)))
    if parts.having:
        sql += f" HAVING COUNT(*) {parts.having[0]} {value if value == '1' else 2}"
    if parts.order:
        sql += " ORDER BY " + ", ".join(f"{column(c)} {d}" for c, d in parts.order)
    return sql + (f" LIMIT {parts.limit}" if parts.limit else "")


def one_name(column: str) -> str:
    """Columns joined by the foreign key are one."""
    return "x" if column in ("a.x", "b.x") else column


def equal_parts(one: Parts, other: Parts) -> bool:
    """What Spider calls an exact match, on the parts themselves."""

    def key(parts: Parts) -> tuple[object, ...]:
        return (
            sorted((f, one_name(c)) for f, c in parts.select),
            parts.joined,
            sorted((one_name(c), op) for c, op in parts.where),
            parts.link if len(parts.where) > 1 else "",
            sorted(one_name(c).rpartition(".")[2] for c in parts.group),
            parts.having,
            [(one_name(c), d) for c, d in parts.order],
            parts.limit is not None,
        )

    return key(one) == key(other)


@settings(max_examples=60, deadline=None)
@given(queries(), st.data())
def test_two_writings_of_one_query_match(parts: Parts, data: st.DataObject) -> None:
    assert match(text(parts, data), text(parts, data))


@settings(max_examples=150, deadline=None)
@given(queries(), st.data())
def test_a_changed_query_matches_exactly_when_its_parts_do(parts: Parts, data: st.DataObject) -> None:
    other = data.draw(queries())
    field = data.draw(st.sampled_from(["select", "where", "link", "group", "having", "order", "limit", "all"]))
    if field == "all" or parts.joined != other.joined:
        changed = other
    else:
        changed = replace(parts, **{field: getattr(other, field)})
        changed = replace(changed, link=(changed.link or "AND") if len(changed.where) > 1 else "")
        if not changed.group:
            changed = replace(changed, having=())
    assert match(text(parts, data), text(changed, data)) == equal_parts(parts, changed)


# Rules of the official script, one by one ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("SELECT y FROM a WHERE x = 1", "SELECT y FROM a WHERE x = 2", True),  # values are ignored
        ("SELECT DISTINCT y FROM a", "SELECT y FROM a", True),  # and so is DISTINCT
        ("SELECT y, z FROM a", "SELECT z, y FROM a", True),
        ("SELECT y FROM a", "SELECT y, z FROM a", False),
        ("SELECT COUNT(*) FROM a", "SELECT COUNT(x) FROM a", False),
        ("SELECT MAX(z) FROM a", "SELECT MIN(z) FROM a", False),
        ("SELECT y FROM a ORDER BY z", "SELECT y FROM a ORDER BY z DESC", False),
        ("SELECT y FROM a LIMIT 1", "SELECT y FROM a LIMIT 3", True),
        ("SELECT y FROM a LIMIT 1", "SELECT y FROM a", False),
        ("SELECT a.y FROM a JOIN b ON a.x = b.x WHERE a.x = 1", "SELECT a.y FROM a JOIN b ON a.x = b.x WHERE b.x = 1",
         True),  # foreign keys make one column of two
        ("SELECT a.y FROM a JOIN b ON a.x = b.x", "SELECT a.y FROM a JOIN b ON a.x = b.w", True),  # ON is not compared
        ("SELECT y FROM a WHERE x IN (SELECT x FROM b)", "SELECT y FROM a WHERE x IN (SELECT w FROM b)", False),
        ("SELECT y FROM a WHERE x NOT IN (SELECT x FROM b)", "SELECT y FROM a WHERE x IN (SELECT x FROM b)", False),
        ("SELECT y FROM a UNION SELECT v FROM b", "SELECT y FROM a INTERSECT SELECT v FROM b", False),
        ("SELECT y FROM a WHERE x = 1 AND z = 2", "SELECT y FROM a WHERE x = 1 OR z = 2", False),
        ("SELECT y FROM a", "SELECT nonsense FROM", False),
    ],
)  # fmt: skip
def test_the_rules_of_exact_set_match(gold: str, answer: str, right: bool) -> None:
    assert match(gold, answer) is right


def test_a_query_with_ctes_and_windows_has_components_too() -> None:
    sql = "WITH c AS (SELECT x, COUNT(*) AS n FROM b GROUP BY x) SELECT x, RANK() OVER (ORDER BY n) FROM c"
    assert match(sql, sql)
    assert not match(sql, sql.replace("COUNT(*)", "MAX(w)"))


@pytest.mark.parametrize(
    ("sql", "level"),
    [
        ("SELECT COUNT(*) FROM a", "easy"),
        ("SELECT y FROM a WHERE x = 1", "easy"),
        ("SELECT y, z FROM a WHERE x = 1", "medium"),
        ("SELECT a.y, COUNT(*) FROM a JOIN b ON a.x = b.x GROUP BY a.y", "medium"),
        ("SELECT a.y FROM a JOIN b ON a.x = b.x WHERE b.v = 'q' ORDER BY a.z", "hard"),
        ("SELECT y FROM a WHERE x NOT IN (SELECT x FROM b)", "hard"),
        ("SELECT a.y FROM a JOIN b ON a.x = b.x GROUP BY a.y ORDER BY COUNT(*) DESC LIMIT 1", "extra"),
        ("SELECT y FROM a WHERE z > 1 UNION SELECT v FROM b WHERE w < 3", "hard"),
        ("SELECT y, z FROM a WHERE z > 1 UNION SELECT v, w FROM b WHERE w < 3", "extra"),
    ],
)
def test_hardness_is_spiders(sql: str, level: str) -> None:
    assert hardness(read(sql, SCHEMA)) == level
