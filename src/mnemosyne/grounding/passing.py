"""What the words around a value say of it: meant, said in passing, or short for a name.

A value is said in passing when it is part of another name, a unit after a number, the post or the desk of who asks;
it need not hold when the question says that any value will do, or only what the answer is for.
"""

from __future__ import annotations

import re
from functools import lru_cache

from mnemosyne.grounding.forms import Form, is_of_people
from mnemosyne.grounding.runs import Text
from mnemosyne.grounding.synonyms import EXACT_CHARACTERS
from mnemosyne.grounding.words import vocabulary


def is_chatter(place: Form, text: Text, run: str, before: str, after: str) -> bool:
    """Whether a value is only said in passing: part of a name, the unit after a number, the post of who asks."""
    name = re.search(r"\b([A-Z]\w+) $", before)
    after_a_name = name is not None and name[1].lower() not in vocabulary("stop")
    capitals = all(word[:1].isupper() for word in run.split())
    if place.how == "synonym" and after_a_name and capitals and len(run) > EXACT_CHARACTERS:
        return True
    if UNIT.search(place.column) and re.search(r"\d\s*$", before):
        return True
    if run.lower() in POSTS and POST_BEFORE.search(before) and not MEASURED.match(after):
        return True
    if KINDS.search(place.column) and OPENS.search(before) and ASKS.match(after):
        return True
    if not is_of_people(place.table) or "name" in place.column:
        return False
    if place.how == "synonym" and not text.asked & vocabulary("people"):
        return True
    if (HERE.search(before) and re.match(r",? (we|I)\b", after)) or re.match(r" (date|time)s?\b", after):
        return True
    return bool(
        re.search(r"(?i)(\b(I am|I'm)|(^|[.,:;]\s*)as)( the| a| an)? $", before)
        or re.match(r" (asks|wants|needs|here)\b", after)
    )


POSTS = frozenset({"lead"})
"""Names of determinands that are posts as well."""

POST_BEFORE = re.compile(
    r"\b(shift|team|section|group|department|desk|office|marketing|sales|quality|project|technical|bench|account|services?)"
    r" $|\b(who|will|would|may|might|could) $",
    re.IGNORECASE,
)
"""What a lead leads, or the help of a verb."""

MEASURED = re.compile(r" (result|test|level|reading|value|failure|concentration|sample)s?\b", re.IGNORECASE)
"""What follows the name of something measured."""

OPENS = re.compile(r"(^|[.!?;:]\s+)((the|an?|our|one|some) )?$", re.IGNORECASE)
ASKS = re.compile(
    r" (has |have |is |are )?(ask(s|ed|ing)?|want(s|ed)?|call(s|ed)?|rang|wr(ote|ites?)|complain(s|ed)?)\b"
)
"""Who asked for an answer is not what it is about: `Environmental Agency asked about …`."""

HERE = re.compile(r"(^|[.!?;:]\s+)(here )?(in|at|from) (the )?$", re.IGNORECASE)
"""Where those who ask sit: `In reception we …`."""

UNIT = re.compile(r"(^|_)(unit|units|uom)(_|$)", re.IGNORECASE)


KINDS = re.compile(r"(^|_)(type|kind|category|class|technique|unit|units|uom)(_|$)", re.IGNORECASE)
"""Columns that say of what kind a thing is."""


def is_short_name(text: Text, start: int) -> bool:
    """Whether a first word stands for a whole name: written as a name, or in small letters where a name stands."""
    if text.goes_on_as_a_name(start):
        return False  # the name of something else
    word, before = text.words[start], text.words[start - 1] if start else ""
    if word[:1].isupper() and not text.opens_sentence(start):
        ends_a_name = before[:1].isupper() and text.question[: text.spans[start][0]].endswith(f"{before} ")
        return not ends_a_name or before.lower() in plain_words()
    follows = re.match(r" ([\w'’-]+)", text.question[text.spans[start][1] :])
    return before.lower() not in {"a", "an", "the"} and (follows is None or follows[1].lower() in plain_words())


def is_optional(before: str, after: str) -> bool:
    """Whether a value need not hold by what stands around it: `urgent or not`, `for the dairy audit`."""
    if EITHER_WAY.match(after) or COUNTED_IN.search(before):
        return True
    return bool(
        (OF_THE_REQUEST.search(before) and re.match(r"\s*([,.;:!–-]|but\b)", after))
        or (PURPOSE.search(before) and OCCASION.match(after))
    )


EITHER_WAY = re.compile(
    r"( (ones|samples|jobs|results|clients|work))?( or not\b| alike\b| included\b)"
    r"|((,| and| or| &) ?[\w' -]{2,30}?){1,3} alike\b",
    re.IGNORECASE,
)
"""What follows a value that all others are as good as."""

COUNTED_IN = re.compile(r"\b(including|incl\.?|whether|regardless of|no matter if|be (it|they)) $", re.IGNORECASE)
"""What stands before a value that is not to be left out."""

OF_THE_REQUEST = re.compile(
    r"(^|[.!?;:]\s+)(not|nothing|it'?s( not)?|this is( not)?)( very| that| so)? $", re.IGNORECASE
)
"""What stands before a word about the request itself: `Not urgent, but …`."""

PURPOSE = re.compile(
    r"\b(for|before|after|during|ahead of) (the|our|an?|this|today's|tomorrow's)( [\w-]+)? $", re.IGNORECASE
)
OCCASION = re.compile(
    r" (audit|meeting|visit|inspection|newsletter|review|presentation|tender|call|board|paper)s?\b", re.IGNORECASE
)
"""What an answer is for, around a value."""


def is_entitled(text: Text, start: int, column: str) -> bool:
    """Whether a value that is also its table's noun is said as a value: `job title analyst`, `employed as analyst`."""
    before = text.question[: text.spans[start][0]].lower()
    parts = "|".join(re.escape(part) for part in column.lower().split("_"))
    return bool(re.search(rf"\b(({parts}) (is |are |not |as )*|as (an? |the )?)['\"‘“]?$", before))


@lru_cache(maxsize=1)
def plain_words() -> frozenset[str]:
    """Words that are spelt right: no misspelt value."""
    return frozenset(word for kind in PLAIN for word in vocabulary(kind))


PLAIN = ("stop", "asking", "measures", "periods", "people", "states", "happenings", "doing", "overseeing", "general")
