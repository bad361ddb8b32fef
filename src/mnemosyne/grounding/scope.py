"""What a question asks that the schema has nothing about, or that can be read in several ways.

Judged by words alone, before any model is asked: concepts that laboratories keep records of and this
schema does not (`data/grounding/concepts.yaml`), a person who did something that only has a date, words
that need a measure, a name that several stored values begin with, a date that could be several, requests
to change data, and questions about the future. Only the clauses that ask are read: what people tell
about themselves and their reasons is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from mnemosyne.grounding.clauses import asking_clauses, words_of
from mnemosyne.grounding.synonyms import normal, singular
from mnemosyne.grounding.unknown import BRIEF, unknown_words
from mnemosyne.grounding.values import Mention, ValueIndex
from mnemosyne.grounding.words import name_parts, stem, vocabulary
from mnemosyne.schema import Schema, Table, canonical_type

Reason = Literal["missing", "ambiguous", "write", "prediction", "elsewhere", "value", "votes", "no-sql"]


@dataclass(frozen=True, slots=True)
class Abstention:
    """Why a question is given back, with the evidence."""

    reason: Reason
    """What stands in the way."""
    evidence: tuple[str, ...]
    """The words of the question, or the conditions of the query, that say so."""
    candidates: tuple[str, ...] = ()
    """What the person may have meant; empty when there is nothing near."""

    @property
    def message(self) -> str:
        """For the person who asked."""
        words = ", ".join(f"'{word}'" for word in self.evidence)
        choices = f" Which of these do you mean: {'; '.join(self.candidates)}?" if self.candidates else ""
        return {
            "missing": f"The database has nothing about {words}.",
            "ambiguous": f"{words} can be read in several ways.{choices or ' Say what to measure, and over which time.'}",
            "write": f"{words} would change data. Only questions are answered, nothing is written.",
            "prediction": f"{words}: the database knows what happened, not what will.",
            "elsewhere": "The question does not seem to be about this database.",
            "value": f"No row has {words}.{choices}",
            "votes": f"The candidates disagree.{choices}",
            "no-sql": "The model found no query for this question.",
        }[self.reason]


@dataclass(frozen=True, slots=True)
class _Concept:
    """One thing that is kept records of."""

    words: frozenset[str]
    """Single words that speak of it."""
    phrases: tuple[str, ...]
    """Several words that speak of it together."""
    covered_by: frozenset[str]
    """Stems that cover it when a schema has one."""


class Scope:
    """What a schema has words for; asked once per question."""

    def __init__(self, schema: Schema, values: ValueIndex | None = None, lexicon: Iterable[str] = ()) -> None:
        self._schema, self._values = schema, values
        lexicon = tuple(lexicon)
        own = _known_stems(schema)
        self._spelt = {
            word for text in (*_names(schema), *lexicon) for word in words_of(text.replace("_", " ")) if len(word) > 3
        }
        self._known = own | {stem(word) for text in lexicon for word in words_of(text)}
        self._stored = self._known | {stem(word) for word in (values.first_words() if values is not None else ())}
        tables = {stem(singular(normal(table.name))) for table in schema.tables}
        columns = [word for table in schema.tables for column in _dates(table) for word in column.lower().split("_")]
        self._nouns = sorted(tables)
        self._happenings = {stem(word) for word in columns} - tables - {"date", "time", "at", "on"}
        self._states = {stem(word) for table in schema.tables for word in _state_words(table)}
        concepts, self._vague = _concepts()
        self._cut = values is not None and any("name" in column.lower() for _, column in values.cut)
        """More names than are known: a word that nothing knows may be one of them."""
        self._missing = [concept for concept in concepts if not concept.covered_by & own]

    def judge(self, question: str) -> Abstention | None:
        """Why the question should be given back, or None to go on and answer it."""
        question = self._whole_nouns(question)
        mentions = self._values.mentions(question) if self._values is not None else []
        masked = _without(question, mentions)
        asking = asking_clauses(masked)
        text = IN_PASSING.sub(" ", " ".join(CALLS.sub("", clause) for clause in asking))
        words = words_of(text)
        coded = any(mention.how == "code" for mention in mentions)  # an event of its own: the test that failed
        return (
            _write([] if CASES.search(question) else asking)
            or _prediction(text)
            or self._missing_concept(text, words)
            or self._missing_person(text)
            or self._missing_subject(text)
            or self._missing_date_or_reason(text, words)
            or (Abstention("elsewhere", tuple(words)) if any(_has(text, e) for e in _listed("elsewhere")) else None)
            or (None if mentions else self._elsewhere(question))
            or self._ambiguous_value(AUDIENCE.sub(" ", masked), mentions)
            or self._vague_words(text, words, coded)
            or (None if coded else self._ambiguous_date(question, text, words))
            or self._unknown(text)
        )

    def _whole_nouns(self, question: str) -> str:
        """A question in which the end of a table's name stands for it: `sheets` where the table is `worksheets`."""

        def whole(match: re.Match[str]) -> str:
            part = stem(singular(match[0].lower()))
            if len(part) < PART or part in self._stored:
                return match[0]
            return next((noun for noun in self._nouns if noun.endswith(part)), match[0])

        return re.sub(r"\b[A-Za-z]+\b", whole, question)

    def _missing_concept(self, text: str, words: Sequence[str]) -> Abstention | None:
        """A word of what the schema keeps no records of; long requests say such words in passing."""
        if len(words) > TALKATIVE:
            return None
        found = [
            hit
            for concept in self._missing
            for hit in (
                *(w for w in words if w in concept.words and stem(w) not in self._known and not _is_purpose(text, w)),
                *(phrase for phrase in concept.phrases if _has(text, phrase)),
            )
        ]
        return Abstention("missing", tuple(dict.fromkeys(found))) if found else None

    def _missing_subject(self, text: str) -> Abstention | None:
        """A word that stands where a question names what it wants and that nothing here has: `per farm`, `which courier`."""
        found = [
            word
            for match in SUBJECT.finditer(text.lower())
            if (word := match["of"] or match["word"])
            and not self._is_plain(word)
            and not (self._cut and match[0].startswith(("how many", "number of")))
        ]
        return Abstention("missing", tuple(dict.fromkeys(found))) if found else None

    def _missing_date_or_reason(self, text: str, words: Sequence[str]) -> Abstention | None:
        """`why …` where no column gives reasons; `when …` of a state that only a flag or a status tells."""
        if (why := re.search(r"\bwhy (was|were|did|is|are|has|have|do|does)\b", text.lower())) and not (
            self._known & REASONS
        ):
            return Abstention("missing", (why[0],))
        stems = {stem(word) for word in words}
        if not WHEN.search(text) or stems & self._happenings or set(words) & vocabulary("happenings"):
            return None
        found = [word for word in words if stem(word) in self._states and stem(word) not in self._happenings]
        return Abstention("missing", ("when", *dict.fromkeys(found))) if found else None

    def _unknown(self, text: str) -> Abstention | None:
        if self._cut or len(text.split()) > BRIEF:
            return None
        found = unknown_words(text, lambda word: stem(word) in self._stored, self._spelt)
        found = [word for word in found if not _is_purpose(text, word)]
        return Abstention("missing", tuple(found)) if found else None

    def _is_plain(self, word: str) -> bool:
        """Whether a word is known here or anywhere; endings of adjectives and adverbs name nothing."""
        parts = (word, *word.split("-"))
        if word.endswith(("est", "ly", "ed", "ing")) or any(
            stem(p) in self._stored or stem(p) in _plain() for p in parts
        ):
            return True
        from rapidfuzz import fuzz, process

        known = process.extractOne(stem(word), [*self._known, *_plain()], scorer=fuzz.ratio, score_cutoff=MISSPELT)
        return known is not None

    def _missing_person(self, text: str) -> Abstention | None:
        """`who approved …` where the schema has the date of it and no column for the person."""
        match = re.search(
            r"(?:^|[^\w\s]|\b(?:and|or|know|knows|me|us|see|say|says|wonder|wondering|list|tell|show|check|of|by|person|people|somebody|someone|analyst))\s*"
            r"\b(?P<said>who(?: has| have| had|'s| was it that)? (?:\w+ly )?(?P<did>[a-z]+ed|took|did|sent|signed off))\b",
            text.lower(),
        )
        if match is None or match["did"] in vocabulary("doing"):
            return None
        did = match["did"]
        doer = "collect" if did == "took" and re.search(r"\bsamples?\b", text) else stem(did.split()[0])
        if did in vocabulary("overseeing") and doer not in self._known:
            return Abstention("missing", (match["said"],))
        for table in self._schema.tables:
            parts = [{stem(word) for word in re.split(r"[_\W]+", c.name.lower())} for c in table.columns]
            dated = any(doer in part and part & {"date", "time", "at", "on"} for part in parts)
            person = any(doer in part and part & {"by", "person", "name", "id", "user", "initi"} for part in parts)
            if dated and not person:
                return Abstention("missing", (match["said"],))
        return None

    def _elsewhere(self, question: str) -> Abstention | None:
        plain = vocabulary("stop") | vocabulary("asking") | vocabulary("measures") | vocabulary("periods")
        content = [w for w in words_of(question) if w not in plain and not w.isdigit()]
        if content and not any(stem(word) in self._known for word in content):
            return Abstention("elsewhere", tuple(content))
        return None

    def _ambiguous_value(self, text: str, mentions: Sequence[Mention]) -> Abstention | None:
        """A word that several stored values share, unless the question names one of them in full, or says both."""
        named = {mention.hint for mention in mentions}
        if re.search(r"\b(both|either|neither|any (species|kind|type|strain))\b", text.lower()):
            return None
        said = {stem(singular(word)) for mention in mentions for word in words_of(mention.words)}
        for words, hints in self._values.partial(text) if self._values is not None else ():
            before = text[: text.lower().find(words.lower())].split()
            if before and before[-1].lower() in {"any", "all", "every", "each", "which"}:
                continue
            if named & set(hints) or {stem(singular(word)) for word in words_of(words)} <= said:
                continue
            return Abstention("ambiguous", (words,), hints)
        return None

    def _vague_words(self, text: str, words: Sequence[str], coded: bool) -> Abstention | None:
        text = re.sub(r"\bmost recent(ly)?\b|\bstandard deviations?\b", " ", text.lower())
        text = re.sub(
            r"\b(best|worst|good|bad|better|worse) ((\w+ )?(first|last|at the (top|bottom|end))|(idea|news|luck))\b",
            " ",
            text,
        )
        text = re.sub(r"\b(did|do|does|to|we|they|lab|was|were|is|are|been|be) (\w+ )?issued?\b", " ", text)
        words = [word for word in words if word in text]
        measured = (
            coded
            or bool(set(words) & vocabulary("measures"))
            or bool(
                re.search(
                    r"\bhow (many|much)\b|\b(by|in terms of) (the )?(number|count|share|samples|results)\b",
                    text.lower(),
                )
            )
        )
        dated = bool(
            re.search(
                r"\d|\b(last|this|past|since|today|yesterday|previous|current)\b"
                r"|\b(per|by|each|every) (day|week|month|quarter|year)\b",
                text.lower(),
            )
        )
        limited = bool(re.search(r"\d|\b(limit|limits|than|specification|average|median)\b", text.lower()))
        excused = {
            "a measure": measured,
            "a period": dated,
            "a limit": limited or measured,
            "a subject": len(words) > SHORT,
        }
        if ranked := re.match(r"^\W*rank (the|our|all|all the) \w+\W*$", text):
            return Abstention("ambiguous", (ranked[0].strip(" ."),))
        if (
            (top := TOP.search(text))
            and not measured
            and not re.search(r"\b(by|with|in terms of|ordered|order)\b", text)
        ):
            return Abstention("ambiguous", (top[0],))
        for name, concept in self._vague.items():
            hits = [
                w
                for w in words
                if w in concept.words
                and not re.search(
                    rf"\b{w} (first|last|to)\b|\bat {w}\b|\beverything (we|that|you|they|on|from|in|still|\w+ed)\b",
                    text,
                )
            ]
            hits += [phrase for phrase in concept.phrases if _has(text, phrase) and not _points_back(text, phrase)]
            if hits and not excused[name]:
                return Abstention("ambiguous", tuple(dict.fromkeys(hits)))
        return None

    def _ambiguous_date(self, question: str, text: str, words: Sequence[str]) -> Abstention | None:
        """A window of time on a table with several dates of which the question names none."""
        if not WINDOW.search(text) or len(words) > DESCRIBED:
            return None
        stems = {stem(word) for word in words}
        named = [table for table in self._schema.tables if stem(singular(normal(table.name))) in stems]
        dates = {table.full_name: _dates(table) for table in named}
        if len(named) != 1 or len(dates[named[0].full_name]) < MANY_DATES:
            return None
        said = set(words_of(question))
        if "sampled" in said or {stem(word) for word in said} & (self._happenings | _stems_of("happenings")):
            return None
        columns = tuple(f"{named[0].name}.{column}" for column in dates[named[0].full_name])
        return Abstention("ambiguous", (WINDOW.search(text)[0],), columns)  # type: ignore[index]


