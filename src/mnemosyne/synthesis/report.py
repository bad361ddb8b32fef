"""What a set covers and how it was verified, in Markdown: tables, columns, joins, functions, patterns, neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp

from mnemosyne import guard
from mnemosyne.datasets.example import Example
from mnemosyne.guard.query import SafeQuery
from mnemosyne.schema import Schema
from mnemosyne.synthesis.block import TIERS
from mnemosyne.synthesis.generate import Made


@dataclass(slots=True)
class Coverage:
    """How often each thing occurs, by tier."""

    size: Counter[str] = field(default_factory=Counter)
    """Pairs."""
    tables: dict[str, Counter[str]] = field(default_factory=dict)
    """Table to pairs by tier."""
    columns: dict[str, Counter[str]] = field(default_factory=dict)
    """`table.column` to pairs by tier."""
    joins: dict[str, Counter[str]] = field(default_factory=dict)
    """`child.column = parent.column` to pairs by tier."""
    tags: dict[str, Counter[str]] = field(default_factory=dict)
    """`pattern:...`, `function:...`, `voice:...` to pairs by tier."""
    missing: list[str] = field(default_factory=list)
    """Columns of the schema that no query reads."""


def cover(examples: Iterable[Example], schema: Schema) -> Coverage:
    """Count what the queries of examples read and do."""
    found = Coverage()
    for example in examples:
        tier = example.tier or "simple"
        found.size[tier] += 1
        checked = guard.check(example.sql, schema)
        if isinstance(checked, SafeQuery):
            for table in set(checked.tables):
                _count(found.tables, table, tier)
            for table, column in set(checked.columns):
                _count(found.columns, f"{table}.{column}", tier)
        for join in joins(example.sql):
            _count(found.joins, join, tier)
        for tag in example.tags:
            if not tag.startswith("table:"):
                _count(found.tags, tag, tier)
    every = [f"{table.name}.{column.name}" for table in schema.tables for column in table.columns]
    found.missing = [name for name in every if name not in found.columns]
    return found


def _count(where: dict[str, Counter[str]], name: str, tier: str) -> None:
    where.setdefault(name, Counter())[tier] += 1


def joins(sql: str) -> set[str]:
    """The joins of a query as `child.column = parent.column`, correlated ones too."""
    tree = sqlglot.parse_one(sql, read="postgres")
    names = {table.alias_or_name: table.name for table in tree.find_all(exp.Table)}
    found = set()
    for equal in tree.find_all(exp.EQ):
        left, right = equal.left, equal.right
        if isinstance(left, exp.Column) and isinstance(right, exp.Column) and left.table and right.table:
            ends = [f"{names.get(c.table, c.table)}.{c.name}" for c in (left, right)]
            if ends[0] != ends[1]:
                found.add(" = ".join(sorted(ends)))
    return found


def coverage_page(name: str, coverage: Coverage) -> str:
    """Coverage as Markdown."""
    total = coverage.size.total()
    lines = [f"## {name}", "", f"{total:,} pairs: " + ", ".join(f"{coverage.size[t]:,} {t}" for t in TIERS) + "."]
    parts: Sequence[tuple[str, Mapping[str, Counter[str]]]] = (
        ("Tables", coverage.tables),
        ("Join paths", coverage.joins),
        ("Patterns", _with_prefix(coverage.tags, "pattern:")),
        ("Functions and clauses", _with_prefix(coverage.tags, "function:")),
        ("Voices", _with_prefix(coverage.tags, "voice:")),
        ("Columns", coverage.columns),
    )
    for title, counts in parts:
        lines += [
            "",
            f"### {title} ({len(counts)})",
            "",
            "| | " + " | ".join(TIERS) + " | all |",
            "|---|" + "---:|" * 4,
        ]
        for key, count in sorted(counts.items(), key=lambda item: (-item[1].total(), item[0])):
            lines.append(f"| {key} | " + " | ".join(f"{count[t]:,}" for t in TIERS) + f" | {count.total():,} |")
    lines += ["", "Columns that no query reads: " + (", ".join(coverage.missing) or "none") + "."]
    return "\n".join(lines) + "\n"


def _with_prefix(tags: Mapping[str, Counter[str]], prefix: str) -> dict[str, Counter[str]]:
    return {tag.removeprefix(prefix): count for tag, count in tags.items() if tag.startswith(prefix)}


def verification_page(name: str, made: Made) -> str:
    """What was drawn, kept and left out, and the share of neighbours told apart, as Markdown."""
    tried, apart = made.tried.total(), made.told_apart.total()
    lines = [
        f"## {name}", "",
        f"{len(made.examples):,} pairs out of {made.blocks} blocks. Of {tried:,} neighbours that ran, {apart:,} "
        f"({100 * apart / max(1, tried):.1f} %) gave other rows on at least one population; a pair with a neighbour "
        "that matters and does not was left out, so that every kept pair is told apart from all required neighbours that were tried.",
        "", "| neighbour | tried | told apart | % |", "|---|---:|---:|---:|",
    ]  # fmt: skip
    for kind, count in made.tried.most_common():
        told = made.told_apart[kind]
        lines.append(f"| {kind} | {count:,} | {told:,} | {100 * told / count:.1f} |")
    lines += ["", "| draws | number |", "|---|---:|"]
    lines += [f"| {outcome} | {count:,} |" for outcome, count in made.counts.most_common()]
    return "\n".join(lines) + "\n"
