"""Do the golds of the laboratory's sets give the same rows on PostgreSQL, DuckDB and SQLite?

    python benchmarks/golds.py                          # every set, on a laboratory that no set was made on (seed 7)
    python benchmarks/golds.py lab-train --workers 2    # one set
    python benchmarks/golds.py --quick                  # lab-bench and lab-dev

Prints each gold that differs, is refused or fails, and how many of how many are equal; ends with 1 if any is not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from importlib.resources import files
from pathlib import Path

TODAY = date(2026, 6, 15)
SETS = ("lab-bench", "lab-dev", "lab-579", "lab-valid", "lab-written", "lab-train")
CHUNK = 250
"""Golds that a process judges on one connection to each engine."""


def judged(golds: list[tuple[str, str]], urls: dict[str, str]) -> list[str]:
    """What is wrong with each gold (id, SQL) that is not equal on all engines."""
    from mnemosyne import guard, lims
    from mnemosyne.databases import Limits, open_database
    from mnemosyne.guard.query import SafeQuery
    from mnemosyne.results import Result, same

    schema, limits, wrong = lims.schema(), Limits(timeout_seconds=30, max_rows=50_000), []
    databases = {engine: open_database(url) for engine, url in urls.items()}
    for name, sql in golds:
        rows: dict[str, Result] = {}
        for engine, database in databases.items():
            checked = guard.check(sql, schema, target=engine, today=TODAY)
            outcome = database.run(checked, limits) if isinstance(checked, SafeQuery) else checked
            if not isinstance(outcome, Result):
                wrong.append(f"{name}: {engine} says {getattr(outcome, 'message', '') or outcome}: {sql}")
                break
            rows[engine] = outcome
        first, *others = rows
        differing = [engine for engine in others if not same(rows[first], rows[engine])]
        if differing:
            wrong.append(f"{name}: other rows on {' and '.join(differing)} than on {first}: {sql}")
    for database in databases.values():
        database.close()
    return wrong


def main() -> int:
    """Judge the sets that are named."""
    from mnemosyne.datasets import read_examples
    from mnemosyne.evaluation.laboratories import Laboratories

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join(SETS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="lab-bench and lab-dev alone")
    given = parser.parse_args()
    names, folder = given.sets or (SETS[:2] if given.quick else SETS), files("mnemosyne.data") / "sets"
    bad = 0
    with tempfile.TemporaryDirectory() as home, Laboratories.open(Path(home)) as labs:
        urls = {engine: labs.urls(engine, TODAY)[0] for engine in labs.engines()}
        with ProcessPoolExecutor(given.workers) as pool:
            for name in names:
                [path] = [p for p in (folder / f"{name}.jsonl", folder / f"{name}.jsonl.gz") if p.is_file()]
                golds = [(one.id, one.sql) for one in read_examples(Path(str(path)))]
                parts = [golds[i : i + CHUNK] for i in range(0, len(golds), CHUNK)]
                started = time.perf_counter()
                wrong = [line for found in pool.map(judged, parts, [urls] * len(parts)) for line in found]
                print(*wrong, sep="\n", end="\n" * bool(wrong))
                spent = time.perf_counter() - started
                print(
                    f"{name}: {len(golds) - len(wrong):,} of {len(golds):,} equal on {', '.join(urls)}; {spent:.0f} s"
                )
                bad += len(wrong)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
