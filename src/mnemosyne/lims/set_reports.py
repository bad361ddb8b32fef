"""The reports of the sets: coverage, verification, leakage, and the plots of the datasheet.

`python -m mnemosyne.lims.set_reports docs` writes those of the sets that were written one by one: they need no making.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import sqlglot
from sqlglot import exp

from mnemosyne.datasets import Example, fingerprint, read_examples
from mnemosyne.datasets.overlap import NeighbourIndex, sql_form
from mnemosyne.lims import sets
from mnemosyne.lims.contract import schema
from mnemosyne.schema import Schema
from mnemosyne.synthesis.block import TIERS, tags_of
from mnemosyne.synthesis.generate import Made
from mnemosyne.synthesis.query import tree_of
from mnemosyne.synthesis.report import Coverage, cover, coverage_page, verification_page


def write(made: dict[str, Made], docs: Path) -> None:
    """Write coverage, verification, leakage and the plot of lab-train under a folder, and what `write_written` does."""
    folder = docs / "sets"
    folder.mkdir(parents=True, exist_ok=True)
    known = schema()
    pages = [coverage_page(name, cover(one.examples, known)) for name, one in made.items()]
    put(folder / "coverage.md", "# What the generated sets cover\n\n" + "\n".join(pages))
    pages = [verification_page(name, one) for name, one in made.items()]
    put(folder / "verification.md", "# How the generated sets were verified\n\n" + "\n".join(pages))
    training = {name: made[name].examples for name in ("lab-train", "lab-579")} | {
        "lab-written": shipped("lab-written")
    }
    put(docs / "leakage.md", leakage_page(training, sets.written()))
    train = made["lab-train"].examples
    patterns = Counter(tag.removeprefix("pattern:") for e in train for tag in e.tags if tag.startswith("pattern:"))
    plots("lab-train", train, "patterns", patterns, folder)
    write_written(docs)


def write_written(docs: Path) -> None:
    """Write `sets/written.md` and `sets/lab-written.png` under a folder."""
    folder = docs / "sets"
    folder.mkdir(parents=True, exist_ok=True)
    examples, known, evaluation = shipped("lab-written"), schema(), sets.written()
    training = covered("lab-written", examples, known)
    held_out = [covered(name, [e for e in evaluation if e.source == name], known) for name in ("lab-dev", "lab-bench")]
    put(folder / "written.md", written_page([training, *held_out], by_database(shipped("other-written"))))
    done = {tag.removeprefix("function:"): count.total() for tag, count in training.coverage.tags.items()}
    plots("lab-written", examples, "functions and clauses", Counter(done), folder)


def put(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def shipped(name: str) -> list[Example]:
    """A set of the package that is not generated."""
    return read_examples(Path(str(resources.files("mnemosyne.data") / "sets" / f"{name}.jsonl.gz")))


def leakage_page(training: Mapping[str, Sequence[Example]], evaluation: Sequence[Example]) -> str:
    """For each evaluation question the nearest training question and its similarity; shared forms per set."""
    index = NeighbourIndex([example for examples in training.values() for example in examples])
    forms = {name: {sql_form(one.sql) for one in examples} for name, examples in training.items()}
    lines = [
        f"# How near {', '.join(training)} come to the evaluation sets",
        "",
        "Similarity is the share of three-letter pieces that two questions have in common (Jaccard, 0 to 1). Training",
        "pairs that share a question, a run of eight words or a SQL form (the parts of a query without their order,",
        "values and lengths of time taken out) with an evaluation question never enter.",
    ]
    for name in sets.WRITTEN:
        questions = [example for example in evaluation if example.source == name]
        found = [(example, index.nearest(example.question)) for example in questions]
        scores = sorted(near.similarity if near else 0.0 for _, near in found)
        own = [sql_form(e.sql, e.dialect) for e in questions if e.sql]
        shared = ", ".join(f"{sum(one in known for one in own)} with {name}" for name, known in forms.items())
        lines += [
            "", f"## {name}", "",
            f"{len(questions)} questions; SQL forms shared: {shared}. Similarity of the nearest "
            f"training question: median {scores[len(scores) // 2]:.2f}, "
            f"90th percentile {scores[int(len(scores) * 0.9)]:.2f}, highest {scores[-1]:.2f}.",
            "", "| id | question | nearest in training | similarity |", "|---|---|---|---:|",
        ]  # fmt: skip
        for example, near in sorted(found, key=lambda item: -(item[1].similarity if item[1] else 0)):
            text = near.question if near else ""
            lines.append(
                f"| {example.id} | {_cell(example.question)} | {_cell(text)} | {near.similarity if near else 0:.2f} |"
            )
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def plots(name: str, examples: Sequence[Example], what: str, counts: Counter[str], folder: Path) -> None:
    """`NAME.png`: tiers, the most frequent of what is counted, words of a question and characters of a query."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(11, 8), constrained_layout=True)
    tiers = Counter(example.tier for example in examples)
    axes[0][0].bar(list(TIERS), [tiers[t] for t in TIERS], color="#2b6cb0")
    axes[0][0].set_title("Pairs by tier")
    shown = counts.most_common(25)[::-1]
    axes[0][1].barh([label for label, _ in shown], [count for _, count in shown], color="#2b6cb0")
    axes[0][1].tick_params(axis="y", labelsize=6)
    axes[0][1].set_title(f"The {len(shown)} most frequent of {len(counts)} {what}")
    longest = max(900, max(len(e.sql) for e in examples) + 25)
    for tier, colour in zip(TIERS, ("#90cdf4", "#3182ce", "#1a365d"), strict=True):
        words = [len(e.question.split()) for e in examples if e.tier == tier]
        lengths = [len(e.sql) for e in examples if e.tier == tier]
        axes[1][0].hist(words, bins=range(0, 60, 2), histtype="step", color=colour, label=tier)
        axes[1][1].hist(lengths, bins=range(0, longest, 25), histtype="step", color=colour, label=tier)
    axes[1][0].set_title("Words of a question")
    axes[1][1].set_title("Characters of a query")
    axes[1][0].legend()
    about = {"Software": None, "Description": f"{name} {fingerprint(examples)}"}
    figure.savefig(folder / f"{name}.png", dpi=110, metadata=about)
    pyplot.close(figure)


