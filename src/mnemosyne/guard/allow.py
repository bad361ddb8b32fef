"""The closed lists: which nodes, functions, types and bare words a query may hold. Unknown means refused.

`inspect` looks at every node of a tree and at every value of every node: a node class must be listed,
each of its filled arguments must be listed, and each bare string in it (the words that a printer
writes without quotes) must be listed too. Nothing here knows tables or columns; see `names`.
"""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from mnemosyne.guard import functions
from mnemosyne.guard.refused import Refused, describe, piece
from mnemosyne.guard.words import word_set

_QUERY = {"with_", "order", "limit", "offset"}

STRUCTURE: dict[type[Any], frozenset[str]] = {
    kind: frozenset(arguments)
    for kind, arguments in {
        # A query and its clauses.
        exp.Select: _QUERY
        | {
            "expressions",
            "distinct",
            "from_",
            "joins",
            "laterals",
            "where",
            "group",
            "having",
            "qualify",
            "windows",
        },
        exp.Union: _QUERY | {"this", "expression", "distinct"},
        exp.Intersect: _QUERY | {"this", "expression", "distinct"},
        exp.Except: _QUERY | {"this", "expression", "distinct"},
        exp.Subquery: _QUERY | {"this", "alias", "joins", "laterals"},
        exp.Values: {"expressions", "alias"},
        exp.With: {"expressions", "recursive"},
        exp.CTE: {"this", "alias", "materialized"},
        exp.From: {"this"},
        exp.Table: {"this", "db", "alias", "joins", "laterals"},
        exp.TableAlias: {"this", "columns"},
        exp.Join: {"this", "on", "using", "side", "kind", "method"},
        exp.Lateral: {"this", "alias"},
        exp.Unnest: {"expressions", "alias"},
        exp.Where: {"this"},
        exp.Having: {"this"},
        exp.Qualify: {"this"},
        exp.Group: {"expressions", "grouping_sets", "cube", "rollup"},
        exp.GroupingSets: {"expressions"},
        exp.Cube: {"expressions"},
        exp.Rollup: {"expressions"},
        exp.Order: {"this", "expressions"},
        exp.Ordered: {"this", "desc", "nulls_first"},
        exp.Limit: {"this", "expression", "offset"},
        exp.Offset: {"this", "expression"},
        exp.Fetch: {"direction", "count", "limit_options"},
        exp.LimitOptions: {"rows", "with_ties"},
        exp.Distinct: {"expressions", "on"},
        # Names and values.
        exp.Column: {"this", "table", "db"},
        exp.Identifier: {"this", "quoted"},
        exp.Alias: {"this", "alias"},
        exp.Star: set(),
        exp.Literal: {"this", "is_string"},
        exp.Boolean: {"this"},
        exp.Null: set(),
        exp.Var: {"this"},
        exp.Interval: {"this", "unit"},
        exp.IntervalSpan: {"this", "expression"},
        exp.Array: {"expressions", "bracket_notation", "value_constructor"},
        exp.Tuple: {"expressions"},
        exp.Paren: {"this"},
        # Windows and aggregates.
        exp.Window: {"this", "partition_by", "order", "spec", "alias", "over"},
        exp.WindowSpec: {"kind", "start", "start_side", "end", "end_side", "exclude"},
        exp.Filter: {"this", "expression"},
        exp.WithinGroup: {"this", "expression"},
        exp.IgnoreNulls: {"this"},
        exp.RespectNulls: {"this"},
        # Conditions and operators.
        exp.Case: {"this", "ifs", "default"},
        exp.If: {"this", "true", "false"},
        exp.In: {"this", "expressions", "query", "field"},
        exp.Between: {"this", "low", "high", "symmetric"},
        exp.Exists: {"this", "expression"},
        exp.Any: {"this"},
        exp.All: {"this"},
        exp.Not: {"this"},
        exp.Neg: {"this"},
        exp.Is: {"this", "expression", "negate"},
        exp.Like: {"this", "expression", "negate"},
        exp.ILike: {"this", "expression", "negate"},
        exp.Escape: {"this", "expression"},
        exp.AtTimeZone: {"this", "zone"},
        exp.Collate: {"this", "expression"},
        exp.Cast: {"this", "to"},
        exp.TryCast: {"this", "to", "safe"},
        exp.DataType: {"this", "expressions", "nested"},
        exp.DataTypeParam: {"this"},
        exp.Bracket: {"this", "expressions", "offset", "safe"},
        exp.JSONPath: {"expressions"},
        exp.JSONPathRoot: set(),
        exp.JSONPathKey: {"this"},
        exp.JSONPathSubscript: {"this"},
    }.items()
}
"""Node classes that are not functions, each with the arguments it may fill."""

