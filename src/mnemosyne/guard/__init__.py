"""Text to `SafeQuery`, or a `Refusal` with its reason. The only maker of what a database runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mnemosyne.guard.query import Refusal, SafeQuery

if TYPE_CHECKING:
    from mnemosyne.guard.checking import check
    from mnemosyne.guard.idioms import check_reply
    from mnemosyne.guard.policy import Policy, TableRule
    from mnemosyne.guard.showing import ShownQuery, show
    from mnemosyne.guard.visible import visible

__all__ = ["Policy", "Refusal", "SafeQuery", "ShownQuery", "TableRule", "check", "check_reply", "show", "visible"]

_HOMES = {
    "check": "checking",
    "check_reply": "idioms",
    "Policy": "policy",
    "TableRule": "policy",
    "ShownQuery": "showing",
    "show": "showing",
    "visible": "visible",
}


def __getattr__(name: str) -> Any:
    """Load the parser only when something is checked, so that `mnemosyne --help` stays instant."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mnemosyne.guard' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"mnemosyne.guard.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
