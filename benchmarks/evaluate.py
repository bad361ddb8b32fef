"""How fast answers are judged: query pairs a second on the laboratory's three populations.

    python benchmarks/evaluate.py --pairs 10000 --workers 2 --engine postgres

A pair is one gold and one answer: the golds of the laboratory's benches, each with the gold of another question or with
its own. Nothing is shared between pairs: every gold is checked and run again for every pair, on every population, as
for a set where no two questions have the same gold. Prints JSON: wall time, CPU time of this process, its workers and
an embedded server, and the share of pairs that are equal.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path

from mnemosyne import settings
from mnemosyne.databases import Limits
from mnemosyne.evaluation.benches import Bench, Where, open_bench
from mnemosyne.evaluation.judging import Answer, Task
from mnemosyne.evaluation.record import machine
from mnemosyne.evaluation.selftest import task_of
from mnemosyne.evaluation.workers import Workers

TICKS = os.sysconf("SC_CLK_TCK")


def pairs(bench: Bench, count: int) -> list[Task]:
    """`count` tasks of one answer each; every fourth answer is the gold itself."""
    golds = bench.examples
    limits = Limits(timeout_seconds=30, max_rows=100_000)
    found = []
    for number in range(count):
        gold = golds[number % len(golds)]
        other = golds[(number * 7 + number // len(golds)) % len(golds)] if number % 4 else gold
        found.append(replace(task_of(bench, gold, (Answer(other.sql),), limits), id=f"pair-{number}"))
    return found


def cpu_of(process: object) -> float:
    """CPU time of one process, children of its that have ended included."""
    stat = Path(f"/proc/{process}/stat").read_text()
    return sum(map(int, stat.rpartition(")")[2].split()[11:15])) / TICKS


def cpu_of_all(name: str) -> float:
    """CPU time of all processes of this name."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if stat.read_text().partition("(")[2].startswith(f"{name})"):
                total += cpu_of(stat.parent.name)
        except OSError:  # it has just ended
            continue
    return total


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", default="postgres", choices=["postgres", "sqlite", "duckdb"])
    options = parser.parse_args()
    where = Where(settings.load().home, options.engine, mirror=False)
    with open_bench("lab", where) as lab, open_bench("lab-dev", where) as dev, Workers(options.workers) as workers:
        bench = replace(lab, examples=lab.examples + dev.examples)
        tasks = pairs(bench, options.pairs)
        list(workers.run(tasks[: options.workers]))  # processes started, databases open
        server, started = cpu_of_all("postgres"), time.perf_counter()
        outcomes = list(workers.run(tasks))
        seconds = time.perf_counter() - started
        server = cpu_of_all("postgres") - server
        judging = sum(cpu_of(worker.process.pid) for worker in workers._workers)
    right = sum(all(outcome.verdicts[0].strict) for outcome in outcomes)
    print(
        json.dumps(
            {
                "pairs": len(outcomes),
                "populations": bench.populations,
                "engine": options.engine,
                "workers": options.workers,
                "seconds": round(seconds, 1),
                "worker_cpu_seconds": round(judging, 1),
                "server_cpu_seconds": round(server, 1),
                "equal": right,
                "problems": sum(bool(outcome.problem) for outcome in outcomes),
                "machine": machine(),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
