"""Plain English: choices in templates, plurals, lists, numbers, dates, and noun phrases that agree. No SQL here."""

from __future__ import annotations

import re
from datetime import date
from random import Random

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")

MACROS: dict[str, str] = {
    "LIST": "[List|List|Show|Show me|Give me|Display|Get|Find|Pull up|Return|I need|I'd like to see|Can you list|"
    "Could you show me|Please list|Please show|Let me see|Fetch|Print|Provide|I want to see|Get me|Find me]",
    "CALC": "[Calculate|Compute|Work out|Give me|Show|Show me|Find|Determine|Get|Report|I need|Return|"
    "Can you work out|Could you calculate|Please calculate|Tell me]",
    "WHAT": "[What is|What's|What was|Could you tell me|Do you know]",
    "PER": "[per|by|for each|for every]",
    "ALL": "[|||all |all the |the |every one of the ]",
    "PLS": "[|||| please|, please]",
    "NONE": "[including those with none|counting those with none as zero|also those that have none|"
    "include the ones without any|including those without any]",
}
"""Choices shared by many templates."""


def expand(template: str, rng: Random, slots: dict[str, str] | None = None) -> str:
    """`[a|b]` becomes one of its branches (innermost first), `{x}` the slot or macro of that name."""
    text = template
    for _ in range(4):
        text = _SLOT.sub(lambda m: MACROS.get(m.group(1), m.group(0)), text)
    while True:
        match = _CHOICE.search(text)
        if match is None:
            break
        text = text[: match.start()] + rng.choice(match.group(1).split("|")) + text[match.end() :]
    filled = _SLOT.sub(lambda m: (slots or {})[m.group(1)], text)
    return re.sub(r"\s+([,.?;])", r"\1", re.sub(r"\s+", " ", filled)).strip()


_IRREGULAR = {
    "matrix": "matrices", "analysis": "analyses", "person": "people", "child": "children", "man": "men",
    "woman": "women", "staff": "staff", "status": "statuses", "category": "categories", "series": "series",
    "information": "information", "basis": "bases", "index": "indexes", "medium": "media", "data": "data",
    "equipment": "equipment", "address": "addresses", "LOD": "LODs",
}  # fmt: skip


def plural(noun: str) -> str:
    """The plural of a noun phrase: its head is the word before ` of `, ` in ` or ` on `, else the last word."""
    for link in (" of ", " in ", " on ", " from ", " to ", " for "):
        if link in noun:
            head, rest = noun.split(link, 1)
            return f"{plural(head)}{link}{rest}"
    head, _, word = noun.rpartition(" ")
    if word in ("taken", "received", "reported"):
        return f"{plural(head)} {word}"
    if word in _IRREGULAR:
        made = _IRREGULAR[word]
    elif re.search(r"[^aeiou]y$", word):
        made = word[:-1] + "ies"
    elif re.search(r"(s|x|z|ch|sh)$", word):
        made = word + "es"
    else:
        made = word + "s"
    return f"{head} {made}".strip()


def article(noun: str) -> str:
    """`a` or `an` before the noun."""
    if re.match(r"(?i)(e\.|lod|mpn|rte|sw\b)", noun):
        return f"an {noun}"
    return (
        f"{'an' if noun[:1].lower() in 'aeiou' and not noun.lower().startswith(('uni', 'use', 'eu')) else 'a'} {noun}"
    )


def listing(items: list[str], last: str = "and") -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


_SMALL = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def number(value: float, rng: Random, words: float = 0.2) -> str:
    """A number as a person types it; small ones are sometimes spelt out."""
    if value == int(value):
        whole = int(value)
        if 0 <= whole <= 12 and rng.random() < words:
            return _SMALL[whole]
        return f"{whole:,}" if whole >= 10_000 and rng.random() < 0.5 else str(whole)
    return f"{value:g}"


MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def day(value: date, rng: Random) -> str:
    """A date as people write it, never in a form that two countries read differently."""
    month = MONTHS[value.month - 1]
    words = f"{value.day} {month} {value.year}"
    return rng.choice(
        [
            value.isoformat(),
            value.isoformat(),
            words,
            words.replace(month, month[:3]),
            f"{month} {value.day}, {value.year}",
        ]
    )


def noun_phrase(noun: str, pre: list[str], post: list[tuple[int, str]]) -> str:
    """Adjectives, noun, then what follows it: short phrases first, relative clauses last, joined by `and`."""
    after: list[str] = []
    relatives = 0
    for _, text in sorted(post, key=lambda item: item[0]):
        if re.match(r"(that|which|who|whose|where) ", text):
            relatives += 1
            if relatives > 1:
                text = f"and {text}"
        after.append(text)
    return " ".join([*pre, noun, *after])


def relative(text: str) -> bool:
    """Whether a phrase is or holds a relative clause."""
    return re.search(r"(^| )(that|which|who|whose|where) ", text) is not None


def rank(text: str) -> int:
    """Where a phrase stands after its noun: prepositions 0, participles 1, relative clauses 3."""
    if re.match(r"(that|which|who|whose|where) ", text):
        return 3
    if relative(text):
        return 2
    if re.match(r"(of|for|from|in|on|by|with|without|using|at|other|outside|above|below|over|under)\b", text):
        return 0
    return 1
