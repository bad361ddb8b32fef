"""Value linking: the stored values that a question means, found by spelling, synonym, code or near spelling.

The index holds distinct values of text columns, up to a cap for each column, and forms under which
people write them; thousands of names in one column have rules of their own (`many.py`). A question
is cut into runs of words; a run that equals a form, or nearly does, is a mention. A value that the schema itself lists (a CHECK list) is only worth a hint when the
question writes it differently, since the model already sees the list. A word for a code (`failed`
for `pass_fail = 'F'`) is a mention and no hint: whether it filters or is counted is the query's business.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mnemosyne import guard
from mnemosyne.databases import Database
from mnemosyne.grounding import synonyms as synonyms_file
from mnemosyne.grounding.forms import (
    Form,
    How,
    add_beginnings,
    add_codes,
    add_forms,
    first_words,
    has_own_s,
    shared_beginnings,
    table_words,
)
from mnemosyne.grounding.many import QUOTES, ManyNames
from mnemosyne.grounding.names import Names
from mnemosyne.grounding.passing import KINDS, is_chatter, is_entitled, is_optional, is_short_name, plain_words
from mnemosyne.grounding.runs import Text
from mnemosyne.grounding.stored import MAX_VALUE_CHARACTERS, are_all, are_many, stored_values
from mnemosyne.grounding.synonyms import normal, singular
from mnemosyne.grounding.words import stem, vocabulary
from mnemosyne.guard.policy import Policy
from mnemosyne.schema import Column, Schema, Table

LONGEST_RUN = 7
"""Words in a run of the question at most."""

NEAR = 88.0
"""Similarity (0 to 100, rapidfuzz ratio) from which a misspelt run is taken for a value."""

NEAR_WORD = 60.0
"""Similarity of each word of a misspelt run to the word in its place."""

NEAR_CHARACTERS = 6
"""Runs shorter than this must be spelt right."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A stored value that the question means."""

    table: str
    """Table that stores it."""
    column: str
    """Column that stores it."""
    value: str
    """As stored."""
    words: str
    """As the question writes it."""
    how: How
    """How it was found."""
    similarity: float
    """100 unless `near`."""
    listed: bool = False
    """The schema lists the value, so its own spelling needs no hint."""
    optional: bool = False
    """The question says that it need not hold, or only what the answer is for: `urgent or not`, `for the dairy audit`."""

    @property
    def hint(self) -> str:
        """The condition, in the form that training uses: `determinands.determinand_name = 'E. coli'`."""
        return f"{self.table}.{self.column} = '" + self.value.replace("'", "''") + "'"

    @property
    def useful(self) -> bool:
        """Whether the model is told of it."""
        return self.how != "code" and not (self.how == "spelling" and self.listed)