_CLAUSES: dict[type[exp.Expression], str] = {exp.Except: "EXCEPT", exp.Intersect: "INTERSECT", exp.Like: "LIKE"}
"""Clauses that the tags of composed pairs do not name."""

_CALL = re.compile(r"[A-Z_]+(?=\(|$)")


def with_functions(example: Example) -> Example:
    """The example with every function and clause of its query as tags, whoever wrote its own tags."""
    tree = tree_of(sqlglot.parse_one(example.sql, read=example.dialect))
    found = {tag.removeprefix("function:") for tag in tags_of(tree) if tag.startswith("function:")}
    found |= {name for kind, name in _CLAUSES.items() if tree.find(kind) is not None}
    calls = [call for call in tree.find_all(exp.Func) if not isinstance(call, exp.Connector | exp.Case | exp.If)]
    found |= {match.group() for call in calls if (match := _CALL.match(call.sql(example.dialect)))}
    kept = [tag for tag in example.tags if not tag.startswith("function:")]
    return replace(example, tags=(*kept, *(f"function:{name}" for name in sorted(found))))


@dataclass(frozen=True, slots=True)
class Covered:
    """What one set covers of one schema."""

    name: str
    """The name of the set, or of the database."""
    coverage: Coverage
    """Its counts; `joins` holds join paths of the schema only."""
    tables: tuple[str, ...]
    """Every table of the schema."""
    columns: tuple[str, ...]
    """Every `table.column` of the schema."""
    keys: tuple[str, ...]
    """Every foreign key of the schema, as `joins` spells it."""
    inner: int
    """Join conditions with a subquery or a `WITH` of the pair itself, which are no join path of the schema."""


def covered(name: str, examples: Iterable[Example], known: Schema) -> Covered:
    """Count what the queries of a set read and do."""
    coverage = cover(map(with_functions, examples), known)
    columns = tuple(f"{table.name}.{column.name}" for table in known.tables for column in table.columns)
    keys = foreign_keys(known)
    every, inner, coverage.joins = coverage.joins, 0, {}
    for join, count in every.items():
        ends = join.split(" = ")
        if not set(ends) <= set(columns):
            inner += count.total()
        elif join in keys or len({end.partition(".")[0] for end in ends}) == 2:
            coverage.joins[join] = count
    return Covered(name, coverage, tuple(table.name for table in known.tables), columns, keys, inner)


def foreign_keys(known: Schema) -> tuple[str, ...]:
    """The foreign keys of a schema as `child.column = parent.column`, the ends in the order of the alphabet."""
    found = []
    for table in known.tables:
        for key in table.foreign_keys:
            parent = known.table(key.table)
            references = key.references or (parent.primary_key if parent else ())
            for column, other in zip(key.columns, references, strict=True):
                found.append(" = ".join(sorted((f"{table.name}.{column}", f"{key.table}.{other}"))))
    return tuple(sorted(found))


