"""Typed patterns in three tiers: each draws parts and composes one query tree and its question."""

from __future__ import annotations

from mnemosyne.synthesis.patterns import complex as _complex
from mnemosyne.synthesis.patterns import moderate as _moderate
from mnemosyne.synthesis.patterns import periods as _periods
from mnemosyne.synthesis.patterns import ranks as _ranks
from mnemosyne.synthesis.patterns import relations as _relations
from mnemosyne.synthesis.patterns import simple as _simple
from mnemosyne.synthesis.patterns.registry import PATTERNS, Pattern

_ROOMS = (_simple, _moderate, _relations, _complex, _periods, _ranks)

__all__ = ["PATTERNS", "Pattern"]