class ValueIndex:
    """Forms of stored values, ready to be matched against questions."""

    def __init__(
        self,
        forms: Mapping[str, Sequence[Form]],
        schema: Schema | None = None,
        phrases: Iterable[str] = (),
        whole: Mapping[tuple[str, str], frozenset[str]] | None = None,
        names: Names | None = None,
        cut: Iterable[tuple[str, str]] = (),
        many: ManyNames | None = None,
    ) -> None:
        self._many = many or ManyNames()
        self._whole = dict(whole or {})
        self.cut = frozenset(cut)
        """(table, column) of columns with more values than are known; nobody can say what they do not store."""
        self._forms = {form: tuple(places) for form, places in forms.items()}
        self._phrases = frozenset(phrases)
        self._pools: dict[tuple[str, int], list[str]] = defaultdict(list)
        for form, places in self._forms.items():
            if len(form) >= NEAR_CHARACTERS and any(place.how not in ("code", "beginning") for place in places):
                self._pools[form[0], len(form)].append(form)
        self._owners = _owners(schema, names or Names())
        self._names = list(self._owners)
        self._partial: dict[str, tuple[str, ...]] | None = None
        self._stems = {stem(word) for word in self._owners}
        self._symbols = {value for places in forms.values() for f in places if (value := f.value) in {"<", ">"}}

    @classmethod
    def build(
        cls,
        database: Database,
        schema: Schema,
        *,
        exclude: Iterable[str] = (),
        synonyms: Path | None = None,
        cap: int | None = None,
        policy: Policy | None = None,
        names: Names | None = None,
    ) -> ValueIndex:
        """Read the distinct values of every text column that is not excluded (`table.column`, or a bare column).

        Queries go through the guard and run read-only; a column that fails is left out. A policy leaves out what it
        denies: tables, columns and rows.
        """
        stored = stored_values(database, schema, exclude=exclude, cap=cap, policy=policy)
        seen = guard.visible(schema, policy, database.dialect)
        return cls.of(stored, seen, synonyms=synonyms, cap=cap, names=names)

    @classmethod
    def of(
        cls,
        stored: Iterable[tuple[Table, Column, Sequence[str]]],
        schema: Schema,
        *,
        synonyms: Path | None = None,
        cap: int | None = None,
        names: Names | None = None,
    ) -> ValueIndex:
        """An index of values that were read before: (table, column, distinct values), as `stored_values` gives them."""
        names = names or Names()
        known = synonyms_file.load(synonyms)
        forms: dict[str, list[Form]] = defaultdict(list)
        whole: dict[tuple[str, str], frozenset[str]] = {}
        cut: set[tuple[str, str]] = set()
        many: list[tuple[Table, Column, Sequence[str]]] = []
        for table, column, values in stored:
            if are_all(values, cap):
                whole[table.full_name.lower(), column.name.lower()] = frozenset(values)
            else:
                cut.add((table.full_name, column.name))
            said = names.of_values(table, column)
            if are_many(values):
                many.append((table, column, values))
                values = [value for value in values if value in said]  # a house's own words need no stricter rules
            else:
                add_codes(forms, known, table.full_name, column, values)
            shared = shared_beginnings(values)
            for value in values:
                add_forms(forms, known, table.full_name, column, value, shared, said.get(value, ()))
        taken = {*_owners(schema, names), *(normal(word) for text in names.words for word in text.split())}
        explained = (form.written or form.value for places in forms.values() for form in places)
        crowd = ManyNames(many, known, (*taken, *explained))
        add_beginnings(forms, known, taken | crowd.words)
        return cls(forms, schema, known.phrases, whole, names, cut, crowd)

    def mentions(self, question: str) -> list[Mention]:
        """The stored values that a question means, in the order of the question; overlapping runs: the longest wins."""
        text = Text(question)
        found: list[tuple[int, int, Mention | None]] = []
        for length in range(min(LONGEST_RUN, len(text.spans)), 0, -1):
            for start in range(len(text.spans) - length + 1):
                end = start + length
                if any(start < other_end and other_start < end for other_start, other_end, _ in found):
                    continue
                if normal(text.run(start, end)) in self._phrases or text.is_part_of_a_name(start, end):
                    found.append((start, end, None))
                elif (mention := self._match(text, start, end)) is not None:
                    found.append((start, end, mention))
                elif (name := self._many.match(text, start, end)) is not None:
                    found.append((start, end, self._mention(text, start, end, *name)))
        found.sort(key=lambda item: item[0])
        return [mention for _, _, mention in found if mention is not None]

    def hints(self, question: str) -> tuple[str, ...]:
        """Conditions to add to the prompt, each once, in the order of the question."""
        return told(self.mentions(question))

    def partial(self, question: str) -> list[tuple[str, tuple[str, ...]]]:
        """Runs of the question that several stored values begin or end with, and conditions on those values."""
        if self._partial is None:
            self._partial = _partial_names(self._forms, self._owners)
        text = Text(question)
        found = []
        for length in (3, 2, 1):
            for start in range(len(text.spans) - length + 1):
                run = text.run(start, start + length)
                if (hints := self._partial.get(normal(run))) and not text.is_part_of_a_name(start, start + length):
                    found.append((run, hints))
        return found

    def first_words(self) -> frozenset[str]:
        """First words of stored names, in small letters: something is stored about them, whichever is meant.

        All words of names in columns of very many.
        """
        return frozenset(first_words(self._forms)) | self._many.words

    def nearest(self, table: str, column: str, value: str) -> tuple[str, ...] | None:
        """What a column stores that is most like a value that it does not store; None when it may store it.

        A column that was cut at the cap may store anything, any column an empty text and prose that is not read.
        """
        from rapidfuzz import fuzz, process

        stored = self._whole.get((table.lower(), column.lower()))
        if stored is None or value in stored or not 0 < len(value) <= MAX_VALUE_CHARACTERS:
            return None
        best = process.extract(value, sorted(stored), scorer=fuzz.WRatio, score_cutoff=60, limit=3)
        return tuple(Mention(table, column, name, "", "near", score).hint for name, score, _ in best)

    def places(self, question: str) -> dict[tuple[str, str], float]:
        """(table, column) of every stored value whose spelling is in the question, with how telling that is.

        A value that one column stores counts 1, one that n columns store 1/n. For ranking tables; wider than `mentions`.
        """
        text = Text(question)
        found: dict[tuple[str, str], float] = {}
        taken: set[int] = set()
        for length in range(min(LONGEST_RUN, len(text.spans)), 0, -1):
            for start in range(len(text.spans) - length + 1):
                end = start + length
                if taken & set(range(start, end)):
                    continue
                form = normal(text.run(start, end))
                if length == 1 and (form in vocabulary("stop") or stem(form) in self._stems or len(form) < 3):
                    continue
                forms = self._forms.get(form) or self._forms.get(singular(form)) or self._many.spelt(text, start, end)
                places = {(place.table, place.column) for place in forms if place.how not in ("code", "beginning")}
                if places:
                    taken |= set(range(start, end))
                    for place in places:
                        found[place] = max(found.get(place, 0.0), 1.0 / len(places))
        return found

    def __len__(self) -> int:
        return len(self._forms) + len(self._many)

    def _match(self, text: Text, start: int, end: int) -> Mention | None:
        run = text.run(start, end)
        if run in self._symbols:
            return self._mention(text, start, end, self._forms[run], 100.0)
        form = normal(run)
        if (whole := text.whole(start, end)) != run and (owned := self._with_apostrophe(text, start, whole)):
            return self._mention(text, start, end, owned, 100.0)
        for spelt in (form, singular(form)):
            places = [place for place in self._forms.get(spelt, ()) if place.is_written(run)]
            if places:
                if end - start == 1 and spelt in ordinary() and not _is_a_name(text, start, places):
                    return None
                if all(place.how == "beginning" for place in places) and not is_short_name(text, start):
                    return None
                own = [place for place in places if place.how == "spelling"]
                if end - start == 1 and own and not (own := self._meant(text, start, spelt, own)):
                    return None
                return self._mention(text, start, end, own or places, 100.0)
        near = self._near(form, run) if end - start <= 4 else None
        if near is None:
            return None
        places = list(self._forms[near[0]])
        if end - start == 1 and not (places := self._meant(text, start, near[0], places)):
            return None
        return self._mention(text, start, end, places, near[1])

    def _with_apostrophe(self, text: Text, start: int, whole: str) -> list[Form]:
        """Values to whose name the `'s` of a run belongs, as to Wendy's, and not to the schema's or any question's word."""
        bare = normal(re.sub("['’]s$", "", whole))
        if not re.search(r"\s", whole) and (
            bare in ordinary() or self._owners.get(bare) or self._owners.get(stem(bare))
        ):
            return []
        return [
            place
            for place in self._forms.get(normal(whole), ())
            if has_own_s(place.value)
            and (place.how == "spelling" or (place.how == "beginning" and is_short_name(text, start)))
        ]

    def _mention(self, text: Text, start: int, end: int, places: Sequence[Form], similarity: float) -> Mention | None:
        chosen = _choose(places, text, start, end)
        if chosen is None:
            return None
        how: How = chosen.how if similarity == 100.0 else "near"
        run = text.run(start, end)
        optional = is_optional(text.question[: text.spans[start][0]], text.question[text.spans[end - 1][1] :])
        return Mention(chosen.table, chosen.column, chosen.value, run, how, similarity, chosen.listed, optional)

    def _meant(self, text: Text, start: int, form: str, places: Sequence[Form]) -> list[Form]:
        """Those of the values that one word can mean, where the schema uses the same word in its names.

        `received` is a column's word unless it is written as the value is, or its status is spoken of;
        `approved` is a worksheet's status where worksheets are named and the table of that column is not.
        """
        owners = self._owners.get(form) or self._owners.get(stem(form))
        if not owners and form not in vocabulary("states"):
            return list(places)
        word = text.words[start]
        near = {singular(normal(other)) for other in text.words[max(0, start - 3) : start]}
        near |= {singular(normal(other)) for other in text.words[start + 1 : start + 2]}
        kept = []
        for place in places:
            as_stored = word == place.value and word[:1].isupper() and not text.opens_sentence(start)
            spoken_of = any(singular(normal(part)) in near for part in place.column.split("_"))
            table = _table_named(place.table, text.asked)
            elsewhere = any(_table_named(owner, text.asked) for owner in owners or () if owner != place.table)
            own_word = place.table in (owners or ())
            titled = is_entitled(text, start, place.column) or (as_stored and not text.goes_on_as_a_name(start))
            if singular(_bare(place.table)) == singular(form) and not titled:
                continue  # `analyst names` are names of analysts, whatever job title is stored
            if as_stored or spoken_of or (table and not own_word and not elsewhere):
                kept.append(place)
        return kept

    def _near(self, form: str, run: str) -> tuple[str, float] | None:
        """The one form that a run nearly spells: same first letter, digits and number of words, about as long."""
        said = [word.lower() for word in run.split()]
        if len(form) < NEAR_CHARACTERS or {form, singular(form)} & self._owners.keys() or set(said) <= plain_words():
            return None
        from rapidfuzz import fuzz, process

        pool = [name for n in (-1, 0, 1) for name in self._pools.get((form[0], len(form) + n), ())]
        best = process.extract(form, pool, scorer=fuzz.ratio, score_cutoff=NEAR, limit=8)
        digits, words = re.sub(r"\D", "", form), len(said)
        fit = [
            (name, similarity)
            for name, similarity, _ in best
            if re.sub(r"\D", "", name) == digits
            and any(_word_by_word(said, p.written.lower().split()) for p in self._forms[name])
        ]
        if not fit or (words == 1 and process.extractOne(form, self._names, scorer=fuzz.ratio, score_cutoff=NEAR)):
            return None
        values = {place.value for name, similarity in fit if similarity == fit[0][1] for place in self._forms[name]}
        return fit[0] if len(values) == 1 else None


