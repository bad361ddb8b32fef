"""Words without their endings, by the Snowball stemmer for English; one meaning of "the same word" for this room."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """A lower-case word without its endings: `received`, `receives` and `receiving` are `receiv`."""
    return str(_snowball().stemWord(word))


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
