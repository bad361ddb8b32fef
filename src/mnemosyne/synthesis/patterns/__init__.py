"""Typed patterns in three tiers: each draws parts and composes one query tree and its question."""

from __future__ import annotations

from mnemosyne.synthesis.patterns import complex as _complex
from mnemosyne.synthesis.patterns import counts as _counts
from mnemosyne.synthesis.patterns import groups as _groups
from mnemosyne.synthesis.patterns import moderate as _moderate
from mnemosyne.synthesis.patterns import periods as _periods
from mnemosyne.synthesis.patterns import ranks as _ranks
from mnemosyne.synthesis.patterns import relations as _relations
from mnemosyne.synthesis.patterns import simple as _simple
from mnemosyne.synthesis.patterns import splits as _splits
from mnemosyne.synthesis.patterns import unions as _unions
from mnemosyne.synthesis.patterns.registry import PATTERNS, Pattern

_ROOMS = (_simple, _counts, _moderate, _groups, _splits, _relations, _complex, _unions, _periods, _ranks)

__all__ = ["PATTERNS", "Pattern"]
