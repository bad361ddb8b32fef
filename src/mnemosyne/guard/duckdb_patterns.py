"""Regular expressions of PostgreSQL for DuckDB, whose letters are those of ASCII; INITCAP, which it lacks."""

from __future__ import annotations

import re

from sqlglot import exp

from mnemosyne.guard.kinds import marked
from mnemosyne.guard.trees import Node, Rule, Untranslatable, bare, call, is_text, whole

_CLASSES = {
    "[:alpha:]": r"\p{L}", "[:alnum:]": r"\p{L}\p{N}", "[:upper:]": r"\p{Lu}", "[:lower:]": r"\p{Ll}",
    r"\w": r"\p{L}\p{N}_",
}  # fmt: skip
_PIECE = re.compile(r"\\.|\[:[a-z]+:\]|.", re.DOTALL)


def regular(pattern: str) -> str:
    """A pattern as DuckDB reads it. Raises Untranslatable."""
    pieces: list[str] = []
    inside = False
    for piece in _PIECE.findall(pattern):
        if piece in _CLASSES:
            pieces.append(_CLASSES[piece] if inside else f"[{_CLASSES[piece]}]")
        elif piece == r"\W" and not inside:
            pieces.append(r"[^\p{L}\p{N}_]")
        elif piece in (r"\m", r"\M", r"\y") and not inside:
            pieces.append(r"\b")
        elif piece[:1] == "\\" and piece[1:] in ("Y", "W", "A", "Z"):
            raise Untranslatable(f"The pattern {pattern!r} has no equal in DuckDB.")
        else:
            inside = piece != "]" if inside else piece == "["
            pieces.append(piece)
    return "".join(pieces)


def _pattern(node: object) -> None:
    if is_text(node):
        assert isinstance(node, exp.Literal)
        node.set("this", regular(node.name))


def matched(node: Node) -> None:
    """`~`, `~*`, REGEXP_REPLACE, REGEXP_COUNT."""
    _pattern(node.expression)


def substring(node: Node) -> Node | None:
    """SUBSTRING(x FROM 'pattern'): the first group if there is one, NULL where nothing is found."""
    start = node.args.get("start")
    if not is_text(start):
        return None
    assert isinstance(start, exp.Literal)
    return _found(node.this, start.name, min(_groups(start.name), 1), node)


def first_match(node: Node) -> Node:
    """REGEXP_SUBSTR(x, pattern)."""
    if set(node.args) - {"this", "expression"} or not is_text(node.expression):
        raise Untranslatable("REGEXP_SUBSTR with positions has no equal in DuckDB.", node)
    return _found(node.this, node.expression.name, 0, node)


def group(node: Node) -> Node | None:
    """`(REGEXP_MATCH(x, pattern))[2]`."""
    call_ = bare(node.this)
    if not isinstance(call_, exp.Anonymous) or call_.name.lower() != "regexp_match":
        return None
    number = whole(node.expressions[0]) if len(node.expressions) == 1 else None
    if number is None or len(call_.expressions) != 2 or not is_text(call_.expressions[1]):
        raise Untranslatable("REGEXP_MATCH takes a written pattern, and one of its groups.", node)
    groups = _groups(call_.expressions[1].name)
    if not 0 <= number < max(groups, 1):
        return exp.Null()
    return _found(call_.expressions[0], call_.expressions[1].name, number + 1 if groups else 0, node)


def _groups(pattern: str) -> int:
    return len(re.findall(r"\((?!\?)", re.sub(r"\\.", "", pattern)))


def _found(value: Node, pattern: str, number: int, node: Node) -> Node:
    if number and re.search(r"\)[?*{]|\|", pattern):
        raise Untranslatable("A group that may be left out has no equal in DuckDB.", node)
    written = regular(pattern)
    extract = call("REGEXP_EXTRACT", value, written, *([number] if number else []), kind="text")
    test = call("REGEXP_MATCHES", value.copy(), written, kind="bool")
    return marked(exp.Case(ifs=[exp.If(this=test, true=extract)]), "text")


def capitals(node: Node) -> Node:
    """INITCAP(x), by a macro that `databases` makes."""
    return call("mn_initcap", node.this, kind="text")


RULES: dict[type[exp.Expression], Rule] = {
    exp.RegexpLike: matched,
    exp.RegexpILike: matched,
    exp.RegexpReplace: matched,
    exp.RegexpCount: matched,
    exp.RegexpSubstr: first_match,
    exp.Substring: substring,
    exp.Bracket: group,
    exp.Initcap: capitals,
}
