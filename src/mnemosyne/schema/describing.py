"""A schema for people and programs: Markdown with a diagram, and JSON."""

from __future__ import annotations

import json
import re

from mnemosyne.schema import Column, ForeignKey, Schema, Table, canonical_type
from mnemosyne.schema.writing import in_order


def to_json(schema: Schema) -> str:
    """JSON: `{"tables": [{"name", "kind", "comment", "primary_key", "columns", "foreign_keys"}]}`, indented."""
    return json.dumps({"tables": [_as_dict(table) for table in in_order(schema)]}, ensure_ascii=False, indent=2)


def _as_dict(table: Table) -> dict[str, object]:
    return {
        "name": table.full_name,
        "kind": "view" if table.is_view else "table",
        "comment": table.comment,
        "primary_key": list(table.primary_key),
        "columns": [
            {
                "name": column.name,
                "type": canonical_type(column.type),
                "stored_type": column.type,
                "nullable": column.nullable,
                "values": list(column.values),
                "comment": column.comment,
            }
            for column in table.columns
        ],
        "foreign_keys": [
            {"columns": list(key.columns), "table": key.table, "references": list(key.references)}
            for key in table.foreign_keys
        ],
    }


def to_markdown(schema: Schema) -> str:
    """Markdown: a Mermaid diagram of the keys, then one section a table."""
    tables = in_order(schema)
    parts = ["```mermaid\n" + "\n".join(["erDiagram", *_diagram(tables)]) + "\n```"]
    parts += [_section(table) for table in tables]
    return "\n\n".join(parts)


def _diagram(tables: list[Table]) -> list[str]:
    lines = []
    for table in tables:
        for key in table.foreign_keys:
            optional = any((column := table.column(name)) and column.nullable for name in key.columns)
            parent = "|o" if optional else "||"
            label = _quoted(", ".join(key.columns))
            lines.append(f"    {_entity(key.table)} {parent}--o{{ {_entity(table.full_name)} : {label}")
    for table in tables:
        lines.append(f"    {_entity(table.full_name)} {{")
        lines += [f"        {_attribute(table, column)}" for column in table.columns]
        lines.append("    }")
    return lines


def _attribute(table: Table, column: Column) -> str:
    marks = [mark for mark, names in (("PK", table.primary_key), ("FK", _key_columns(table))) if column.name in names]
    name = re.sub(r"[^\w-]", "_", column.name)
    kind = re.sub(r"[^\w\[\]()-]", "_", canonical_type(column.type))
    return f"{kind} {name} {', '.join(marks)}".rstrip()


def _key_columns(table: Table) -> set[str]:
    return {name for key in table.foreign_keys for name in key.columns}


def _entity(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else _quoted(name)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "'") + '"'


def _section(table: Table) -> str:
    heading = f"## {_cell(table.full_name)}" + (" (view)" if table.is_view else "")
    rows = [f"| {_cell(c.name)} | {canonical_type(c.type)} | {_cell(_notes(table, c))} |" for c in table.columns]
    grid = "\n".join(["| column | type | notes |", "|---|---|---|", *rows])
    return "\n\n".join(part for part in (heading, " ".join(table.comment.split()), grid) if part)


def _notes(table: Table, column: Column) -> str:
    notes = []
    if column.name in table.primary_key:
        notes.append("primary key")
    elif not column.nullable:
        notes.append("not null")
    notes += [_reference(key) for key in table.foreign_keys if column.name in key.columns]
    if column.values:
        notes.append("one of " + ", ".join(repr(value) for value in column.values))
    if column.comment:
        notes.append(" ".join(column.comment.split()))
    return "; ".join(notes)


def _reference(key: ForeignKey) -> str:
    together = f" (with {', '.join(key.columns)})" if len(key.columns) > 1 else ""
    return f"→ {key.table}" + (f" ({', '.join(key.references)})" if key.references else "") + together


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