_INTRODUCTION = """# What the sets cover that were written one by one

Made by `python -m mnemosyne.lims.set_reports docs`. `lab-written` and `other-written` are for training, `lab-dev` and
`lab-bench` for evaluation only: of these there are counts here and nothing else. The generated sets have
[a page of their own](coverage.md).

Every pair counts once under each thing that its query has. Tables and columns are those that the guard finds it to
read. A join path is an equality between columns of two tables (or along a foreign key from a table to itself), in
correlated subqueries too; `IN (SELECT ...)` is none, and equalities with a subquery or a `WITH` of the pair itself are
the last column of the summaries. Functions and clauses are read from the queries, more kinds of them than coverage.md
counts. Written pairs follow no patterns, so there are none to count. Voices are tags of the evaluation sets: in whose
manner a question is asked.
"""


def written_page(lab: Sequence[Covered], databases: Sequence[Covered]) -> str:
    """Coverage of the written sets as Markdown, of the laboratory and of other databases: counts only, no question."""
    others = together("other-written", databases)
    pages = [_INTRODUCTION, _overview("set", [*lab, others])]
    pages += [_page(part.name, part, part.coverage) for part in lab]
    pages.append(_page(others.name, others, replace(others.coverage, tables={}, columns={}, joins={})))
    pages.append(_overview("database", databases))
    pages += [_page(f"{others.name}: {part.name}", part, replace(part.coverage, tags={})) for part in databases]
    return "\n".join(pages)


_SUMMARY = ("tables read", "columns read", "foreign keys joined", "other join paths", "joins with own subqueries")


def _overview(what: str, parts: Sequence[Covered]) -> str:
    lines = [f"| {what} | pairs | {' / '.join(TIERS)} | {' | '.join(_SUMMARY)} |", "|---|" + "---:|" * 7]
    for part in parts:
        found = part.coverage
        along = len(set(part.keys) & set(found.joins))
        cells = [
            part.name,
            f"{found.size.total():,}",
            " / ".join(f"{found.size[tier]:,}" for tier in TIERS),
            f"{len(found.tables)} of {len(part.tables)}",
            f"{len(found.columns)} of {len(part.columns)}",
            f"{along} of {len(part.keys)}",
            f"{len(found.joins) - along}",
            f"{part.inner}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


_EMPTY = re.compile(r"\n### [^\n]* \(0\)\n\n[^\n]*\n[^\n]*\n")
"""A table of `coverage_page` without rows."""


def _page(title: str, part: Covered, shown: Coverage) -> str:
    """The counts that are shown, and what no pair touches."""
    tables = [name for name in part.tables if name not in part.coverage.tables]
    keys = [key for key in part.keys if key not in part.coverage.joins]
    return (
        _EMPTY.sub("", coverage_page(title, shown))
        + f"\nTables that no query reads: {', '.join(tables) or 'none'}.\n"
        + f"\nForeign keys that no query joins along: {', '.join(keys) or 'none'}.\n"
    )


def by_database(examples: Sequence[Example]) -> list[Covered]:
    """Coverage of pairs that bring their DDL, a database at a time; `other-written-NAME-0001` is of database NAME."""
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.id.removeprefix(f"{example.source}-").rpartition("-")[0], []).append(example)
    return [covered(name, groups[name], Schema.from_ddl(groups[name][0].schema)) for name in sorted(groups)]


def together(name: str, parts: Sequence[Covered]) -> Covered:
    """Several databases as one; their names stand before those of their tables."""
    every = Coverage()
    for part in parts:
        found = part.coverage
        every.size.update(found.size)
        for tag, count in found.tags.items():
            every.tags.setdefault(tag, Counter()).update(count)
        every.tables |= {f"{part.name}: {table}": count for table, count in found.tables.items()}
        every.columns |= {f"{part.name}: {column}": count for column, count in found.columns.items()}
        every.joins |= {f"{part.name}: {join}": count for join, count in found.joins.items()}
        every.missing += [f"{part.name}: {column}" for column in found.missing]
    return Covered(
        name,
        every,
        tuple(f"{part.name}: {table}" for part in parts for table in part.tables),
        tuple(f"{part.name}: {column}" for part in parts for column in part.columns),
        tuple(f"{part.name}: {key}" for part in parts for key in part.keys),
        sum(part.inner for part in parts),
    )


def main(arguments: list[str] | None = None) -> None:
    """Parse the arguments and write the reports of the written sets."""
    parser = argparse.ArgumentParser(
        prog="mnemosyne.lims.set_reports",
        description="Write sets/written.md and sets/lab-written.png: what the sets cover that were written one by one.",
    )
    parser.add_argument("docs", type=Path, help="folder of the documentation")
    write_written(parser.parse_args(arguments).docs)


if __name__ == "__main__":
    main()
