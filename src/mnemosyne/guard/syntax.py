"""Why a text is no SQL, in a sentence for a person and for a model that repairs: what, where, near what, what to do.

The parser stops where it can go on no longer, which is seldom where the mistake is, and speaks of its own classes.
Here the text is looked at once more, for the mistakes that models make. Nothing is permitted or repaired here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlglot.tokenizer_core import Token

from mnemosyne.guard.refused import Refused

NEAR = 24
"""Characters of the text shown on either side of the place, at most."""

_PIECES = re.compile(
    r"""(?P<text>'(?:[^']|'')*(?P<endtext>')?)
      | (?P<name>"(?:[^"]|"")*(?P<endname>")?)
      | (?P<tick>`[^`]*(?P<endtick>`)?)
      | (?P<line>--[^\n]*)
      | (?P<comment>/\*(?:(?!\*/).)*(?P<endcomment>\*/)?)
      | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENS = frozenset({"SELECT", "WITH", "(", "VALUES", "FROM", "TABLE"})
_PROSE = re.compile(
    r"(?:;|\n[ \t]*\n)\s*(?P<words>(?!(?:SELECT|WITH|UNION|FROM|WHERE|ORDER|GROUP)\b)[A-Za-z][^\n]*)", re.I
)
_FORMS = {
    "EXTRACT": "EXTRACT is written EXTRACT(YEAR FROM column).",
    "CAST": "CAST is written CAST(value AS type).",
    "CASE": "Close CASE with END: CASE WHEN condition THEN value ELSE value END.",
    "BETWEEN": "BETWEEN is written value BETWEEN low AND high.",
    "GROUP": "Write GROUP BY.",
    "ORDER": "Write ORDER BY.",
    "PARTITION": "Write PARTITION BY.",
}
"""The forms that models forget, by their first word."""

_ONLY_SQL = "Write only the query, beginning with SELECT or WITH."
_KEYWORD = re.compile(
    r"(?i)select|from|where|group|order|having|limit|offset|join|on|and|or|not|in|is|as|by|case|when|then|else|end|union|"
    r"with|distinct|between|like|left|right|full|inner|cross|using|desc|asc|table|user|default|check|all|any|into|for"
)


def explain(text: str, error: Exception, tokens: Sequence[Token] = ()) -> Refused:
    """The refusal of a text that the parser gave up on. `tokens`: its words, none when a quote hid where they end."""
    if not tokens:
        return _unclosed(text) or _refused(text, "the text is not SQL that can be read", 0, _ONLY_SQL)
    at = _stuck(error, tokens)
    return (
        _prose_in_front(text, tokens)
        or _prose_behind(text, tokens[at])
        or _form(text, error, tokens, at)
        or _bracket(text, tokens, at)
        or _missing(text, error, tokens, at)
    )


def place(text: str, position: int) -> str:
    """`line 2, column 7` of a position in the text."""
    before = text[:position]
    return f"line {before.count(chr(10)) + 1}, column {position - (before.rfind(chr(10)) + 1) + 1}"


def _refused(text: str, what: str, position: int, hint: str) -> Refused:
    where = place(text, position)
    before, after = text[max(0, position - NEAR) : position], text[position : position + NEAR]
    start = before[before.find(" ") + 1 :] if position > NEAR and " " in before else before
    end = after[: after.rfind(" ")] if len(text) > position + NEAR and " " in after.strip() else after
    near = " ".join((start + end).split())
    return Refused("syntax", f"{what} at {where}" + (f", near: {near}" if near else ""), place=where, hint=hint)


def _unclosed(text: str) -> Refused | None:
    """A quote or comment that runs to the end of the text."""
    inner = None  # a text that ends in front of a letter: 'Farmer's
    for match in _PIECES.finditer(text):
        closed = match["endtext"] or match["endname"] or match["endtick"] or match["endcomment"]
        opening = match[0][0]
        if opening == "'" and closed and re.match(r"[A-Za-z]", text[match.end() : match.end() + 1]):
            inner = inner or match
        if closed or match["line"] is not None or match["other"] is not None:
            continue
        if opening == "'" and inner is not None:
            what = f"the quote after {_cut(inner[0][:-1])} ends the text there"
            return _refused(text, what, inner.end() - 1, "Write a quote inside a text twice: 'Farmer''s tank'.")
        if opening == "/":
            return _refused(text, "a comment is never closed", match.start(), "Leave the comment out.")
        what = "a text in quotes is never closed" if opening == "'" else "a name in quotes is never closed"
        return _refused(text, what, match.start(), f"Close it with {opening}, or leave the quote out.")
    return None


def _stuck(error: Exception, tokens: Sequence[Token]) -> int:
    """The index of the token at which the parser stopped; the last one when it does not say."""
    details: dict[str, Any] = (getattr(error, "errors", None) or [{}])[0]
    where = (details.get("line"), details.get("col"))
    return next((n for n, token in enumerate(tokens) if (token.line, token.col) == where), len(tokens) - 1)


def _prose_in_front(text: str, tokens: Sequence[Token]) -> Refused | None:
    if tokens[0].text.upper() in _OPENS or not tokens[0].text[:1].isalpha():
        return None
    return _refused(text, f"the text begins with {tokens[0].text}, which begins no query", 0, _ONLY_SQL)


def _prose_behind(text: str, stuck: Token) -> Refused | None:
    """Words after a semicolon or an empty line, up to where the parser stopped."""
    for match in _PROSE.finditer(text):
        if match.start("words") <= stuck.start <= match.end():
            return _refused(
                text, "after the query stands text that is no SQL", match.start("words"), "Write only the query."
            )
    return None


def _form(text: str, error: Exception, tokens: Sequence[Token], at: int) -> Refused | None:
    """A known form that is written wrongly: EXTRACT, CAST, CASE, BETWEEN, GROUP without BY, WITH without brackets."""
    said = str((getattr(error, "errors", None) or [{}])[0].get("description") or "")
    before = tokens[at - 1].text.upper() if at else ""
    if before in ("GROUP", "ORDER", "PARTITION") and tokens[at].text.upper() != "BY":
        return _refused(text, f"{before} is not followed by BY", tokens[at].start, _FORMS[before])
    if said == "Expecting (" and any(token.text.upper() == "WITH" for token in tokens[:at]):
        hint = "Put the query of WITH in brackets: WITH name AS (SELECT …) SELECT …"
        return _refused(text, f"( is missing before {tokens[at].text}", tokens[at].start, hint)
    for word in ("EXTRACT", "CAST", "CASE", "BETWEEN"):
        if not re.search(rf"after {word}\b|\.{word}|\.{word}\w*'", said, re.IGNORECASE):
            continue
        opened = [token for token in tokens[: at + 1] if token.text.upper() == word]
        if opened:
            what = f"{word} is not closed" if word == "CASE" else f"{word} is not complete"
            return _refused(text, what, opened[-1].start, _FORMS[word])
    return None


def _bracket(text: str, tokens: Sequence[Token], at: int) -> Refused | None:
    """A bracket that is never closed, or that closes nothing; the innermost in front of where the parser stopped."""
    opened: list[Token] = []
    for token in tokens:
        if token.text in ("(", "[") and token.end == token.start:
            opened.append(token)
        elif token.text in (")", "]") and token.end == token.start:
            if not opened:
                return _refused(
                    text,
                    f"{token.text} closes nothing",
                    token.start,
                    f"Leave it out, or add the opening {'(' if token.text == ')' else '['}.",
                )
            opened.pop()
    if not opened:
        return None
    inner = [token for token in opened if token.start <= tokens[at].start] or opened
    mark = ")" if inner[-1].text == "(" else "]"
    stop = tokens[at]
    if at >= len(tokens) - 1:
        what, hint = (
            f"the query ends before {inner[-1].text} is closed",
            f"Add {mark}; a query that was cut is written anew, shorter.",
        )
    else:
        what, hint = f"{inner[-1].text} is not closed before {_cut(stop.text)}", f"Add {mark} before {_cut(stop.text)}."
    return _refused(text, what, inner[-1].start, hint)


def _missing(text: str, error: Exception, tokens: Sequence[Token], at: int) -> Refused:
    """Something is missing where the parser stopped, or stands there that nobody expected."""
    said = str((getattr(error, "errors", None) or [{}])[0].get("description") or "")
    stuck, word = tokens[at], _cut(_written(text, tokens[at]))
    last = at >= len(tokens) - 1
    if said.startswith("Expected table name"):
        return _refused(
            text, f"{word} stands where the name of a table belongs", stuck.start, "Name a table of the schema."
        )
    if last and (said.startswith("Required keyword") or _KEYWORD.fullmatch(stuck.text)):
        return _refused(
            text,
            f"the query ends after {word}, where something must follow",
            stuck.start,
            "Write the whole query; a query that was cut is written anew, shorter.",
        )
    if said.startswith("Required keyword"):
        return _refused(
            text,
            f"a value or condition is missing at {word}",
            stuck.start,
            f"Write what belongs there, or leave {word} out.",
        )
    if expected := re.fullmatch(r"Expecting (\S)", said):
        return _refused(
            text, f"{expected[1]} is missing before {word}", stuck.start, f"Add {expected[1]}, or what belongs between."
        )
    hint = "Leave it out, or write what is missing before it."
    if _KEYWORD.fullmatch(stuck.text):
        hint = f'As a name, {word} must be quoted: "{stuck.text}". Else write what is missing before it.'
    elif set(stuck.text) <= {".", "<", "{", "["}:
        hint = "Write the name or value itself, no placeholder."
    return _refused(text, f"{word} is not expected there", stuck.start, hint)


def _written(text: str, token: Token) -> str:
    """A token as it stands in the text, quotes included."""
    return text[token.start : token.end + 1] or token.text


def _cut(word: str) -> str:
    return word if len(word) <= NEAR else word[: NEAR - 1] + "…"