OPERATORS: frozenset[type[Any]] = frozenset(
    {
        exp.Add,
        exp.Sub,
        exp.Mul,
        exp.Div,
        exp.IntDiv,
        exp.Mod,
        exp.And,
        exp.Or,
        exp.EQ,
        exp.NEQ,
        exp.GT,
        exp.GTE,
        exp.LT,
        exp.LTE,
        exp.NullSafeEQ,
        exp.NullSafeNEQ,
        exp.DPipe,
        exp.Glob,
        exp.SimilarTo,
        exp.Overlaps,
        exp.BitwiseAnd,
        exp.BitwiseOr,
        exp.BitwiseXor,
        exp.BitwiseNot,
        exp.BitwiseLeftShift,
        exp.BitwiseRightShift,
        exp.ArrayContainsAll,
        exp.ArrayOverlaps,
    }
)
"""Operators; all of their operands are expressions, which are looked at in their turn."""

UNITS = frozenset(
    unit + plural
    for unit in (
        "MICROSECOND",
        "MILLISECOND",
        "SECOND",
        "MINUTE",
        "HOUR",
        "DAY",
        "WEEK",
        "MONTH",
        "QUARTER",
        "YEAR",
        "DECADE",
        "CENTURY",
        "MILLENNIUM",
    )
    for plural in ("", "S")
) | {
    "DOW",
    "DOY",
    "EPOCH",
    "ISODOW",
    "ISOYEAR",
    "CENTURIES",
    "DAYOFWEEK",
    "DAYOFYEAR",
    "WEEKDAY",
    "WEEKISO",
    "YEARWEEK",
}
"""Units of EXTRACT, DATE_TRUNC and INTERVAL, which printers write without quotes."""

COLLATIONS = frozenset({"NOCASE", "BINARY", "RTRIM", "C", "POSIX", "DEFAULT", "UCS_BASIC"})
"""Collations, which printers write without quotes."""

BARE_WORDS = (
    UNITS
    | COLLATIONS
    | word_set(
        """
    LEFT RIGHT FULL INNER OUTER CROSS NATURAL SEMI ANTI ASOF ROWS RANGE GROUPS UNBOUNDED PRECEDING FOLLOWING
    OVER FIRST LAST NEXT BOTH LEADING TRAILING TIES NOT ALL
    """
    )
    | {"CURRENT ROW", "NO OTHERS", "LEFT OUTER"}
)
"""Every other word that a node may carry as a bare string."""

TYPES = word_set(
    """
    ARRAY BIGINT BINARY BIT BLOB BOOLEAN BPCHAR CHAR DATE DATETIME DECIMAL DOUBLE FLOAT INT INT128 INTERVAL
    JSON JSONB LIST LONGTEXT MEDIUMINT MEDIUMTEXT NCHAR NVARCHAR SMALLINT TEXT TIME TIMETZ TIMESTAMP
    TIMESTAMPLTZ TIMESTAMPNTZ TIMESTAMPTZ TINYINT TINYTEXT UBIGINT UINT USMALLINT UTINYINT UUID VARBINARY
    VARCHAR
    """
)
"""Types of CAST. No user types, no object identifiers (`regclass` looks a name up in the catalogue), no XML."""

