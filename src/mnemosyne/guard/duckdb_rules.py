"""What DuckDB reads differently from PostgreSQL: whole division, rounding, plain NUMERIC, templates, patterns."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlglot import exp

from mnemosyne.guard import collations, duckdb_lists, duckdb_patterns, shapes, templates
from mnemosyne.guard.annotate import annotate
from mnemosyne.guard.duckdb_times import as_intervals
from mnemosyne.guard.kinds import DAYS, NUMBERS, TIMES, WHOLE, kind_of, marked
from mnemosyne.guard.scales import refuse_quotient
from mnemosyne.guard.trees import (
    Node,
    Rule,
    Untranslatable,
    bare,
    call,
    data_type,
    format_pieces,
    is_text,
    joined,
    literal,
    rewrite,
    short_bool,
    whole,
)
from mnemosyne.schema import Schema


def translate(tree: Node, schema: Schema) -> Node:
    """A PostgreSQL query as DuckDB reads it."""
    tree = shapes.plain(tree)
    annotate(tree, schema)
    return rewrite(tree, RULES)


# Numbers --------------------------------------------------------------------------------------------------------


def _divide(node: Node) -> Node | None:
    """`/` of DuckDB never cuts; `//` cuts towards zero, as PostgreSQL does for whole numbers."""
    if kind_of(node.this) in WHOLE and kind_of(node.expression) in WHOLE:
        return exp.IntDiv(this=node.this, expression=node.expression)
    if _may_be_zero(node.expression):
        divisor = exp.Nullif(this=bare(node.expression), expression=literal(0))
        node.set("expression", marked(divisor, kind_of(node.expression)))
    return None


def _may_be_zero(node: Node) -> bool:
    """Such a divisor would make an infinity; the quotient becomes NULL, as in SQLite."""
    inner = bare(node)
    if isinstance(inner, exp.Nullif):
        return whole(inner.expression) != 0
    return not isinstance(inner, exp.Literal) or inner.is_string or float(inner.name) == 0


def _subtract(node: Node) -> None:
    """`'2026-06-15' - day`: DuckDB does not read text as a date here."""
    for text, value in ((node.this, node.expression), (node.expression, node.this)):
        if is_text(text) and kind_of(value) in TIMES:
            day = kind_of(value) == "date"
            text.replace(exp.Cast(this=text.copy(), to=data_type("date" if day else "timestamp")))
    as_intervals(node)


def _cast(node: Node) -> Node | None:
    """CAST to NUMERIC and to text."""
    to = node.args["to"]
    if to.this == exp.DataType.Type.DECIMAL:
        return _to_scale(node, to) if to.expressions else _to_numeric(node)
    if to.this in exp.DataType.TEXT_TYPES:
        written = _text(node.this)
        return None if written is node.this else written
    return None


def _to_numeric(node: Node) -> Node:
    """A plain NUMERIC has any number of digits in PostgreSQL and three after the point in DuckDB."""
    inner = bare(node.this)
    if isinstance(inner, exp.IntDiv):
        return inner
    if isinstance(inner, exp.Literal) and _PLAIN_NUMBER.fullmatch(inner.name):
        places = len(inner.name.partition(".")[2])
        return marked(exp.Cast(this=node.this, to=data_type(f"DECIMAL(38, {places})")), "numeric")
    return marked(exp.Cast(this=node.this, to=data_type("DOUBLE")), "numeric")


def _to_scale(node: Node, to: exp.DataType) -> Node | None:
    """NUMERIC(10, 2) of 0.145 is 0.15, though no float is 0.145."""
    digits = whole(to.expressions[1].this) if len(to.expressions) > 1 else 0
    inner = bare(node.this)
    exact = isinstance(inner, exp.Literal) or (isinstance(inner, exp.Cast) and inner.to.expressions)
    if kind_of(inner) not in ("float", "numeric") or exact or digits is None or digits > _PLACES:
        return None
    wide = exp.Cast(this=node.this, to=data_type(f"DECIMAL(38, {_PLACES})"))
    return marked(exp.Cast(this=wide, to=to), "numeric")


_PLACES = 12
_PLAIN_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,15})?")


def _is_double(node: Node) -> bool:
    """A float, or what a plain NUMERIC became."""
    inner = bare(node)
    return kind_of(node) == "float" or (isinstance(inner, exp.Cast) and inner.to.is_type("double"))


def _text(node: Node) -> Node:
    """A float as PostgreSQL writes it: 5.0 is `5`."""
    if not _is_double(node):
        refuse_quotient(node)
        return node
    plain = exp.Cast(this=node, to=data_type("TEXT"))
    return marked(
        exp.RegexpReplace(this=plain, expression=literal("[.]0$"), replacement=exp.Literal.string("")), "text"
    )


def _piped(node: Node) -> None:
    node.set("this", _text(node.this))
    node.set("expression", _text(node.expression))


def _concatenated(node: Node) -> None:
    node.set("expressions", [short_bool(item) if kind_of(item) == "bool" else _text(item) for item in node.expressions])


def _format(node: Node) -> Node:
    """FORMAT(template, …) with `%s` only."""
    made = exp.Concat(expressions=format_pieces(node), safe=True, coalesce=True)
    _concatenated(made)
    return marked(made, "text")


def _any_of(node: Node) -> Node | None:
    """`x ILIKE ANY (ARRAY[…])`: DuckDB compares with one pattern at a time."""
    if not isinstance(node.expression, (exp.Any, exp.All)):
        return None
    array = node.expression.find(exp.Array)
    if array is None:
        raise Untranslatable("LIKE ANY takes a written ARRAY.", node)
    tests = [
        type(node)(this=node.this.copy(), expression=item.copy(), negate=node.args.get("negate"))
        for item in array.expressions
    ]
    combined = exp.or_(*tests) if isinstance(node.expression, exp.Any) else exp.and_(*tests)
    return marked(exp.Paren(this=combined), "bool")


def _interval(node: Node) -> None:
    """`1 month - 1 day`: DuckDB takes no blank after the sign."""
    if isinstance(node.this, exp.Literal) and node.this.is_string:
        node.this.set("this", re.sub(r"([+-])\s+(?=\d)", r"\1", node.this.name))


def _string_agg(node: Node) -> None:
    """PostgreSQL sorts to find what is DISTINCT."""
    if isinstance(node.this, exp.Distinct):
        value = node.this.expressions[0]
        node.set("this", exp.Order(this=node.this, expressions=[exp.Ordered(this=value.copy(), nulls_first=False)]))


def _round(node: Node) -> Node | None:
    """An exact number is rounded in decimals: 2.675 is 2.68, though no float is 2.675."""
    digits = node.args.get("decimals")
    if digits is None:
        if kind_of(node.this) == "float":
            return exp.Anonymous(this="ROUND_EVEN", expressions=[node.this, exp.Literal.number(0)])
        return None
    if kind_of(node.this) == "numeric":
        node.set("this", exp.Cast(this=node.this, to=data_type("DECIMAL(38, 12)")))
    return None


def _extract(node: Node) -> Node | None:
    """The seconds of PostgreSQL have a fraction."""
    if node.name.upper() not in ("SECOND", "SECONDS") or kind_of(node.expression) in DAYS:
        return None
    micros = exp.Extract(this=exp.Var(this="MICROSECONDS"), expression=node.expression)
    return marked(exp.Paren(this=exp.Div(this=micros, expression=exp.Literal.number("1000000.0"))), "numeric")


# Templates of TO_CHAR -------------------------------------------------------------------------------------------

_CODES = {
    "YYYY": "%Y", "YY": "%y", "IYYY": "%G", "MM": "%m", "DD": "%d", "DDD": "%j", "Mon": "%b", "Dy": "%a", "ID": "%u",
    "HH24": "%H", "HH12": "%I", "HH": "%I", "MI": "%M", "SS": "%S", "US": "%f", "MS": "%g", "IW": "%V", "AM": "%p",
    "PM": "%p",
}  # fmt: skip
_UNFILLED = {"MM": "%-m", "DD": "%-d", "DDD": "%-j", "HH24": "%-H", "HH12": "%-I", "MI": "%-M", "SS": "%-S"}
_NAMES = {"month": "%B", "mon": "%b", "day": "%A", "dy": "%a"}


def _to_char(node: Node) -> Node:
    form = node.args.get("format")
    if not is_text(form):
        raise Untranslatable("TO_CHAR with a template that is not written as text.", node)
    template = templates.original(str(form.name)) if isinstance(form, exp.Literal) else ""
    if kind_of(node.this) in NUMBERS:
        return _to_char_number(node, template)
    if kind_of(node.this) == "interval":
        raise Untranslatable("TO_CHAR of an interval.", node)
    pieces: list[Node] = []
    plain = ""
    for field in templates.fields(template):
        code = _code(field)
        if code is not None:
            plain += code
            continue
        if plain:
            pieces.append(_strftime(node, plain))
            plain = ""
        pieces.append(_piece(node, field))
    if plain or not pieces:
        pieces.append(_strftime(node, plain))
    return joined(pieces)


def _code(field: templates.Field) -> str | None:
    """The code of strftime for a field, None when more than a code is needed."""
    if not field.name:
        return field.text.replace("%", "%%")
    if field.ordinal:
        return None
    if field.name in ("Month", "Day"):
        return None if field.fill else _NAMES[field.name.lower()]
    if not field.fill and field.name in _UNFILLED:
        return _UNFILLED[field.name]
    return _CODES.get(field.name)


def _strftime(node: Node, form: str) -> Node:
    return marked(exp.TimeToStr(this=node.this.copy(), format=literal(form)), "text")


def _piece(node: Node, field: templates.Field) -> Node:
    low = field.name.lower()
    if low in _NAMES and not field.ordinal:
        word = _strftime(node, _NAMES[low])
        if field.name.isupper() or field.name.islower():
            word = (exp.Upper if field.name.isupper() else exp.Lower)(this=word)
        return call("RPAD", word, 9, " ", kind="text") if field.fill and low in ("month", "day") else word
    if field.name == "Q" and not field.ordinal:
        return exp.Cast(this=exp.Quarter(this=node.this.copy()), to=data_type("TEXT"))
    raise Untranslatable(f"TO_CHAR with {field.name}{field.ordinal} has no equal in DuckDB.", node)


def _to_char_number(node: Node, template: str) -> Node:
    """The digits as FORMAT writes them; as many `#` as digits where the number is too long."""
    form = templates.number(template)
    optional = form is not None and (form.zeros < 1 or (form.decimals != form.decimal_zeros and not form.fill))
    if form is None or optional or (form.grouped and form.zeros > 1):
        raise Untranslatable(f"TO_CHAR of a number with the template {template!r} has no equal in DuckDB.", node)
    number = exp.Cast(this=node.this, to=data_type("DOUBLE"))
    if kind_of(node.this) == "numeric":
        exact = exp.Cast(this=node.this, to=data_type("DECIMAL(38, 12)"))
        number = exp.Cast(this=exp.Round(this=exact, decimals=literal(form.decimals)), to=data_type("DOUBLE"))
    digits = form.zeros + (form.decimals + 1 if form.point else 0)
    limit = exp.Literal.number(f"{10**form.whole - 5 * 10.0 ** -(form.decimals + 1):.{form.decimals + 1}f}")
    overflow = "#" * form.whole + ("." + "#" * form.decimals if form.point else "")
    text: Node = exp.Case(
        ifs=[
            exp.If(this=exp.GTE(this=exp.Abs(this=number.copy()), expression=limit), true=literal(overflow)),
            exp.If(this=exp.LT(this=number.copy(), expression=literal(0)), true=_formatted(number, form, digits + 1)),
        ],
        default=_formatted(number.copy(), form, digits),
    )
    if form.fill:
        text = call("LPAD", text, form.width + 1, " ", kind="text")
    if form.suffix:
        text = joined([text, literal(form.suffix)])
    return marked(text, "text")


def _formatted(number: Node, form: templates.NumberTemplate, width: int) -> Node:
    zeros = f"0{width}" if form.zeros > 1 else ""
    written = f"{{:{zeros}{',' if form.grouped else ''}.{form.decimals}f}}"
    return exp.Format(this=literal(written), expressions=[number])


# Patterns and the rest ------------------------------------------------------------------------------------------


def _similar(node: Node) -> Node:
    """SIMILAR TO of DuckDB takes a regular expression."""
    pattern = node.expression
    if not is_text(pattern):
        raise Untranslatable("SIMILAR TO takes a written pattern.", node)
    regular = templates.similar_to_regular(pattern.name)
    return marked(exp.RegexpFullMatch(this=node.this, expression=literal(regular)), "bool")


def _collated(node: Node) -> Node | None:
    if node.expression.name.upper() == "RTRIM":
        raise Untranslatable("The collation RTRIM has no equal in DuckDB.", node)
    return _by_bytes(node)


_by_bytes = collations.by_bytes("C")


def _missing(name: str) -> Rule:
    def rule(node: Node) -> Node:
        raise Untranslatable(f"{name} has no equal in DuckDB.", node)

    return rule


def _named(node: Node) -> Node | None:
    """Functions that the parser keeps by name only."""
    low = node.name.lower()
    if low == "every":
        return exp.LogicalAnd(this=node.expressions[0])
    if low == "cardinality":
        return call("LEN", *node.expressions, kind="int")
    above = node.parent
    while isinstance(above, exp.Paren):
        above = above.parent
    if low == "isfinite" or low not in _MISSING or (low == "regexp_match" and isinstance(above, exp.Bracket)):
        return None
    raise Untranslatable(f"The function {low} has no equal in DuckDB.", node)


_MISSING = frozenset(
    {
        "justify_days", "justify_hours", "justify_interval", "num_nulls", "num_nonnulls", "regexp_match",
        "regexp_matches",
    }
)  # fmt: skip

RULES: Mapping[type[exp.Expression], Rule] = {
    exp.Div: _divide,
    exp.Add: as_intervals,
    exp.Sub: _subtract,
    exp.Cast: _cast,
    exp.Extract: _extract,
    exp.Round: _round,
    exp.DPipe: _piped,
    exp.Concat: _concatenated,
    exp.ConcatWs: _concatenated,
    exp.Format: _format,
    exp.TimeToStr: _to_char,
    exp.ToChar: _to_char,
    exp.SimilarTo: _similar,
    exp.JustifyDays: _missing("JUSTIFY_DAYS"),
    exp.JustifyHours: _missing("JUSTIFY_HOURS"),
    exp.JustifyInterval: _missing("JUSTIFY_INTERVAL"),
    exp.Like: _any_of,
    exp.ILike: _any_of,
    exp.GroupConcat: _string_agg,
    exp.Interval: _interval,
    exp.Collate: _collated,
    **duckdb_lists.RULES,
    **duckdb_patterns.RULES,
    exp.Anonymous: _named,
}
