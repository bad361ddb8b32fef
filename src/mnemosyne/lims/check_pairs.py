"""`python -m mnemosyne.lims.check_pairs FILE.jsonl … -o SET.jsonl.gz`: pairs about the laboratory, written one by one.

Judged on three populations of 6,000 samples and 24,000 results, larger than those of the generated sets, so that a
question with three or four conditions still has an answer; nothing that overlaps an evaluation question passes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from mnemosyne.databases import open_database
from mnemosyne.datasets import Example, fingerprint, write_examples
from mnemosyne.datasets.jsonl import try_lines
from mnemosyne.datasets.overlap import OverlapIndex
from mnemosyne.grounding.linking import Linker
from mnemosyne.lims import sets
from mnemosyne.lims.contract import schema
from mnemosyne.synthesis.checking import Checked, Checker
from mnemosyne.synthesis.own import CHECKED_NEIGHBOURS
from mnemosyne.synthesis.pools import Privacy
from mnemosyne.synthesis.verify import Verifier

SCALE = 2.0
"""Of each population."""


def check(files: Iterable[Path], home: Path, source: str) -> Iterator[tuple[Path, Checked]]:
    """The verdict on every line of the files; populations are kept in `home`."""
    known = schema()
    databases = [open_database(url) for url in sets.populations(home, SCALE)]
    try:
        checker = Checker(
            Verifier(databases, known, sets.TODAY, most=CHECKED_NEIGHBOURS, careful=False),
            "lab",
            links=[Linker(database, known, Privacy()).hints for database in databases],
            protected=OverlapIndex(sets.written()),
            source=source,
        )
        for file in files:
            for verdict in checker.check(try_lines(file)):
                yield file, verdict
    finally:
        for database in databases:
            database.close()


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments and judge; 1 when a pair is refused."""
    parser = argparse.ArgumentParser(prog="mnemosyne.lims.check_pairs", description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", help="JSON Lines of question, sql and tier")
    parser.add_argument("-o", "--output", type=Path, help="where those that pass go; without it they are only judged")
    parser.add_argument("--source", default="lab-written", help="beginning of the ids (default: lab-written)")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "mnemosyne-sets", help="populations")
    given = parser.parse_args(arguments)
    passed: list[Example] = []
    refused = 0
    missing = [str(file) for file in given.files if not file.is_file()]
    if missing:
        parser.error(f"no such file: {', '.join(missing)}")
    for file, verdict in check(given.files, given.work, given.source):
        if verdict.example is None:
            refused += 1
            print(f"{file.name}, line {verdict.line}: {verdict.question}\n    {verdict.reason}", flush=True)
        else:
            passed.append(replace(verdict.example, id=f"{given.source}-{len(passed) + 1:04d}"))
    print(f"{len(passed):,} pass, {refused:,} do not; fingerprint {fingerprint(passed)}")
    if given.output is not None:
        write_examples(given.output, passed)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
