"""`python -m mnemosyne.lims.build_sets`: make lab-train, lab-valid and lab-579 again, bit for bit, with their reports.

Finished blocks are kept in the work folder, so a stopped run goes on; nothing else decides what is made.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from mnemosyne.lims import sets


def main(arguments: list[str] | None = None) -> None:
    """Parse the arguments and build."""
    parser = argparse.ArgumentParser(prog="mnemosyne.lims.build_sets", description=__doc__)
    home = Path(__file__).resolve().parent.parent / "data" / "sets"
    parser.add_argument("-o", "--output", type=Path, default=home, help="folder of the sets (default: the package's)")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "mnemosyne-sets",
                        help="populations and finished blocks")  # fmt: skip
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--ray", action="store_true", help="make blocks on Ray")
    parser.add_argument("--scale", type=float, default=1.0, help="below 1: smaller sets, for trying out")
    parser.add_argument("--docs", type=Path, help="also write the reports here: coverage, verification, leakage")
    given = parser.parse_args(arguments)
    given.output.mkdir(parents=True, exist_ok=True)

    def said(name: str, kept: int, count: int) -> None:
        print(f"{name}: {kept} of {count}", flush=True)

    made = sets.build(given.output, given.work, workers=given.workers, ray=given.ray, scale=given.scale, progress=said)
    if given.docs is not None:
        from mnemosyne.lims import set_reports

        set_reports.write(made, given.docs)


if __name__ == "__main__":
    main()
