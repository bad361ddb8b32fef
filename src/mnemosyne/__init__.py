"""Mnemosyne: plain questions to checked SQL for laboratory databases, on your own machine.

from mnemosyne import Assistant
answer = Assistant.open("sqlite:///lab.db").ask("How many samples were received this month?")
print(answer.sql, answer.result)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnemosyne.assistant import Answer, Assistant, Options, generate_sql

__version__ = "0.1.0"
__all__ = ["Answer", "Assistant", "Options", "__version__", "generate_sql"]


def __getattr__(name: str) -> Any:
    """The public names, imported when first used, so that `import mnemosyne` costs nothing."""
    if name in __all__:
        from mnemosyne import assistant

        return getattr(assistant, name)
    raise AttributeError(f"module 'mnemosyne' has no attribute {name!r}")
