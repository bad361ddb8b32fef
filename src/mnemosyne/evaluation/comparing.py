"""Two finished runs of one bench, question by question."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from mnemosyne.datasets.jsonl import read_lines
from mnemosyne.errors import EvaluationError
from mnemosyne.evaluation import record
from mnemosyne.evaluation.running import slug
from mnemosyne.evaluation.statistics import paired

_FIELDS = {
    "EX": "strict",
    "EX lenient": "lenient",
    "TS": "everywhere",
    "EM": "exact",
    "VLD": "valid",
    "ABS": "strict",
    "SAFE": "lenient",
}


def compare(first: Path, second: Path, *, metric: str = "", seed: int = 0) -> dict[str, Any]:
    """Every system of one run against every system of the other, on the questions that both were asked.

    Raises EvaluationError: another metric version, or another bench, or other golds, or a damaged run.
    """
    try:
        return _compare(first, second, metric, seed)
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        raise EvaluationError(
            f"{first} or {second} is damaged: {error} is missing or of another kind.",
            hint="Make the report again: mnemosyne evaluate --bench NAME -o FOLDER.",
        ) from None


def _compare(first: Path, second: Path, metric: str, seed: int) -> dict[str, Any]:
    one, other = record.load(first), record.load(second)
    for what, a, b in (
        ("metric", one["metric"], other["metric"]),
        ("bench", one["bench"]["name"], other["bench"]["name"]),
        ("questions, engine, clock or populations", one["bench"]["identity"], other["bench"]["identity"]),
    ):
        if a != b:
            raise EvaluationError(
                f"The runs cannot be compared, their {what} differ: {a} and {b}.",
                hint="Measure both with the same bench, limit and version.",
            )
    contents = [run["bench"].get("contents", "") for run in (one, other)]
    if all(contents) and contents[0] != contents[1]:
        raise EvaluationError(
            "The runs cannot be compared: their databases have the same names and hold other rows.",
            hint="Measure both on the same databases.",
        )
    metric = metric or next(iter(one["metrics"]))
    if metric not in one["metrics"] or metric not in other["metrics"]:
        raise EvaluationError(f"{metric!r} was not measured.", hint=f"Measured: {', '.join(one['metrics'])}.")
    pairs = []
    for a in one["systems"]:
        for b in other["systems"]:
            rows, others = _scores(first, a["label"]), _scores(second, b["label"])
            ours = {name: bool(row[_FIELDS[metric]]) for name, row in rows.items()}
            theirs = {name: bool(others[name][_FIELDS[metric]]) for name in ours}
            hits = list(ours.values()), list(theirs.values())
            result = paired(*hits, seed=seed)
            if result is None:
                continue
            gained = [name for name in ours if theirs[name] and not ours[name]]
            lost = [name for name in ours if ours[name] and not theirs[name]]
            levels = [(row.get("tier", ""), row.get("hardness", "")) for row in rows.values()]
            slices = record.sliced_pairs(levels, *hits, seed=seed)
            pair = {"first": a["label"], "second": b["label"], **asdict(result), "slices": slices}
            pairs.append(pair | {"gained": gained, "lost": lost})
    return {"metric": one["metric"], "measure": metric, "bench": one["bench"], "pairs": pairs}


def _scores(folder: Path, label: str) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for _, row in read_lines(folder / "scores" / f"{slug(label)}.jsonl")}
