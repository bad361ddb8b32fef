"""Question-SQL pairs: `Example`, JSONL, splits and fingerprints; readers of the public sets."""

from __future__ import annotations

from mnemosyne.datasets.example import Example

__all__ = ["Example"]
