"""Question-SQL pairs: `Example`, JSONL, fingerprints; readers of the public sets; what may be trained on."""

from __future__ import annotations

from mnemosyne.datasets.example import Example
from mnemosyne.datasets.jsonl import fingerprint, read_examples, write_examples

__all__ = ["Example", "fingerprint", "read_examples", "write_examples"]
