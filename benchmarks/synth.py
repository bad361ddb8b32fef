"""What `mnemosyne synth` takes for growing counts of verified pairs of the demo laboratory: is it linear?

    python benchmarks/synth.py                          # 1,000, 2,000 and 4,000 pairs, two processes
    python benchmarks/synth.py --counts 2000,4000,8000
    python benchmarks/synth.py --quick                  # 200 and 400 pairs

Every count is a run of its own, with another seed and the laboratory's lexicon. Processor seconds are those of
the process and its workers and hardly depend on what else runs; memory is what they hold together at most. With two
counts or more a power law is fitted: pairs^1 is linear.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

import numpy as np


def main() -> None:
    """Make pairs and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="1000,2000,4000", help="pairs of each run  [%(default)s]")
    parser.add_argument("--workers", type=int, default=2, help="processes  [%(default)s]")
    parser.add_argument("--quick", action="store_true", help="200 and 400 pairs")
    options = parser.parse_args()
    counts = [200, 400] if options.quick else [int(count) for count in options.counts.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/lab.db"
        call("lims", "create", url, "--seed", "7")
        found = [measured(url, count, seed, options.workers, Path(folder)) for seed, count in enumerate(counts)]
    if len(found) > 1:
        power = np.polyfit(np.log(counts), np.log([seconds for seconds, _ in found]), 1)[0]
        print(f"processor seconds grow as pairs^{power:.2f}")


def measured(url: str, count: int, seed: int, workers: int, folder: Path) -> tuple[float, float]:
    """Processor seconds and GB of one run."""
    lexicon = str(files("mnemosyne.data") / "lims" / "lexicon.yaml")
    before, started = os.times(), time.perf_counter()
    command = ["synth", "--db", url, "-o", str(folder / f"own-{count}"), "-n", str(count), "--seed", str(seed)]
    memory = call(*command, "--lexicon", lexicon, "--workers", str(workers), "--quiet")
    wall, after = time.perf_counter() - started, os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    print(f"{count:,} pairs: {wall:.0f} s, {seconds:.0f} s of processor ({1000 * seconds / count:.0f} ms a pair), "
          f"{memory:.2f} GB", flush=True)  # fmt: skip
    return seconds, memory


def call(*words: str) -> float:
    """Run the command line; what its processes held together at most, in GB. Leaves the program when it fails."""
    running = subprocess.Popen([sys.executable, "-m", "mnemosyne", *words], stdout=subprocess.DEVNULL)
    most = 0.0
    while running.poll() is None:
        most = max(most, held(running.pid))
        time.sleep(0.5)
    if running.returncode:
        sys.exit(f"mnemosyne {' '.join(words)}: exit code {running.returncode}")
    return most


def held(pid: int) -> float:
    """GB that a process and its descendants hold now; pages that they share are counted once for each. Linux only."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9 + sum(held(int(child)) for child in children)


if __name__ == "__main__":
    main()
