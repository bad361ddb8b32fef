"""Who is asking: a context before the question, a hurried fragment, British or American spelling, a slip of the finger.

A voice changes how a question sounds, never what it asks; stored values, numbers and dates are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

AMERICAN = {
    "analysed": "analyzed", "analyse": "analyze", "colour": "color", "cancelled": "canceled", "grey": "gray",
    "authorised": "authorized", "labelled": "labeled", "summarise": "summarize", "organisation": "organization",
    "litre": "liter", "unpasteurised": "unpasteurized", "moulds": "molds", "programme": "program",
}  # fmt: skip
"""British to American spelling."""

TYPO_SHARE = 0.04
"""Share of questions with one slip of the finger."""

CONTEXT_SHARE = {"simple": 0.14, "moderate": 0.28, "complex": 0.28}
"""Share of questions that begin with what is going on, by tier."""

_AFTER = (
    "Thanks.",
    "Thank you!",
    "Cheers.",
    "No rush.",
    "It's urgent.",
    "Sorry for the short notice.",
    "Many thanks in advance.",
)

_BEFORE = ("Hi,", "Hello,", "Quick question:", "Morning!", "Hey,", "One more thing:", "Quick one -", "Hello there,")


@dataclass(frozen=True, slots=True)
class Voiced:
    """A question in a voice."""

    text: str
    """The question."""
    tags: tuple[str, ...]
    """`voice:context`, `voice:hurried`, `voice:american`, `voice:typo` …"""


def voice(question: str, rng: Random, tier: str, contexts: Sequence[str], protected: Sequence[str] = ()) -> Voiced:
    """The question as somebody says it. `protected` are texts (stored values) that stay as they are."""
    tags: list[str] = []
    text = question[:1].upper() + question[1:] if rng.random() < 0.72 else question
    roll = rng.random()
    share = CONTEXT_SHARE.get(tier, 0.2)
    if contexts and roll < share:
        text = _with_context(question, rng.choice(contexts))
        tags.append("voice:context")
    elif roll < share + 0.07:
        text = f"{rng.choice(_BEFORE)} {_uncapital(question)}"
        tags.append("voice:greeting")
    elif roll < share + 0.2:
        text = _hurried(question, rng, protected)
        tags.append("voice:hurried")
    elif roll < share + 0.25:
        text = f"{_closed(text)} {rng.choice(_AFTER)}"
        tags.append("voice:thanks")
    if rng.random() < 0.2:
        american = _american(text)
        if american != text:
            text = american
            tags.append("voice:american")
    if rng.random() < TYPO_SHARE:
        slipped = _slip(text, rng, protected)
        if slipped != text:
            text = slipped
            tags.append("voice:typo")
    return Voiced(re.sub(r"\s+", " ", text).strip(), tuple(tags))


def _with_context(text: str, context: str) -> str:
    """A context sentence, then the question; after a colon or comma the question goes on in lower case."""
    if context.endswith((":", ",")):
        return f"{context} {_uncapital(text)}"
    return f"{context} {text[:1].upper() + text[1:]}"


def _uncapital(text: str) -> str:
    """Lower case at the beginning, unless the first word is a name, an abbreviation or `I`."""
    first = text.split(" ", 1)[0]
    plain = first[:1].isupper() and first[1:].islower() and first not in ("I",)
    known = plain and re.fullmatch(
        r"(List|Show|Give|Display|Get|Find|Pull|Return|Can|Could|Please|Let|Fetch|Print|Provide|Which|What|How|Who|In|For|Per"
        r"|Count|Calculate|Compute|Work|Determine|Report|Tell|Do|Are|Name|Identify|Rank|Split|Group|Number|Within|The|By|With"
        r"|Compare|Combine|Merge|Put|Make|Top|Total|Bucket|Classify|Break|Divide|Sort|Assign|Where|On|At|Look|Need|Want)",
        first,
    )
    return text[0].lower() + text[1:] if known else text


def _closed(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _hurried(text: str, rng: Random, protected: Sequence[str]) -> str:
    """Lower case where nothing stored is harmed, no full stop, sometimes `pls` or `asap`."""
    text = text.rstrip(".?")
    if not any(value in text for value in protected) and rng.random() < 0.6:
        text = _uncapital(text)
    if rng.random() < 0.35:
        text += rng.choice([" pls", " please", ", asap", " - asap please", ", thanks", " thx"])
    return text


def _american(text: str) -> str:
    for british, american in AMERICAN.items():
        text = re.sub(rf"\b{british}\b", american, text)
    return text


def _slip(text: str, rng: Random, protected: Sequence[str]) -> str:
    """Two neighbouring letters change places, or one is lost, in a plain word of five letters or more."""
    guarded = " ".join(protected).lower()
    places = [m for m in re.finditer(r"\b[a-z]{5,}\b", text) if m.group().lower() not in guarded]
    if not places:
        return text
    place = rng.choice(places)
    at = rng.randrange(place.start() + 1, place.end() - 2)
    if rng.random() < 0.6:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + text[at + 1 :]
