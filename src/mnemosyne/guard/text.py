"""The text itself: what is refused before it is parsed. Knows no SQL beyond quotes and comments.

A text is screened in time linear in its length, so that a megabyte of brackets costs microseconds.
"""

from __future__ import annotations

import re
import unicodedata

from mnemosyne.guard.refused import Refused

MAX_CHARACTERS = 20_000
"""Longer texts are refused: the longest query of Spider has under 600 characters."""

MAX_DEPTH = 64
"""Brackets inside brackets. A tree of this depth stays far from Python's recursion limit."""

_QUOTED_OR_COMMENT = re.compile(
    r"""'(?:[^']|'')*'          # text
      | "(?:[^"]|"")*"          # a name
      | `(?:[^`]|``)*`          # a name, as SQLite also takes it
      | --[^\n]*
      | /\*.*?\*/
    """,
    re.VERBOSE | re.DOTALL,
)
_STRANGE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def screen(text: str) -> None:
    """Refuse a text that is empty, too long, too deeply nested, or holds characters that hide something."""
    if len(text) > MAX_CHARACTERS:
        raise Refused(
            "too-long",
            f"the text has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read",
            hint="Ask for less at once.",
        )
    if not text.strip():
        raise Refused("empty", "there is no SQL in the text")
    if not text.isascii() or not text.isprintable():
        _refuse_strange_characters(text)
    _refuse_depth(text)


def _refuse_strange_characters(text: str) -> None:
    for position, character in enumerate(text):
        if character in "\t\n\r" or (character.isascii() and character.isprintable()):
            continue
        if character == "\ufffd" or unicodedata.category(character) in _STRANGE_CATEGORIES:
            raise Refused(
                "strange-text",
                f"the character U+{ord(character):04X} at position {position} is invisible or a control character",
                place=f"position {position}",
            )
    if not text.isascii():
        _refuse_foreign_letters(text)


def _refuse_foreign_letters(text: str) -> None:
    """Letters beyond ASCII belong into quotes: outside they may look like the letters they are not."""
    bare = _QUOTED_OR_COMMENT.sub(lambda match: " " * len(match.group()), text)
    for position, character in enumerate(bare):
        if not character.isascii():
            raise Refused(
                "strange-text",
                f"the character {character!r} (U+{ord(character):04X}) stands outside quotes; "
                "keywords and names there are plain ASCII",
                place=f"position {position}",
            )


def _refuse_depth(text: str) -> None:
    if text.count("(") + text.count("[") <= MAX_DEPTH:
        return
    depth = 0
    for character in _QUOTED_OR_COMMENT.sub("", text):
        if character in "([":
            depth += 1
            if depth > MAX_DEPTH:
                raise Refused("too-deep", f"brackets are nested more than {MAX_DEPTH} deep")
        elif character in ")]":
            depth -= 1