def told(mentions: Sequence[Mention]) -> tuple[str, ...]:
    """The conditions worth telling, each once."""
    return tuple(dict.fromkeys(mention.hint for mention in meant(mentions) if mention.useful))


def meant(mentions: Sequence[Mention]) -> list[Mention]:
    """All but a kind where the question names the very thing (`ICP-MS, method ISO 17294-2`)."""
    named = {mention.table for mention in mentions if NAMES.search(mention.column)}
    return [mention for mention in mentions if mention.table not in named or not KINDS.search(mention.column)]


NAMES = re.compile(r"(^|_)(name|code)$", re.IGNORECASE)


def _is_a_name(text: Text, start: int, places: Sequence[Form]) -> bool:
    """Whether a word of any question (`all`, `more`, `in`) is a value here: in quotes, or with the value's capitals."""
    word, (begin, end) = text.words[start], text.spans[start]
    quoted = text.question[max(0, begin - 1) : begin] in QUOTES and text.question[end : end + 1] in QUOTES
    as_stored = word[:1].isupper() and any(word in (place.value, place.exact) for place in places)
    return quoted or (as_stored and not text.opens_sentence(start))


def _word_by_word(said: Sequence[str], written: Sequence[str]) -> bool:
    """Whether each word of a run is nearly the word in its place: `me technique` is not `MF technique`."""
    from rapidfuzz import fuzz

    return len(said) == len(written) and all(
        one == other or (len(other) > 3 and fuzz.ratio(one, other) >= NEAR_WORD)
        for one, other in zip(said, written, strict=True)
    )


