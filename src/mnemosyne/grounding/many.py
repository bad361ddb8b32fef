"""The names of columns that store thousands of them, found in questions by stricter rules than other values.

Among thousands of names there is one for nearly every word of a question, and one near to every other. So a run of
words is such a name only when nothing else explains it: it holds a word that nothing else here knows, or is written
with capitals or in quotes. First words, shortened names and single misspelt words stand for none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache

from mnemosyne.grounding.forms import Form, has_own_s
from mnemosyne.grounding.runs import Text
from mnemosyne.grounding.synonyms import Synonyms, is_exact, normal
from mnemosyne.grounding.unknown import LONG, ordinary_stems
from mnemosyne.grounding.words import stem
from mnemosyne.schema import Column, Table

MISSPELT_WORDS = range(2, 6)
"""Words of a name in which one may be misspelt."""

SHORTEST_MISSPELT = 5
"""Letters of a word that may be misspelt."""

QUOTES = frozenset("'\"‘“’”")


class ManyNames:
    """Names of large columns, ready to be matched against runs of a question."""

    def __init__(
        self,
        stored: Iterable[tuple[Table, Column, Sequence[str]]] = (),
        synonyms: Synonyms | None = None,
        explained: Iterable[str] = (),
    ) -> None:
        """`explained` are the words of the schema, of other stored values and of the lexicon."""
        groups = synonyms.groups if synonyms is not None else {}
        self._forms: dict[str, list[Form]] = defaultdict(list)
        self._ends: dict[tuple[int, int, str], list[str]] = defaultdict(list)
        written: set[str] = set()
        for table, column, values in stored:
            for value in values:
                own = normal(value)
                if len(own) < 2 or own.isdigit():
                    continue
                self._forms[own].append(Form(table.full_name, column.name, value, "spelling", False, "", value))
                written.update(value.split())
                for member in groups.get(own, ()):
                    exact = member if is_exact(member) else ""
                    if (form := normal(member)) != own:
                        self._forms[form].append(
                            Form(table.full_name, column.name, value, "synonym", False, exact, member)
                        )
        for form, places in self._forms.items():
            words = _words(places[0].written)
            if len(words) in MISSPELT_WORDS:
                for end in (0, -1):
                    self._ends[len(words), end, words[end]].append(form)
        self.words = frozenset(normal(word) for word in written)
        """Every word of a name."""
        self._stems = {stem(part) for text in explained for part in _parts(text)} if self._forms else set()

    def __len__(self) -> int:
        return len(self._forms)

    def match(self, text: Text, start: int, end: int) -> tuple[list[Form], float] | None:
        """The names that a run of the question is, with their similarity to it."""
        if not self._forms:
            return None
        if places := self.spelt(text, start, end):
            return places, 100.0
        return self._near(text, start, end) if end - start in MISSPELT_WORDS else None

    def spelt(self, text: Text, start: int, end: int) -> list[Form]:
        """The names that a run of the question spells."""
        words = text.words[start:end]
        owned = [form for form in self._forms.get("".join(map(normal, words)), ()) if has_own_s(form.value)]
        known = owned or self._forms.get("".join(map(_normal, words)), [])
        places = [place for place in known if place.is_written(text.run(start, end))]
        return places if places and self._is_meant(text, start, end, text.words[start:end]) else []

    def _is_meant(self, text: Text, start: int, end: int, written: Sequence[str]) -> bool:
        """Whether the words of a name, in their place in the question, are no others."""
        quoted = _is_quoted(text, start, end)
        if not quoted and self._is_part_of_another(text, start, end):
            return False
        telling = not all(map(self._is_explained, written))
        capitals = all(not word[:1].islower() or word in JOINING for word in text.words[start:end])
        if end - start == 1:
            alone = (
                telling and not text.opens_sentence(start) and not GOES_ON.match(text.question[text.spans[start][1] :])
            )
            return capitals and (quoted or alone)
        return telling or capitals

    def _is_explained(self, word: str) -> bool:
        """Whether a word has a meaning without any name: ordinary, of the schema, of another value, a number."""
        return all(
            not part.isalpha() or stem(part) in self._stems or stem(part) in ordinary_stems() for part in _parts(word)
        )

    def _is_part_of_another(self, text: Text, start: int, end: int) -> bool:
        """Whether a word beside a run, with a capital that nothing explains, makes it part of a longer name."""
        beside = []
        if start and not text.opens_sentence(start) and not text.opens_sentence(start - 1):
            beside.append((text.words[start - 1], text.question[text.spans[start - 1][1] : text.spans[start][0]]))
        if end < len(text.words) and not text.opens_sentence(end) and normal(text.words[end]) not in LEGAL:
            beside.append((text.words[end], text.question[text.spans[end - 1][1] : text.spans[end][0]]))
        return any(
            word[:1].isupper() and (between.strip() == "&" or (between.isspace() and not self._is_explained(word)))
            for word, between in beside
        )

    def _near(self, text: Text, start: int, end: int) -> tuple[list[Form], float] | None:
        """The one name of which a run misspells one word: a slip of the finger, two in a long word."""
        from rapidfuzz import fuzz, process
        from rapidfuzz.distance import OSA

        said = [_normal(word) for word in text.words[start:end]]
        pool = [form for at in (0, -1) for form in self._ends.get((len(said), at, said[at]), ())]
        if not pool:
            return None
        form = "".join(said)
        fit = [
            (slips, place)
            for name, _, _ in process.extract(form, pool, scorer=OSA.distance, score_cutoff=2, limit=None)
            for place in self._forms[name]
            if (slips := self._slips(said, _words(place.written)))
        ]
        nearest = [place for slips, place in fit if slips == min(fit, key=lambda one: one[0])[0]]
        if len({place.value for place in nearest}) != 1:
            return None
        if not self._is_meant(text, start, end, nearest[0].written.split()):
            return None
        return nearest, fuzz.ratio(form, normal(nearest[0].written))

    def _slips(self, said: Sequence[str], written: Sequence[str]) -> int:
        """By how many slips one word alone differs, which nothing explains; 0 for another name."""
        from rapidfuzz.distance import OSA

        other = [(one, two) for one, two in zip(said, written, strict=False) if one != two]
        if len(said) != len(written) or len(other) != 1:
            return 0
        [(one, two)] = other
        if len(two) < SHORTEST_MISSPELT or not one.isalpha() or self._is_explained(one):
            return 0
        slips = OSA.distance(one, two)
        return slips if slips <= (2 if len(two) > LONG else 1) else 0


JOINING = frozenset("and of the for at in on de la le du der die das und y e".split())
"""Small words within names."""

GOES_ON = re.compile(r" (& )?[A-Z0-9]")
"""What makes a single word the beginning of another name, or of a day: `Jan 2026`."""

LEGAL = frozenset("ltd limited plc inc llc gmbh ag sa bv".split())
"""What may follow a name that is stored without it."""


def _is_quoted(text: Text, start: int, end: int) -> bool:
    begin, stop = text.spans[start][0], text.spans[end - 1][1]
    return text.question[max(0, begin - 1) : begin] in QUOTES and text.question[stop : stop + 1] in QUOTES


def _words(text: str) -> list[str]:
    """The words of a name or a run, each in normal form."""
    return [_normal(word) for word in Text(text).words]


@lru_cache(maxsize=10_000)
def _normal(word: str) -> str:
    return normal(re.sub(r"['’]s$", "", word))


def _parts(text: str) -> list[str]:
    """The words of a name or a value, in normal form."""
    return [part for word in re.split(r"[\W_]+", text) if (part := normal(word))]
