"""Cases in `.sql` files (a comment that names the case, its text, an empty line), and attacks, one a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


def blocks(name: str) -> list[list[str]]:
    """The paragraphs of a file, as lines; those of comments only are left out."""
    paragraphs = (HERE / name).read_text(encoding="utf-8").split("\n\n")
    lines = [[line for line in paragraph.splitlines() if line.strip()] for paragraph in paragraphs]
    return [block for block in lines if any(not line.startswith("--") for line in block)]


def cases(name: str) -> list[tuple[str, str]]:
    """(name, SQL) of every case of a file."""
    return [
        (block[0].removeprefix("-- "), "\n".join(line for line in block if not line.startswith("-- ")).rstrip(";"))
        for block in blocks(name)
    ]


@dataclass(frozen=True)
class Attack:
    """A text that must be refused."""

    place: str
    """File and line."""
    text: str
    """What a model or a person might send."""
    codes: frozenset[str]
    """The refusals that are right for it."""


def attacks(dialect: str) -> list[Attack]:
    """Every attack on a dialect: those of all dialects, then its own."""
    return [attack for name in ("every", dialect) for attack in _attacks(name)]


def _attacks(name: str) -> Iterator[Attack]:
    codes: frozenset[str] = frozenset()
    lines = (HERE / "attacks" / f"{name}.txt").read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        if line.startswith("## "):
            codes = frozenset(line[3:].partition(":")[0].split("|"))
        elif line and not line.startswith("# "):
            text = re.sub(r"\{U\+([0-9A-F]{4})\}", lambda found: chr(int(found[1], 16)), line.replace("{NL}", "\n"))
            yield Attack(f"{name}.txt:{number}", text, codes)