@lru_cache(maxsize=1)
def ordinary() -> frozenset[str]:
    """Words of any question, which are no values unless they are written as names."""
    return vocabulary("stop") | vocabulary("asking") | vocabulary("measures")


def _choose(places: Sequence[Form], text: Text, start: int, end: int) -> Form | None:
    """The column that the question speaks of; None when several store the value and none is more likely."""
    by_place = {(place.table, place.column, place.value): place for place in places}
    before, rest = text.question[: text.spans[start][0]], text.question[text.spans[end - 1][1] :]
    run = text.run(start, end)
    by_place = {key: place for key, place in by_place.items() if not is_chatter(place, text, run, before, rest)}
    if len(by_place) < 2:
        return next(iter(by_place.values()), None)
    after = singular(normal(text.words[end])) if end < len(text.words) else ""
    people_before = after not in THINGS and bool(
        {singular(normal(word)) for word in text.words[max(0, start - 3) : start]} & vocabulary("people")
        or WORKS.search(before)
    )
    people_asked = bool(text.asked & vocabulary("people"))

    def likely(place: Form) -> float:
        column = {singular(normal(word)) for word in place.column.split("_")}
        table = table_words(place.table)
        score = 1.0 * len((column | table) & text.asked) + 3.0 * (after in column | table)
        if table & vocabulary("people"):
            score += 3.0 if after in vocabulary("people") else (0.0 if people_asked else -0.5)
            score += 2.0 if people_before else -1.0 if after and after not in vocabulary("people") else 0.0
        return score

    ranked = sorted(by_place.values(), key=likely, reverse=True)
    return ranked[0] if likely(ranked[0]) > likely(ranked[1]) else None