CHANGES = re.compile(
    r"^(raise|lower|increase|decrease|reduce|set) (the|our|all|its|every) .*\b(to|by) \d"
    r"|^make (?!(me|a|one|two|single|list)\b).* (inactive|active|urgent|routine|approved)$|^give (every|all|the) .* instead$"
)
"""Requests to change data by a verb that also asks."""

CASES = re.compile(r"^\W*mark\b.*\botherwise\b", re.IGNORECASE | re.DOTALL)
"""A column with a word for each case: *mark each sample 'clean' without a failure, 'issue' otherwise*."""

AHEAD = re.compile(
    r"\b(need|expect|have|receive|get|see|estimate|fail|workload)\b.{0,20}\bnext (week|month|quarter|year|summer|winter|time)\b"
    r"|\bshould (we|i) (expect|plan)\b|\bestimate (the )?next\b",
    re.IGNORECASE,
)
"""What is asked of the time to come."""

CALLS = re.compile(r"^\W*(good (morning|afternoon|evening|day)|(night|day|early|late) shift( here)?)\b", re.IGNORECASE)
"""A greeting, or who speaks."""

AUDIENCE = re.compile(
    r"\b(the|our|health|on|for) board\b|\bboard (pack|paper|slide|chart|meeting|report|member)s?\b", re.IGNORECASE
)
"""Who will read the answer."""

