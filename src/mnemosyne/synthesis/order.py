"""What a person asks of `mnemosyne synth`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from mnemosyne.synthesis.pools import Privacy


@dataclass(frozen=True, slots=True)
class Order:
    """What a person asks for."""

    url: str
    """The database."""
    folder: Path
    """Where everything goes."""
    count: int = 1_000
    """Pairs."""
    seed: int = 0
    """Other seeds, other pairs."""
    lexicon: Path | None = None
    """The lexicon; None drafts one in the folder, or takes the one that is there."""
    privacy: Privacy = field(default_factory=Privacy)
    """What may be read."""
    today: date | None = None
    """What CURRENT_DATE means; None for the real today, which makes a rebuild differ."""
    name: str = ""
    """Name of the schema in the examples; empty for the lexicon's, which is `own` in a drafted one."""
    workers: int = 1
    """Processes."""
    ray: bool = False
    """Whether blocks are made on Ray."""

    @property
    def clock(self) -> date:
        """What CURRENT_DATE means."""
        return self.today or date.today()
