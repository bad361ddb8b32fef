"""Cases in `.sql` files: a comment that names the case, its text, an empty line."""

from __future__ import annotations

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