_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")
_DURATION = re.compile(
    r"(?i)[-+]?\d{1,9}(?:\.\d{1,9})?"
    r"|[-+]?\d{1,9}(?:\.\d+)?\s*[a-z]{1,15}(?:\s+[-+]?\s?\d{1,9}(?:\.\d+)?\s*[a-z]{1,15})*(?:\s+ago)?"
    r"|(?:[-+]?\d{1,6}\s+days?\s+)?[-+]?\d{1,6}:\d\d(?::\d\d(?:\.\d{1,6})?)?|\d{1,4}-\d{1,2}"
)
_ZONE = re.compile(r"[A-Za-z][A-Za-z_]{0,30}(?:/[A-Za-z_+\-0-9]{1,30}){0,2}|[A-Za-z]{0,5}[+-]\d{1,2}(?::\d\d)?")
_WRITES = (exp.DML, exp.DDL, exp.Create, exp.Drop, exp.Alter, exp.TruncateTable, exp.Merge, exp.Copy)
_CLAUSES = {
    "locks": ("locks", "the query locks rows; only plain reading is allowed"),
    "into": ("writes", "SELECT INTO creates a table; only reading is allowed"),
    "sample": ("construct", "TABLESAMPLE is not allowed: an answer must not depend on chance"),
}
_PLACEHOLDERS = (exp.Placeholder, exp.Parameter, exp.SessionParameter)
_ODD_LITERALS = (
    exp.ByteString,
    exp.RawString,
    exp.UnicodeString,
    exp.HexString,
    exp.BitString,
    exp.National,
    exp.Heredoc,
    exp.Introducer,
)


def inspect(tree: exp.Expression, ours: bool = False) -> None:
    """Refuse a tree that holds anything that is not listed in this file or in `functions`.

    `ours`: the tree was read from a printed translation to SQLite.
    """
    stack: list[Any] = [tree]
    while stack:
        node = stack.pop()
        kind = type(node)
        allowed = STRUCTURE.get(kind)
        if allowed is None and kind not in OPERATORS:
            if not isinstance(node, exp.Func):
                _refuse_node(node)
            functions.inspect_call(node, ours)
        for name, value in node.args.items():
            if value is None or value is False or value == []:
                continue
            if allowed is not None and name not in allowed:
                _refuse_argument(node, name)
            for item in value if type(value) is list else (value,):
                if isinstance(item, exp.Expression):
                    stack.append(item)
                else:
                    _inspect_bare(node, name, item)
        special = _SPECIAL.get(kind)
        if special is not None:
            special(node)


def _inspect_bare(node: exp.Expression, name: str, value: object) -> None:
    """A value that is no node: a flag, a number, a type, or a word that is printed as it stands."""
    if isinstance(value, (bool, int)) or isinstance(node, (exp.Identifier, exp.DataType, exp.Var, exp.JSONPathKey)):
        return
    if isinstance(node, exp.Literal):
        if not node.is_string and not _NUMBER.fullmatch(node.this):
            raise Refused("construct", f"{node.this!r} is not a number", place=node.this)
        return
    if isinstance(node, exp.Anonymous) and name == "this":
        return  # functions.inspect_call has looked it up
    if isinstance(value, str) and value.upper() in BARE_WORDS:
        return
    raise Refused("bare-word", f"the word {value!r} is not allowed in {describe(node)}", place=str(value))


def _inspect_var(node: exp.Expression) -> None:
    if str(node.this).upper() not in BARE_WORDS:
        raise Refused(
            "bare-word",
            f"{node.this!r} is not a unit or keyword that may stand here",
            place=str(node.this),
            hint="Units: second, minute, hour, day, week, month, quarter, year.",
        )


def _inspect_type(node: exp.Expression) -> None:
    kind = getattr(node.this, "name", "")
    if isinstance(node.this, exp.Interval) and not node.this.args.get("this"):
        kind = "INTERVAL"
    if kind not in TYPES:
        raise Refused(
            "type",
            f"a cast to {piece(node)} is not allowed",
            place=piece(node),
            hint="Types: integer, bigint, numeric, float, text, varchar, boolean, date, time, timestamp, interval.",
        )


