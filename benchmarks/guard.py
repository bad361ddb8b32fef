"""How long the guard takes: every query of the laboratory's benches, for each dialect of a database.

    python benchmarks/guard.py --repeat 5

Each query is checked `repeat` times and the best time counts, in CPU time of this process, so that other work
on the machine does not count. Prints JSON: milliseconds at the median, at 90 % and at most, and the share of it
that parsing alone would take. The bar: under 3 ms for a typical query, which is the median.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import date
from importlib.resources import files

import sqlglot

from mnemosyne import guard, lims
from mnemosyne.datasets.jsonl import read_examples
from mnemosyne.guard.query import Dialect

DIALECTS: tuple[Dialect, ...] = ("postgres", "duckdb", "sqlite")
TODAY = date(2026, 6, 15)
BAR_MS = 3.0


def best(call: Callable[[], object], repeat: int) -> float:
    """The shortest of several runs, in milliseconds of CPU time."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def spread(times: Sequence[float]) -> dict[str, float]:
    """The figures that are reported."""
    ordered = sorted(times)
    return {
        "median_ms": round(statistics.median(ordered), 3),
        "p90_ms": round(ordered[int(0.9 * len(ordered))], 3),
        "max_ms": round(ordered[-1], 3),
    }


def measure(queries: Sequence[str], dialect: Dialect, repeat: int) -> dict[str, float]:
    """Check every query for one dialect."""
    schema = lims.schema()
    guard.check(queries[0], schema, target=dialect, today=TODAY)
    return spread([best(lambda q=sql: guard.check(q, schema, target=dialect, today=TODAY), repeat) for sql in queries])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    folder = files("mnemosyne") / "data" / "sets"
    queries = [one.sql for name in ("lab-dev", "lab-bench") for one in read_examples(str(folder / f"{name}.jsonl"))]
    report = {
        "queries": len(queries),
        "python": platform.python_version(),
        "sqlglot": sqlglot.__version__,
        "parse_alone": spread([best(lambda q=sql: sqlglot.parse_one(q, read="postgres"), repeat) for sql in queries]),
        **{dialect: measure(queries, dialect, repeat) for dialect in DIALECTS},
    }
    print(json.dumps(report, indent=2))
    return 0 if all(report[dialect]["median_ms"] < BAR_MS for dialect in DIALECTS) else 1


if __name__ == "__main__":
    raise SystemExit(main())
