"""Small pieces of HTML: escaping, tables, result tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, text: int = 1, theirs: Sequence[int] = ()) -> str:
    """A table of ready HTML cells; the first `text` columns are text, the others numbers."""
    kinds = ["" if place < text else ' class="n"' for place in range(len(head))]
    lines = ["<tr>" + "".join(f"<th{k}>{h}</th>" for k, h in zip(kinds, head, strict=True)) + "</tr>"]
    for number, row in enumerate(rows):
        mark = ' class="theirs"' if number in theirs else ""
        lines.append(f"<tr{mark}>" + "".join(f"<td{k}>{c}</td>" for k, c in zip(kinds, row, strict=True)) + "</tr>")
    return '<div class="scroll"><table>' + "\n".join(lines) + "</table></div>"


def figure_cell(value: Mapping[str, Any] | None) -> str:
    """A figure with its interval below it."""
    if value is None:
        return '<span class="muted">–</span>'
    return f"<b>{value['value']:.1f}</b> <small>[{value['low']:.1f}, {value['high']:.1f}]</small>"


def svg(drawing: str, caption: str) -> str:
    """A plot with its caption."""
    return f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"


def result_table(result: Mapping[str, Any] | None, why: str = "") -> str:
    """The first rows of a result, or why there are none."""
    if result is None:
        return f'<p class="muted">{escape(why) or "did not run"}</p>'
    head = "".join(f"<th>{escape(str(name))}</th>" for name in result["columns"])
    body = "".join("<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in result["rows"][:8])
    more = len(result["rows"]) > 8 or result["truncated"]
    note = "no rows" if not result["rows"] else "more rows follow" if more else ""
    tail = f'<p class="muted">{note}</p>' if note else ""
    return f'<div class="scroll"><table class="rows"><tr>{head}</tr>{body}</table></div>{tail}'


def _cell(value: object) -> str:
    if value is None:
        return '<span class="null">NULL</span>'
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return escape(text if len(text) <= 60 else text[:57] + "…")
