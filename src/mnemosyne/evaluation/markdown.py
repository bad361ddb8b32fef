"""The report of a run as Markdown, to paste into a document; plots lie beside it as SVG files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnemosyne.evaluation.diagnosis import CATEGORIES, WITHOUT_ANSWER
from mnemosyne.evaluation.tables import difference, figure, parts, tie_lines

Record = dict[str, Any]


def markdown(record: Record, drawings: dict[str, str]) -> str:
    """The whole document."""
    from mnemosyne.evaluation.report import quoted_rows, slice_tables

    bench, metrics = record["bench"], list(record["metrics"])
    text = [
        f"# {bench['name']}",
        f"{bench['n']} questions on {bench['engine']}, {bench['populations']} population(s) a schema, today frozen at "
        f"{bench['today']}. Metric {record['metric']}; percent with 95 % bootstrap intervals, seed {record['seed']}.",
    ]
    rows = [
        [s["label"], *(_figure(s["figures"]["all"].get("all", {}).get(m)) for m in metrics)] for s in record["systems"]
    ]
    for model in dict.fromkeys(t.model for t in quoted_rows(record)):
        values = {t.metric: t.value for t in quoted_rows(record) if t.model == model and t.slice == "all"}
        rows.append([f"*{model} (theirs)*", *(f"*{values[m]:.1f}*" if m in values else "–" for m in metrics)])
    text += [_picture("metrics", drawings), _table(["model", *metrics], rows), *tie_lines(record)]
    for kind in ("tier", "hardness"):
        if kind in drawings:
            text += [f"## By {kind}", _picture(kind, drawings)]
            for sliced, names, figures in slice_tables(record, kind):
                rows = [[s["label"], *map(_figure, row)] for s, row in zip(record["systems"], figures, strict=True)]
                text.append(_table([f"{sliced}, model", *names], rows + _theirs(record, names, sliced)))
    if record["pairs"]:
        rows = [
            [p["second"], p["first"], p["metric"], name or "all", difference(row), str(row["only_second"]),
             str(row["only_first"]), f"{row['p']:.2g}"]
            for p in record["pairs"]
            for name, row in parts(p)
        ]  # fmt: skip
        head = ["model", "against", "metric", "questions", "difference", "only it right", "only the other", "McNemar p"]
        text += ["## Question by question", _table(head, rows)]
    if "errors" in drawings:
        seen = [c for c in [*CATEGORIES, *WITHOUT_ANSWER] if any(c in s["errors"] for s in record["systems"])]
        rows = [[c, *(str(s["errors"].get(c, 0)) for s in record["systems"])] for c in seen]
        text += ["## What goes wrong", _picture("errors", drawings)]
        text += [_table(["category", *(s["label"] for s in record["systems"])], rows)]
    text += ["## Cost", _costs(record)]
    text += [_picture(name, drawings) for name in ("latency", "reliability") if name in drawings]
    text += ["## Recipe", _recipe(record)]
    return "\n\n".join(text) + "\n"


def _theirs(record: Record, names: Sequence[str], metric: str) -> list[list[str]]:
    """What the reference printed of these slices, in italics."""
    from mnemosyne.evaluation.report import their_slices

    return [[cell if cell == "–" else f"*{cell}*" for cell in row] for row in their_slices(record, names, metric)]


def _figure(value: Record | None) -> str:
    return figure(value) if value else "–"


def _picture(name: str, drawings: dict[str, str]) -> str:
    return f"![{name}](plots/{name}.svg)" if name in drawings else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _costs(record: Record) -> str:
    head = ["model", "s median", "s 95 %", "wall s", "tokens out", "refused", "failed", "repaired", "votes"]
    rows = []
    for system in record["systems"]:
        c = system["cost"]
        rows.append(
            [system["label"], f"{c['seconds_median']:.2f}", f"{c['seconds_p95']:.2f}",
             f"{c['wall_seconds']:.0f}" if c["wall_seconds"] else "–",
             f"{c['tokens']}", str(c["refused"]), str(c["failed"]), str(c["repaired"]), str(c["votes"])]
        )  # fmt: skip
    return _table(head, rows)


def _recipe(record: Record) -> str:
    bench, machine = record["bench"], record["machine"]
    lines = [
        f"- data fingerprint {bench['fingerprint']}, bench identity {bench['identity']}",
        f"- {machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}",
        f"- mnemosyne {record['version']}, made {record['made']}",
    ]
    test = record["self_test"] or {}
    for what, ids in (("return nothing", test.get("empty")), ("cut a tie by their LIMIT", test.get("ties"))):
        lines += [f"- golds that {what}: {', '.join(ids)}"] if ids else []
    for system in record["systems"]:
        known = ", ".join(f"{name} `{value}`" for name, value in system["weights"].items())
        lines.append(f"- {system['label']}: {known or 'weights unknown'}")
    return "\n".join(lines)
