"""Which stored values and which tables a question means, and when it means none. Nothing here leaves the machine."""

from __future__ import annotations

from mnemosyne.grounding.question import Grounded, Grounder
from mnemosyne.grounding.scope import Abstention
from mnemosyne.grounding.understood import Understood, understand
from mnemosyne.grounding.values import Mention, ValueIndex

__all__ = ["Abstention", "Grounded", "Grounder", "Mention", "Understood", "ValueIndex", "understand"]
