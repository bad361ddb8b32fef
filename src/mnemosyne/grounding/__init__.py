"""Which stored values and which tables a question means. Nothing here leaves the machine."""

from __future__ import annotations

from mnemosyne.grounding.values import Mention, ValueIndex

__all__ = ["Mention", "ValueIndex"]
