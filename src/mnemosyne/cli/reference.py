"""The command-line reference and the table of settings, generated from the commands: `docs/cli.md`. Not a verb."""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import fields
from pathlib import Path

import click

from mnemosyne import settings
from mnemosyne.cli import VERBS, group

OPENING = """# Command line

Generated from the commands themselves by `make docs`; a test compares.

Exit codes of every command: 0 done, 1 no answer, 2 misuse or broken surroundings, 3 refused by the
guard, 130 interrupted, 141 the reader of the output stopped early.
"""


def reference() -> str:
    """The whole page as Markdown."""
    parts = [OPENING]
    for verb in VERBS:
        context = click.Context(
            group, info_name="mnemosyne", max_content_width=100, terminal_width=100, help_option_names=["-h", "--help"]
        )
        command = group.get_command(context, verb)
        assert command is not None
        parts.append(f"## mnemosyne {verb}\n\n```text\n{_help(command, verb, context)}\n```\n")
        if isinstance(command, click.Group):
            inner = click.Context(command, info_name=verb, parent=context, terminal_width=100)
            for name in command.list_commands(inner):
                sub = command.get_command(inner, name)
                assert sub is not None
                parts.append(f"### mnemosyne {verb} {name}\n\n```text\n{_help(sub, name, inner)}\n```\n")
    parts.append(_settings_table())
    return "\n".join(parts)


def _help(command: click.Command, name: str, parent: click.Context) -> str:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=100, max_content_width=100)
    return command.get_help(context).rstrip()


def _settings_table() -> str:
    rows = ["## Settings", "", "| variable | default | meaning |", "|---|---|---|"]
    meanings = setting_docs()
    for field in fields(settings.Settings):
        default = (
            "`~/.cache/mnemosyne`" if field.name == "home" else f"`{field.default}`" if field.default != "" else ""
        )
        rows.append(f"| `MNEMOSYNE_{field.name.upper()}` | {default} | {meanings[field.name]} |")
    return "\n".join(rows) + "\n"


def setting_docs() -> dict[str, str]:
    """The sentence under each field of `Settings`, read from its source."""
    tree = ast.parse(inspect.getsource(settings))
    record = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Settings")
    meanings = {}
    for field, text in zip(record.body, record.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            meanings[field.target.id] = " ".join(ast.literal_eval(text.value).split())
    return meanings


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
