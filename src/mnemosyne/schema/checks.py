"""Closed value lists out of CHECK conditions, in the spelling of every engine.

status IN ('a', 'b')
((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))
status IS NULL OR status = 'a' OR status = 'b'
"""

from __future__ import annotations

import re
from dataclasses import replace

from mnemosyne.schema import canonical_type
from mnemosyne.schema.tokens import Token, tokenize

Values = tuple[str | int | float, ...]

_AFTER_CAST = {"AND", "OR", "IN", "IS", "NOT", "BETWEEN", "LIKE"}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
_NUMERIC = ("INTEGER", "FLOAT", "NUMERIC")


def value_lists(condition: list[Token] | str) -> dict[str, Values]:
    """Column to its closed list, for each column that the condition restricts to one."""
    tokens = tokenize(condition) if isinstance(condition, str) else condition
    lists: dict[str, Values] = {}
    for part in _split(_strip(_without_casts(tokens)), "AND"):
        found = _alternatives(_strip(part))
        if found is not None and found[1]:
            lists[found[0]] = found[1]
    return lists


def _alternatives(tokens: list[Token]) -> tuple[str, Values] | None:
    """The one column and the values that a chain of ORs allows, None when it is anything else."""
    column, values = "", []
    for part in _split(tokens, "OR"):
        found = _one_list(_strip(part))
        if found is None or (column and found[0].lower() != column.lower()):
            return None
        column = found[0]
        values += found[1]
    return column, tuple(dict.fromkeys(values))


def _one_list(tokens: list[Token]) -> tuple[str, list[str | int | float]] | None:
    """`c IN (…)`, `c = ANY (ARRAY[…])`, `c = literal` or `c IS NULL`."""
    split = next((i for i, token in enumerate(tokens) if token.text.upper() in ("IN", "=", "IS") and i), 0)
    left, right = _strip(tokens[:split]), tokens[split + 1 :]
    if len(left) != 1 or left[0].kind not in ("word", "quoted") or not right:
        return None
    words = [token.text.upper() for token in right]
    operator = tokens[split].text.upper()
    if operator == "IS":
        return (left[0].text, []) if words == ["NULL"] else None
    if operator == "=" and words[0] == "ANY":
        inner = _strip(right[1:])
        if inner and inner[0].text.upper() == "ARRAY":
            inner = inner[1:]
        values = _literals([token for token in inner if token.kind == "string" or token.text not in "[]()"])
    elif operator == "IN":
        values = _literals(_strip(right))
    else:
        values = _literals(_strip(right))
        values = values if values is not None and len(values) == 1 else None
    return None if values is None else (left[0].text, values)


def _literals(tokens: list[Token]) -> list[str | int | float] | None:
    """The literals of a list, None when anything in it is no literal."""
    values: list[str | int | float] = []
    for item in _split(tokens, ","):
        item = _strip(item)
        sign = -1 if item and item[0].text == "-" and item[0].kind != "string" else 1
        item = item[1:] if sign < 0 else item
        if len(item) != 1:
            return None
        if item[0].kind == "string" and sign > 0:
            values.append(item[0].text)
        elif item[0].kind == "number":
            text = item[0].text
            values.append(sign * (float(text) if set(text.lower()) & set(".e") else int(text)))
        else:
            return None
    return values or None


def _without_casts(tokens: list[Token]) -> list[Token]:
    """Tokens without `::type`; PostgreSQL prints -2 as '-2'::integer, which is a number again."""
    kept: list[Token] = []
    position = 0
    while position < len(tokens):
        if tokens[position].text != "::" or tokens[position].kind != "op":
            kept.append(tokens[position])
            position += 1
            continue
        start = position = position + 1
        while position < len(tokens) and _in_type(tokens[position]):
            position += 1
        written = " ".join(token.text for token in tokens[start:position])
        literal = kept[-1] if kept and kept[-1].kind == "string" and _NUMBER.fullmatch(kept[-1].text) else None
        if literal is not None and canonical_type(written) in _NUMERIC:
            kept[-1] = replace(literal, kind="number")
        if position < len(tokens) and tokens[position].text == "(":
            while position < len(tokens) and tokens[position].text != ")":
                position += 1
            position += 1
        while position < len(tokens) and tokens[position].text in ("[", "]"):
            if tokens[position].text == "]" and tokens[position - 1].text != "[":
                break
            position += 1
    return kept


def _in_type(token: Token) -> bool:
    if token.kind == "op":
        return token.text == "."
    return token.kind in ("word", "quoted") and token.text.upper() not in _AFTER_CAST


def _strip(tokens: list[Token]) -> list[Token]:
    """Tokens without parentheses around the whole."""
    while len(tokens) > 1 and tokens[0].text == "(" and tokens[0].kind == "op" and _closing(tokens) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _closing(tokens: list[Token]) -> int:
    depth = 0
    for position, token in enumerate(tokens):
        if token.kind == "op":
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0:
                return position
    return -1


def _split(tokens: list[Token], separator: str) -> list[list[Token]]:
    """Split at a word or sign outside parentheses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.kind == "op":
            depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
        if depth == 0 and token.kind in ("word", "op") and token.text.upper() == separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