IN_PASSING = re.compile(
    r"\bbroken down\b|\bstandard deviations?\b|\bfor [\w-]+ (purposes?|reasons?)\b:?|\bshift(?= (against|from|versus)\b)"
    r"|\bspen[dt]\b(?= (more|less|longer|over|under|at least|up to|\d+|\w+) (than )?(\d+ )?(days?|weeks?|months?)\b)"
    r"|\bspen[dt]\b(?= (the )?(longest|shortest|most time|least time|between|in|from)\b)"
    r"|\b(sales|finance|accounts|billing|quality|marketing) (team|people|department|desk|office)\b",
    re.IGNORECASE,
)
"""Purposes, audiences, and phrases in which a word means something else than what records are kept of."""

REASONS = frozenset(stem(word) for word in "reason reasons cause comment comments note notes remark".split())
"""Stems of columns that may say why."""

WHEN = re.compile(r"^\W*(since when|when|on (which|what) (date|day)|the date on which)\b", re.IGNORECASE)
"""How a question begins that asks for a date."""

TOP = re.compile(r"\btop (\d+ |three |five |ten )?(clients|customers|analysts|methods|sites|samples|determinands)\b")
"""A ranking; by what, the rest of the question must say."""

SUBJECT = re.compile(
    r"\b(per|each|every|how many|number of|average) (?P<word>[a-z][a-z-]{2,})"
    r"|(?P<of>[a-z][a-z-]{2,}) (of|for) (each|every|all)\b"
)
"""Where a question names what it wants."""

