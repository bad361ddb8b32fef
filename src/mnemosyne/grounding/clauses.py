"""Which clauses of a question ask: what people tell about themselves and their reasons is left out."""

from __future__ import annotations

import re

from mnemosyne.grounding.words import vocabulary


def asking_clauses(question: str) -> list[str]:
    """The clauses of a question that ask: all of them when none does by its words."""
    clauses = [c.strip() for c in re.split(r"(?<=[.?!;])\s+|(?<=\w):\s+|\s[-–—]\s", question) if c.strip()]
    clauses = [BECAUSE.sub("", REASON.sub("", clause)) for clause in clauses]
    clauses = [clause for clause in clauses if not PURPOSE.match(clause)] or clauses
    kept = []
    for clause in clauses:
        words = set(words_of(clause))
        tells = TELLS.match(clause) is not None
        asks = bool(words & vocabulary("asking")) or clause[:1].islower()
        if tells and (request := REQUEST.search(clause)):
            kept.append(clause[request.start() :])
        elif "?" in clause or (asks and not tells):
            kept.append(clause)
    return kept or [clause for clause in clauses if not TELLS.match(clause)] or clauses[-1:]


REASON = re.compile(r"^(for|before|after|ahead of|during|regarding|as part of) [^,?]{3,60}, ", re.IGNORECASE)
"""The reason for a question, said first: `For billing purposes, …`."""

PURPOSE = re.compile(r"^for (the|our|my|a|an|your|an upcoming)? ?[^,?:]{3,50}$", re.IGNORECASE)
"""What the answer is for, as a clause of its own: `For the newsletter: …`."""

BECAUSE = re.compile(r",? (because|so that|so (i|we) can|as (we|i|they)|in case|since (we|they)) .*$", re.IGNORECASE)
"""The reason for a question, said last."""

REQUEST = re.compile(
    r"\b(need|needs|want|wants|wanted|would like|'d like|please|show|give|tell|asks|asking|asked|which|what|how|whose|when|where)\b",
    re.IGNORECASE,
)
"""Where a clause that tells something turns to what it asks."""

TELLS = re.compile(
    r"^(we|our|i|i'm|my|they|the|a|an|he|she|this|that|there|it|someone|somebody|ukas|audit)\b", re.IGNORECASE
)
"""How a clause begins that tells something instead of asking."""


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, in order."""
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower())
