"""The table of recipe fields in docs/training.md, made from the records: `python -m mnemosyne.training.recipe_docs FILE`."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from mnemosyne.training.recipe import Recipe, Source, Validation

BEGIN, END = "<!-- fields -->", "<!-- end of fields -->"


def table() -> str:
    """Every field with its default and its sentence, as Markdown."""
    parts = []
    for kind, title in ((Recipe, "A recipe"), (Source, "`data`: each"), (Validation, "`validation`")):
        parts += [f"**{title}**", "", "| field | default | meaning |", "|---|---|---|"]
        said = sentences(kind)
        for field in fields(kind):
            default = "required" if field.default is MISSING else _plain(field.default)
            parts.append(f"| `{field.name}` | {default} | {said[field.name]} |")
        parts.append("")
    return "\n".join(parts)


def sentences(kind: type[Any]) -> dict[str, str]:
    """Field name to the text under it."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            assert isinstance(field.target, ast.Name)
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def with_table(page: str) -> str:
    """`page` with the table between its marks made anew."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{table()}{END}{after}"


def _plain(value: Any) -> str:
    if value in (None, ""):
        return "not set"
    return f"`{', '.join(value) if isinstance(value, tuple) else value}`"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(with_table(file.read_text(encoding="utf-8")), encoding="utf-8")
