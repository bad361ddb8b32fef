"""The second reader of a printed query: a lexer that knows nothing of sqlglot.

sqlglot printed the text and sqlglot read it again; a fault that both share would pass. So the text is
also cut into words by the rules of the engines, and every word outside quotes must be a listed keyword,
a listed function in front of a bracket, or a name that the tree declares. Comments, statements after
the first, escapes, dollar quotes, parameters and commands of a shell have no token here at all.
"""

from __future__ import annotations

import re

from mnemosyne.guard import words
from mnemosyne.guard.equivalents import way
from mnemosyne.guard.query import Dialect
from mnemosyne.guard.refused import Refused

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<text>'(?:[^']|'')*')
      | (?P<name>"(?:[^"]|"")+")
      | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<operator>!~\*|!~~\*|!~~|!~|~~\*|~~|~\*|~|->>|->|\|\||::|<>|!=|<=|>=|<<|>>|<@|@>|&&|==|//|[=<>+\-*/%&|^])
      | (?P<mark>[(),.\[\]])
    """,
    re.VERBOSE,
)


def read(printed: str, target: Dialect, names: frozenset[str]) -> None:
    """Refuse a printed text with a token that is not listed. `names`: bare names of the tree, in lower case."""
    listed = words.CALLS[target]
    keyword_or_name = words.PRINTED | names
    position, before, previous = 0, "", ""
    while position < len(printed):
        match = _TOKEN.match(printed, position)
        if match is None:
            raise _refused(printed, position)
        kind, token = match.lastgroup, match.group()
        position = match.end()
        if kind == "space":
            before = ""  # what stands before a space touches nothing
            continue
        if before and (kind in _TOUCHY and before in _TOUCHY):
            raise _refused(printed, match.start())
        if kind == "operator" and before == "operator":
            raise _refused(printed, match.start())
        if kind == "word":
            low = token.lower()
            called = printed.startswith("(", position)
            if called and low in listed:
                pass
            elif low not in keyword_or_name or (
                called and low not in words.BEFORE_BRACKET and not _is_column_list(printed, position, previous)
            ):
                raise _no_function(token, target) if called and way(token) else _refused(printed, match.start())
        elif kind == "name" and printed.startswith("(", position) and not _is_column_list(printed, position, previous):
            raise _refused(printed, match.start())
        before = kind or ""
        previous = token.upper()


_TOUCHY = frozenset({"text", "name", "number", "word"})
"""Two of these without a space between them are one token to some engine: E'..', U&'..', 0x1F, x"y"."""

_COLUMN_LIST = re.compile(
    r"""\((?:[A-Za-z_][A-Za-z0-9_]*|"(?:[^"]|"")+")(?:,\s(?:[A-Za-z_][A-Za-z0-9_]*|"(?:[^"]|"")+"))*\)(?P<after>\sAS\s(?:(?:NOT\s)?MATERIALIZED\s)?\((?:SELECT|WITH|VALUES|\())?""",
    re.VERBOSE,
)


def _is_column_list(printed: str, position: int, previous: str) -> bool:
    """Whether the bracket lists the columns of an alias: `AS t(a, b)`, or `WITH t(a, b) AS (SELECT`."""
    match = _COLUMN_LIST.match(printed, position)
    if match is None:
        return False
    return previous == "AS" or (previous in {"WITH", "RECURSIVE", ","} and match["after"] is not None)


def _no_function(name: str, target: Dialect) -> Refused:
    known = {"postgres": "PostgreSQL", "sqlite": "SQLite", "duckdb": "DuckDB"}[target]
    return Refused("function", f"{known} has no function {name}", place=name, hint=way(name))


def _refused(printed: str, position: int) -> Refused:
    piece = printed[position : position + 40]
    return Refused("printed-text", f"the printed query holds {piece!r}, which is not listed", place=piece)
