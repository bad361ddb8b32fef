"""Text functions and patterns of PostgreSQL in SQLite, whose LIKE does not tell capitals and whose GLOB does."""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.guard.kinds import kind_of, marked
from mnemosyne.guard.sqlite_values import text_of
from mnemosyne.guard.trees import (
    Node,
    Rule,
    Untranslatable,
    call,
    format_pieces,
    is_text,
    joined,
    literal,
    short_bool,
    whole,
)

_ANY, _ONE = object(), object()
"""The wild cards `%` and `_` of a pattern."""


def like(node: Node) -> Node | None:
    """LIKE and ILIKE; under ESCAPE the rule of `escaped` is the one that acts."""
    if isinstance(node.parent, exp.Escape):
        return None
    return _matched(node, "\\")


def escaped(node: Node) -> Node | None:
    """`x LIKE y ESCAPE z`."""
    mark = node.expression
    if not is_text(mark) or len(mark.name) > 1:
        raise Untranslatable("ESCAPE takes one character.", node)
    return _matched(node.this, mark.name)


def _matched(node: Node, escape: str) -> Node | None:
    if isinstance(node.expression, (exp.Any, exp.All)):
        return _any_of(node, escape)
    folded = isinstance(node, exp.ILike)
    pattern = node.expression
    if is_text(pattern) and (not folded or pattern.name.isascii()):
        pieces = _pieces(pattern.name, escape)
        made = _folded(node.this, pieces) if folded else exp.Glob(this=node.this, expression=_glob(pieces))
    else:
        made = call("mn_ilike" if folded else "mn_like", node.this, pattern, escape)
    return marked(exp.Not(this=made) if node.args.get("negate") else made, "bool")


def _pieces(pattern: str, escape: str) -> list[object]:
    """A pattern as characters and wild cards."""
    pieces: list[object] = []
    letters = iter(pattern)
    for letter in letters:
        if letter == escape:
            pieces.append(next(letters, ""))
        else:
            pieces.append({"%": _ANY, "_": _ONE}.get(letter, letter))
    return pieces