MISSPELT = 80.0
"""Similarity from which an unknown word is taken for a misspelt known one."""

PART = 5
"""Letters from which the end of a table's name stands for the table."""

SHORT = 9
"""A question of more words says itself what `that client` or `the same` is."""

TALKATIVE = 16
"""A request of more words speaks of contracts, shifts and complaints without asking for them: of the first 1,250 questions of
lab-written, which all have answers, most that were given back for a concept were longer."""

DESCRIBED = 14
"""A question of more words says by its other words which date it means: what was sent in, handled or finished."""

MANY_DATES = 3
"""A table with fewer dates has one that is meant by default."""

WINDOW = re.compile(
    r"\b((last|past|previous|this|current) (\d+ |two |three |six |twelve |calendar )?(day|week|month|quarter|year)s?"
    r"|(in|since|during|from|of|for) ((january|february|march|april|may|june|july|august|september|october|november|december)\b"
    r"|20\d\d)|yesterday|today)\b",
    re.IGNORECASE,
)
"""A window of time."""


def _write(clauses: Sequence[str]) -> Abstention | None:
    writes = set(_listed("writes"))
    for clause in clauses:
        text = re.sub(
            r"^(and |then |now |so |ok |hi |hello |please |kindly |just |quickly |(can|could|would|will) you |i (want|need|would like|'d like) you to |i'd like you to |let's |go ahead and |also )+",
            "", re.sub(r"[^\w' -]", " ", clause.lower()).strip(),
        )  # fmt: skip
        if CHANGES.search(text):
            return Abstention("write", (" ".join(text.split()[:3]),))
        words = text.split()
        further = vocabulary("measures") | {"column", "name", "names", "date"}
        if words[:1] == ["add"] and set(words[1:4]) & further and not {"to", "into"} & set(words):
            continue  # a further column of what was asked before
        if len(words) > 1 and words[0] in writes and words[1] in vocabulary("written"):
            return Abstention("write", (" ".join(words[:3]),))
    return None


