"""Words without their endings, by the Snowball stemmer for English; one meaning of "the same word" for this room."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

import regex


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """A lower-case word without its endings: `received`, `receives` and `receiving` are `receiv`."""
    return str(_snowball().stemWord(word))


_IRREGULAR = {
    "analyses": "analysis", "matrices": "matrix", "criteria": "criterion", "indices": "index", "diagnoses": "diagnosis",
    "hypotheses": "hypothesis", "axes": "axis", "appendices": "appendix", "vertices": "vertex", "syntheses": "synthesis",
}  # fmt: skip


def noun_stem(word: str) -> str:
    """The stem of a lower-case word that names a thing; irregular plurals are their singular."""
    return stem(_IRREGULAR.get(word, word))


def name_parts(name: str) -> list[str]:
    """The words of a stored name as it writes them: `receivedDate` and `received_date` are two, digits one each."""
    return [part for run in re.findall(r"[^\W\d_]+|\d+", name) for part in _CAMEL.findall(run)]


_CAMEL = regex.compile(r"\p{Lu}?[\p{Ll}\p{Lo}\p{Lm}\p{M}]+|\p{Lu}+(?!\p{Ll})|\p{Lt}\p{Ll}*|\d+")


@lru_cache(maxsize=1)
def _snowball():  # type: ignore[no-untyped-def]
    import snowballstemmer

    return snowballstemmer.stemmer("english")


@lru_cache(maxsize=8)
def vocabulary(kind: str) -> frozenset[str]:
    """A list of `data/grounding/vocabulary.yaml`: `people`, `states`, `stop` …"""
    import yaml

    text = (files("mnemosyne.data") / "grounding" / "vocabulary.yaml").read_text(encoding="utf-8")
    return frozenset(str(yaml.safe_load(text)[kind]).split())