def _glob(pieces: list[object]) -> Node:
    signs = {_ANY: "*", _ONE: "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    return literal("".join(str(signs.get(piece, piece)) for piece in pieces))


def _folded(value: Node, pieces: list[object]) -> Node:
    """SQLite's own LIKE, which does not tell ASCII capitals."""
    if not {"%", "_"} & set(pieces):
        text = "".join({_ANY: "%", _ONE: "_"}.get(piece, str(piece)) for piece in pieces)
        return exp.Like(this=value, expression=literal(text))
    signs = {_ANY: "%", _ONE: "_", "%": "!%", "_": "!_", "!": "!!"}
    text = "".join(signs.get(piece, str(piece)) for piece in pieces)
    return exp.Escape(this=exp.Like(this=value, expression=literal(text)), expression=literal("!"))


def _any_of(node: Node, escape: str) -> Node:
    """`x LIKE ANY (ARRAY['a%', 'b%'])`."""
    array = node.expression.find(exp.Array)
    if array is None:
        raise Untranslatable("LIKE ANY takes a written ARRAY.", node)
    tests = [
        _matched(type(node)(this=node.this.copy(), expression=item.copy(), negate=node.args.get("negate")), escape)
        for item in array.expressions
    ]
    combined = exp.or_(*tests) if isinstance(node.expression, exp.Any) else exp.and_(*tests)
    return marked(exp.Paren(this=combined), "bool")


def matches(node: Node) -> Node:
    """`~` and `~*`."""
    flags = "i" if isinstance(node, exp.RegexpILike) else ""
    made = call("mn_regexp", node.this, node.expression, flags, kind="bool")
    return made


def similar(node: Node) -> Node:
    """SIMILAR TO."""
    return call("mn_similar", node.this, node.expression, kind="bool")


def piped(node: Node) -> Node | None:
    """`a || b`: numbers and booleans as PostgreSQL writes them."""
    node.set("this", text_of(node.this))
    node.set("expression", text_of(node.expression))
    return None


def concatenated(node: Node) -> Node:
    """CONCAT leaves NULL out."""
    return joined([exp.Coalesce(this=_short(item), expressions=[literal("")]) for item in node.expressions])


def concatenated_with(node: Node) -> Node:
    """CONCAT_WS leaves NULL and its separator out."""
    separator, *others = node.expressions
    return call("mn_concat_ws", separator, *(_short(item) for item in others), kind="text")


def formatted(node: Node) -> Node:
    """FORMAT(template, …) with `%s` only."""
    return joined([exp.Coalesce(this=_short(item), expressions=[literal("")]) for item in format_pieces(node)])


def _short(node: Node) -> Node:
    """CONCAT writes a boolean as one letter."""
    return short_bool(node) if kind_of(node) == "bool" else text_of(node)


def left(node: Node) -> Node:
    """LEFT(x, n)."""
    count = whole(node.expression)
    if count is not None and count >= 0:
        return marked(exp.Substring(this=node.this, start=literal(1), length=literal(count)), "text")
    return call("mn_left", node.this, node.expression, kind="text")


def right(node: Node) -> Node:
    """RIGHT(x, n)."""
    count = whole(node.expression)
    if count is not None and count > 0:
        return marked(exp.Substring(this=node.this, start=literal(-count)), "text")
    return call("mn_right", node.this, node.expression, kind="text")


def substring(node: Node) -> Node | None:
    """SUBSTRING by position, or by a regular expression."""
    start = node.args.get("start")
    if is_text(start):
        assert isinstance(start, exp.Expression)
        return call("mn_regexp_substr", node.this, start, kind="text")
    number = whole(start)
    if start is not None and (number is None or number < 1):
        length = node.args.get("length")
        return call("mn_substr", node.this, start, *([length] if length is not None else []), kind="text")
    return None


def substr(node: Node) -> Node:
    """REGEXP_SUBSTR(x, pattern) is the whole match, whatever groups there are."""
    if set(node.args) - {"this", "expression"} or not is_text(node.expression) or "(" in node.expression.name:
        raise Untranslatable("REGEXP_SUBSTR with groups or positions has no equal in SQLite.", node)
    return call("mn_regexp_substr", node.this, node.expression, kind="text")


def padded(node: Node) -> Node:
    """LPAD and RPAD."""
    name = "mn_lpad" if node.args.get("is_left") else "mn_rpad"
    fill = node.args.get("fill_pattern")
    return call(name, text_of(node.this), node.expression, fill if fill is not None else " ", kind="text")


def replaced(node: Node) -> Node:
    """REGEXP_REPLACE(x, pattern, replacement, flags)."""
    flags = node.args.get("modifiers")
    if flags is None and is_text(node.args.get("position")):
        flags = node.args["position"]
    replacement = node.args.get("replacement")
    return call(
        "mn_regexp_replace",
        node.this,
        node.expression,
        replacement if replacement is not None else "",
        flags if flags is not None else "",
        kind="text",
    )


def chosen(node: Node) -> Node:
    """CHR(n)."""
    return call("mn_chr", *node.expressions, kind="text")


def _called(name: str, *arguments: str) -> Rule:
    """A rule: the function of this name, with these arguments of the node."""

    def rule(node: Node) -> Node:
        return call(name, *(node.args[one] for one in arguments if node.args.get(one) is not None))

    return rule


RULES: dict[type[exp.Expression], Rule] = {
    exp.Like: like,
    exp.ILike: like,
    exp.Escape: escaped,
    exp.RegexpLike: matches,
    exp.RegexpILike: matches,
    exp.SimilarTo: similar,
    exp.DPipe: piped,
    exp.Concat: concatenated,
    exp.Format: formatted,
    exp.ConcatWs: concatenated_with,
    exp.Left: left,
    exp.Right: right,
    exp.Substring: substring,
    exp.Pad: padded,
    exp.RegexpReplace: replaced,
    exp.Chr: chosen,
    exp.SplitPart: _called("mn_split_part", "this", "delimiter", "part_index"),
    exp.Initcap: _called("mn_initcap", "this"),
    exp.Reverse: _called("mn_reverse", "this"),
    exp.Repeat: _called("mn_repeat", "this", "times"),
    exp.Translate: _called("mn_translate", "this", "from_", "to"),
    exp.StartsWith: _called("mn_starts_with", "this", "expression"),
    exp.Ascii: _called("mn_ascii", "this"),
    exp.MD5: _called("mn_md5", "this"),
    exp.Overlay: _called("mn_overlay", "this", "expression", "from_", "for_"),
    exp.RegexpSubstr: substr,
    exp.RegexpCount: _called("mn_regexp_count", "this", "expression"),
}
