"""Text to `SafeQuery`, or a `Refusal` with its reason. The only maker of what a database runs."""

from __future__ import annotations

from mnemosyne.guard.query import Refusal, SafeQuery

__all__ = ["Refusal", "SafeQuery"]
