"""The gate of every file: its execution accuracy, measured, is at most one point below bf16's.

The figures come from finished evaluations (`run.json` of `mnemosyne evaluate`). A file is found in them by its
sha256, so an evaluation of other bytes does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnemosyne.errors import ReleaseError

ALLOWED_LOSS = 1.0
"""Points of EX that a file may lose against the reference."""

REFERENCES = ("bf16", "adapter-f16")
"""The forms that others are compared with, the first one that is there."""

Evaluation = Mapping[str, Any]
"""Content of an evaluation's run.json."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One file on one bench."""

    form: str
    """Such as `q8_0`."""
    bench: str
    """Such as `lab-dev`."""
    way: str
    """How it was used, such as `greedy`."""
    ex: float
    """Execution accuracy, percent."""
    n: int
    """Questions."""
    loss: float
    """Points below the reference form; negative when above."""


def weights_of(system: Mapping[str, Any]) -> str:
    """The sha256 that identifies what a system ran: of its adapter if it has one, else of its model."""
    weights = system.get("weights", {})
    return str(weights.get("adapter_sha256") or weights.get("sha256") or "")


def reference_of(forms: Iterable[str]) -> str:
    """The form that the others are compared with. Raises ReleaseError where there is none."""
    there = set(forms)
    for form in REFERENCES:
        if form in there:
            return form
    raise ReleaseError(
        "There is nothing to compare the files with.", hint=f"Add {' or '.join(REFERENCES)} to --formats."
    )


def measured(files: Mapping[str, str], evaluations: Sequence[Evaluation]) -> list[Measured]:
    """The figures of every form (name to sha256) in every evaluation that holds the reference form too.

    Evaluations without execution accuracy, of questions that have no answer, judge no file. Raises ReleaseError when a
    form was not measured beside its reference.
    """
    found: list[Measured] = []
    reference = reference_of(files)
    for evaluation in evaluations:
        figures = {
            (system["way"], weights_of(system)): overall["EX"]
            for system in evaluation["systems"]
            if "EX" in (overall := system["figures"]["all"].get("all", {}))
        }
        for (way, sha256), best in figures.items():
            if sha256 != files[reference]:
                continue
            for form, own in files.items():
                if figure := figures.get((way, own)):
                    loss = best["value"] - figure["value"]
                    found.append(Measured(form, evaluation["bench"]["name"], way, figure["value"], figure["n"], loss))
    missing = sorted(files.keys() - {one.form for one in found})
    if missing:
        raise ReleaseError(
            f"Nobody measured {', '.join(missing)} beside {reference}.",
            hint="--measure BENCH measures every file; --evaluation FOLDER takes a finished evaluation of these files.",
        )
    return found


def demand(found: Sequence[Measured]) -> None:
    """Raise ReleaseError when a file loses more than the allowed loss on any bench."""
    bad = [one for one in found if one.loss > ALLOWED_LOSS + 1e-9]
    if bad:
        words = "; ".join(f"{one.form} loses {one.loss:.1f} points of EX on {one.bench} ({one.ex:.1f})" for one in bad)
        raise ReleaseError(
            f"Not released: {words}.",
            hint=f"At most {ALLOWED_LOSS:g} is allowed. Leave out the form with --formats, or quantise less.",
        )