WORKS = re.compile(r"\bwork(s|ing)? (in|for)( the| our)? $", re.IGNORECASE)
"""Who works there, is a person."""

THINGS = frozenset("result test failure fail parameter finding work".split())
"""What is counted although a person did it: `which analyst has microbiological results`."""


def _partial_names(
    forms: Mapping[str, Sequence[Form]], owners: Mapping[str, frozenset[str]]
) -> dict[str, tuple[str, ...]]:
    """Beginnings and endings that a few values of one column share: `legionella`, `chlorine`; none is a form itself.

    Words that the schema or any question uses, and parts that more than a few values share, say nothing.
    """
    shared: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    stop = vocabulary("stop")
    plain = stop | vocabulary("measures") | vocabulary("plain")
    for places in forms.values():
        for place in places:
            if place.how != "spelling" or re.search(r"\d", place.value.split()[0]):
                continue
            words = place.value.split()
            for n in range(1, len(words)):
                for ends in (words[:n], words[-n:]):
                    if not any(word.isdigit() for word in ends) and not {ends[0].lower(), ends[-1].lower()} & stop:
                        shared[normal(" ".join(ends)), place.column][place.value].add(place.table)
    found: dict[str, tuple[str, ...]] = {}
    for (part, column), values in shared.items():
        if 2 <= len(values) <= FEW_VALUES and len(part) > 4 and part not in {*forms, *owners, *plain}:
            tables = sorted({table for places in values.values() for table in places})
            found[part] = tuple(Mention(tables[0], column, v, "", "near", 0.0).hint for v in sorted(values))
    return found


FEW_VALUES = 4
"""A part of a name that more values share is a kind, not an unfinished name."""


def _owners(schema: Schema | None, names: Names) -> dict[str, frozenset[str]]:
    """Words of the names of tables and columns, and the tables that they name or belong to."""
    owners: dict[str, set[str]] = defaultdict(set)
    for table in schema.tables if schema is not None else ():
        nouns = [*names.of_table(table), *(noun for column in table.columns for noun in names.of_column(table, column))]
        for name in (table.name, *(column.name for column in table.columns), *nouns):
            for word in (name, *re.split(r"[_\s]", name)):
                for form in (normal(word), singular(normal(word))):
                    owners[form].add(table.full_name)
    return {word: frozenset(tables) for word, tables in owners.items() if word}


def _table_named(table: str, asked: set[str]) -> bool:
    name = _bare(table)
    return singular(name) in asked or name in asked


def _bare(table: str) -> str:
    """The normal form of a table's name without its namespace."""
    return normal(table.rsplit(".", 1)[-1])