def _prediction(text: str) -> Abstention | None:
    found = [phrase for phrase in _listed("predictions") if _has(text, phrase)]
    if not found and (ahead := AHEAD.search(text)):
        found = [ahead[0]]
    return Abstention("prediction", tuple(found)) if found else None


def _without(question: str, mentions: Sequence[Mention]) -> str:
    """A question without stored values and quoted text."""
    text = re.sub(r"(?<!\w)(['\"‘“]).{1,60}?['\"’”](?!\w)", " ", question)
    for mention in mentions:
        if mention.how != "code":
            text = text.replace(mention.words, " ")
    return text


def _is_purpose(text: str, word: str) -> bool:
    """Whether a word only says what the answer is for: `for the invoice`, `before our training`."""
    return (
        re.search(
            rf"\b(for|before|after|during|about|because of|ahead of) (the|a|an|my|our|this|your|tomorrow's|today's)( [\w-]+)? {word}\b",
            text.lower(),
        )
        is not None
    )


def _points_back(text: str, phrase: str) -> bool:
    """Whether *of them* comes late enough to mean something that the same question has named: *clients, all of them*."""
    return phrase.startswith("of ") and re.match(rf"\W*(\w+\W+){{4,}}{phrase}\b", text.lower()) is not None


def _has(text: str, phrase: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])", text.lower()) is not None


def _dates(table: Table) -> list[str]:
    return [c.name for c in table.columns if canonical_type(c.type) in ("DATE", "TIMESTAMP")]


def _state_words(table: Table) -> list[str]:
    """Words for states without a date of their own: yes-or-no columns, and the values of a status, with `leave` for `active`."""
    flags = [c.name.lower() for c in table.columns if canonical_type(c.type) == "BOOLEAN"]
    values = [str(v).lower() for c in table.columns if "status" in c.name.lower() for v in c.values]
    return [*flags, *values, *(("leave", "left", "inactive") if "active" in flags else ())]


def _names(schema: Schema) -> list[str]:
    return [name for table in schema.tables for name in (table.name, *(column.name for column in table.columns))]


def _known_stems(schema: Schema) -> set[str]:
    texts = [
        text
        for table in schema.tables
        for column in table.columns
        for text in (table.name, table.comment, column.name, column.comment, *map(str, column.values))
    ]
    return {stem(word.lower()) for text in texts for word in name_parts(text) if not word.isdigit()}


@lru_cache(maxsize=1)
def _plain() -> frozenset[str]:
    """Stems of the words that questions are made of, whatever the database is about."""
    kinds = "people states stop asking measures periods doing overseeing requests happenings plain written general laboratory"
    return frozenset(stem(word) for kind in kinds.split() for word in vocabulary(kind))


@lru_cache(maxsize=8)
def _stems_of(kind: str) -> frozenset[str]:
    return frozenset(stem(word) for word in vocabulary(kind))


@lru_cache(maxsize=1)
def _file() -> dict[str, object]:
    import yaml

    loaded = yaml.safe_load((files("mnemosyne.data") / "grounding" / "concepts.yaml").read_text(encoding="utf-8"))
    return dict(loaded)


@lru_cache(maxsize=8)
def _listed(kind: str) -> tuple[str, ...]:
    return tuple(word.replace("+", " ") for word in str(_file()[kind]).split())


@lru_cache(maxsize=1)
def _concepts() -> tuple[tuple[_Concept, ...], dict[str, _Concept]]:
    def concept(entry: dict[str, str]) -> _Concept:
        said = str(entry["words"]).split()
        single = frozenset(word for word in said if "+" not in word)
        extra = str(entry.get("unless", "")).split()
        return _Concept(
            single,
            tuple(word.replace("+", " ") for word in said if "+" in word),
            frozenset(stem(word) for word in (*single, *extra)),
        )

    data = _file()
    entries: list[dict[str, str]] = data["concepts"]  # type: ignore[assignment]
    vague: list[dict[str, str]] = data["vague"]  # type: ignore[assignment]
    return tuple(concept(entry) for entry in entries), {entry["name"]: concept(entry) for entry in vague}