def _inspect_type_parameter(node: exp.Expression) -> None:
    if not (isinstance(node.this, exp.Literal) and not node.this.is_string and node.this.this.isdigit()):
        raise Refused("type", "the length of a type must be a plain number", place=piece(node))


def _inspect_collation(node: exp.Expression) -> None:
    name = node.expression.name if isinstance(node.expression, (exp.Var, exp.Identifier, exp.Column)) else ""
    if name.upper() not in COLLATIONS:
        raise Refused("bare-word", f"the collation {name!r} is not allowed", place=name)


def _inspect_json_key(node: exp.Expression) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_ ]{0,63}", str(node.this)):
        raise Refused("bare-word", "a key of a JSON path must be a plain name", place=str(node.this))


def inspect_duration(text: str) -> None:
    """Refuse a length of time that is not numbers with units."""
    if not _DURATION.fullmatch(text):
        raise Refused("bare-word", f"{text!r} is not a length of time", place=text)


def _inspect_interval(node: exp.Expression) -> None:
    """Printers join the number and the unit of an interval inside one pair of quotes."""
    if isinstance(node.this, exp.Literal):
        inspect_duration(node.this.this)
    unit = node.args.get("unit")
    if unit is not None and not isinstance(unit, (exp.Var, exp.IntervalSpan)):
        raise Refused("bare-word", "the unit of an interval must be a plain word", place=piece(node))


def _inspect_extract(node: exp.Expression) -> None:
    unit = node.this
    if isinstance(unit, exp.Literal) and unit.is_string and unit.this.upper() in UNITS:
        node.set("this", exp.Var(this=unit.this.upper()))
    elif not isinstance(unit, exp.Var) or str(unit.this).upper() not in UNITS:
        raise Refused("bare-word", f"{unit.name!r} is not a unit of EXTRACT", place=unit.name)


def _inspect_zone(node: exp.Expression) -> None:
    zone = node.args.get("zone")
    if not (isinstance(zone, exp.Literal) and zone.is_string and _ZONE.fullmatch(zone.this)):
        raise Refused("bare-word", "a time zone must be written as text, such as 'UTC'", place=piece(node))


_SPECIAL: dict[type[Any], Any] = {
    exp.Interval: _inspect_interval,
    exp.Extract: _inspect_extract,
    exp.AtTimeZone: _inspect_zone,
    exp.Var: _inspect_var,
    exp.DataType: _inspect_type,
    exp.DataTypeParam: _inspect_type_parameter,
    exp.Collate: _inspect_collation,
    exp.JSONPathKey: _inspect_json_key,
}


def _refuse_argument(node: exp.Expression, name: str) -> None:
    code, reason = _CLAUSES.get(
        name, ("construct", f"{name.rstrip('_').replace('_', ' ')} is not allowed in {describe(node)}")
    )
    raise Refused(code, reason, place=name.rstrip("_"))


def _refuse_node(node: exp.Expression) -> None:
    if isinstance(node, _WRITES):
        raise Refused("writes", f"{describe(node)} changes data; only reading is allowed", place=piece(node))
    if isinstance(node, exp.Into):
        raise Refused("writes", "SELECT INTO creates a table; only reading is allowed")
    if isinstance(node, exp.Lock):
        raise Refused("locks", "the query locks rows; only plain reading is allowed")
    if isinstance(node, _PLACEHOLDERS):
        raise Refused("placeholder", "the query holds a placeholder; write the value itself", place=piece(node))
    if isinstance(node, _ODD_LITERALS):
        raise Refused("literal", "only plain text in single quotes is allowed here", place=piece(node))
    if isinstance(node, exp.Dot):
        raise Refused("construct", "a field or function reached through a dot is not allowed", place=piece(node))
    if isinstance(node, exp.ObjectIdentifier):
        raise Refused("type", f"a cast to {node.name} is not allowed", place=piece(node))
    raise Refused("construct", f"{describe(node)} is not allowed", place=piece(node))
