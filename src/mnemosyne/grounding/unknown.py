"""Words of a question that nothing here knows: no table, column, value, synonym or lexicon entry, and no ordinary word.

Only brief questions are looked at, where every word is needed; in a longer one an unknown word may be said in passing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from mnemosyne.grounding.words import stem, vocabulary

SHORTEST = 4
"""Letters of a word that says anything."""

BRIEF = 12
"""Words of a question in which each must be known; longer ones explain themselves in words of their own."""

LONG = 7
"""Letters of a word that may hold two slips of the finger."""

ADVERBS = ("ly", "est", "ing", "wise", "ish", "able", "ible", "ful", "less", "ive", "ous", "ical")
"""Endings of words that name nothing by themselves."""


def unknown_words(text: str, is_known: Callable[[str], bool], names: Iterable[str] = ()) -> list[str]:
    """The words of the clauses that ask which name something that nothing here knows, in lower case, in order.

    `names` are known words as they are spelt, to tell slips of the finger.
    """
    found: list[str] = []
    before, spelt = "", frozenset(names)
    for match in re.finditer(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|[^\w\s'’]|\d+", text):
        said = match.group()
        word = re.sub(r"['’]s?$", "", said.lower().replace("’", "'"))
        opens = not before or before in ".?!;:"
        is_name = (said[:1].isupper() and not opens) or said.isupper()
        if not is_name and word[:1].isalpha() and len(word) >= SHORTEST and not _is_plain(word, is_known, spelt):
            found.append(word)
        before = word if word.isalpha() or opens else said
    return list(dict.fromkeys(found))


def _is_plain(word: str, is_known: Callable[[str], bool], names: Iterable[str]) -> bool:
    if word.endswith(ADVERBS) or "'" in word:
        return True
    parts = [word, *word.split("-"), *(re.sub(r"^(un|non|re|sub|over|under|pre|co)", "", part) for part in (word,))]
    return any(is_known(part) or stem(part) in ordinary_stems() for part in parts) or _is_misspelt(word, names)


def _is_misspelt(word: str, names: Iterable[str]) -> bool:
    """Whether one slip of the finger (two in a long word) made it of a known word with the same first letter."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    slips = 2 if len(word) > LONG else 1
    pool = [*_by_letter().get(word[0], ()), *(name for name in names if name[:1] == word[0])]
    return process.extractOne(word, pool, scorer=OSA.distance, score_cutoff=slips) is not None


@lru_cache(maxsize=1)
def _by_letter() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for word in {word for kind in KINDS for word in vocabulary(kind) if len(word) > 3}:
        found.setdefault(word[0], []).append(word)
    return {letter: tuple(words) for letter, words in found.items()}


@lru_cache(maxsize=1)
def ordinary_stems() -> frozenset[str]:
    """Stems of the words that questions about any database are made of, and of those that any laboratory uses."""
    return frozenset(stem(word) for kind in KINDS for word in vocabulary(kind))


KINDS = (
    "people states stop asking measures periods doing overseeing requests happenings plain written general laboratory ordinary"
).split()
