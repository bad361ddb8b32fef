"""The ways in which people write one stored value: its spelling, synonyms, words for codes, shortened names, first words."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mnemosyne.grounding.synonyms import Synonyms, is_exact, normal, singular
from mnemosyne.grounding.unknown import ordinary_stems
from mnemosyne.grounding.words import stem, vocabulary
from mnemosyne.schema import Column

How = Literal["spelling", "synonym", "code", "near", "beginning"]


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write one stored value."""

    table: str
    column: str
    value: str
    how: How
    listed: bool
    exact: str = ""
    """The only spelling that counts, for short synonyms; empty when case and punctuation do not matter."""
    written: str = ""
    """The form as the database or the synonym file writes it."""

    def is_written(self, run: str) -> bool:
        """Whether a run of the question is this form; small letters may be written as capitals."""
        run = unicodedata.normalize("NFKC", run).rstrip(".")  # NO₃ is NO3
        exact = unicodedata.normalize("NFKC", self.exact)
        return not exact or run == exact or (exact.islower() and run.lower() == exact)


def has_own_s(name: str) -> bool:
    """Whether an `'s` is part of a name, as of Wendy's."""
    return re.search("['’]s", name) is not None


def shared_beginnings(values: Iterable[str]) -> set[str]:
    """Beginnings, word by word, that several values of a column share: `legionella`, and no name of one of them."""
    seen: dict[str, int] = defaultdict(int)
    for value in values:
        words = re.split(r"[\s-]+", value)
        for n in range(1, len(words)):
            seen[normal(" ".join(words[:n]))] += 1
    return {beginning for beginning, count in seen.items() if count > 1}


def add_forms(
    forms: dict[str, list[Form]],
    known: Synonyms,
    table: str,
    column: Column,
    value: str,
    shared: set[str],
    said: Sequence[str] = (),
) -> None:
    """Every way to write one value: its own spelling, synonyms, what people shorten it to, and what `said` adds."""
    own = normal(value)
    listed = value in column.values
    if len(own) < 2 or own.isdigit():
        for form in dict.fromkeys(normal(word) for word in said):
            forms[form or value].append(Form(table, column.name, value, "code", listed))
        return
    forms[own].append(Form(table, column.name, value, "spelling", listed, "", value))
    others = [
        *said,
        *known.groups.get(own, ()),
        *_short_codes(value),
        *(_short_names(value) if "name" in column.name else ()),
    ]
    for member in dict.fromkeys(others):
        form = normal(member)
        if form != own and form not in shared:
            exact = member if is_exact(member) or form.isdigit() else ""
            forms[form].append(Form(table, column.name, value, "synonym", listed, exact, member))


def _short_codes(value: str) -> list[str]:
    """How people shorten a code: `ISO 9308-1` is `9308-1`, and `ISO 9308` where no other part is stored."""
    match = re.fullmatch(r"([A-Z][A-Za-z]{1,5}) ?(\d{3,})-(\d{1,2})", value)
    return [f"{match[2]}-{match[3]}", f"{match[1]} {match[2]}"] if match else []


def add_codes(forms: dict[str, list[Form]], known: Synonyms, table: str, column: Column, values: Sequence[str]) -> None:
    """Words for the codes of a column that stores nothing but codes."""
    for code in known.codes:
        if len(values) < 2 or not set(values) <= set(code):
            continue
        for value in values:
            listed = value in column.values
            for word in code[value]:
                exact = word[1:] if word.startswith("=") else ""
                forms[normal(word)].append(Form(table, column.name, value, "code", listed, exact))
            if not normal(value):
                forms[value].append(Form(table, column.name, value, "code", listed))


def _short_names(value: str) -> list[str]:
    """How people shorten a name of three words or more: `Ivybridge Borough Council` is `Ivybridge Council`."""
    words = value.split()
    return (
        [" ".join((words[0], words[-1]))]
        if len(words) > 2 and words[0][:1].isupper() and words[-1][:1].isupper()
        else []
    )


SHORTEST_BEGINNING = 4
"""Letters of a first word that names anything."""


def first_words(forms: Mapping[str, Sequence[Form]]) -> dict[str, list[Form]]:
    """First words of stored names, `kestrel` of `Kestrel Foods`, and the names that begin with them.

    A name stands in a column of names, has two words or more and no word of any sentence: `Detection of …` describes.
    """
    found: dict[str, list[Form]] = defaultdict(list)
    for places in forms.values():
        for place in places:
            words = place.value.split()
            if place.how != "spelling" or "name" not in place.column.lower() or len(words) < 2:
                continue
            first = normal(words[0])
            if (
                first.isalpha()
                and len(first) >= SHORTEST_BEGINNING
                and not vocabulary("stop") & {w.lower() for w in words}
            ):
                found[first].append(place)
    return dict(found)


def is_of_people(table: str) -> bool:
    """Whether a table holds people, by its name."""
    return bool(table_words(table) & vocabulary("people"))


def table_words(table: str) -> set[str]:
    """The words of a table's name in singular; its namespace, the part before the last dot, says nothing."""
    return {singular(normal(word)) for word in table.rsplit(".", 1)[-1].split("_")}


def add_beginnings(forms: dict[str, list[Form]], known: Synonyms, taken: Iterable[str]) -> None:
    """First words that one stored name alone begins with, and that mean nothing else: no form, synonym or `taken` word.

    None of people: whose first name is said has mostly signed the question, or sent it.
    """
    others = {*forms, *known.groups, *taken}
    spelt: dict[str, set[str]] = defaultdict(set)
    for places in forms.values():
        for place in places:
            for word in place.value.split():
                spelt[normal(word)].add(normal(place.value))
    for first, places in first_words(forms).items():
        name = normal(places[0].value)
        elsewhere = any(name not in other for other in spelt[first])
        if len({place.value for place in places}) > 1 or first in others or elsewhere:
            continue
        if stem(first) not in ordinary_stems() and not any(is_of_people(place.table) for place in places):
            forms[first] += [replace(place, how="beginning") for place in places]
