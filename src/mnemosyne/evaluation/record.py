"""What a run says: run.json with every figure and its recipe, and one line per question and model."""

from __future__ import annotations

import json
import math
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from mnemosyne import __version__
from mnemosyne.errors import EvaluationError
from mnemosyne.evaluation import METRIC
from mnemosyne.evaluation.benches import Bench, identity
from mnemosyne.evaluation.running import Judged, System, read_object, slug, write_whole
from mnemosyne.evaluation.scoring import ABSTAINING, METRICS, Score, cost, rank, reliability, slices
from mnemosyne.evaluation.selftest import SelfTest
from mnemosyne.evaluation.statistics import paired, paired_by, share

WORST = 20
"""Wrong answers shown in full."""

Record = dict[str, Any]
"""The content of run.json."""


def conclude(
    bench: Bench,
    systems: Sequence[System],
    judged: Judged,
    test: SelfTest | None,
    *,
    seed: int,
    wall: Mapping[str, float],
    previous: Record | None = None,
) -> Record:
    """The record of a run. `wall` is the time spent on predictions now, `previous` an earlier record of the folder."""
    scores = judged.scores
    known = ABSTAINING if bench.unanswerable else METRICS
    metrics = [name for name in known if name != "TS" or bench.populations > 1]
    return {
        "metric": METRIC,
        "metrics": {name: known[name] for name in metrics},
        "version": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "machine": machine(),
        "bench": {
            "name": bench.name,
            "n": len(bench.examples),
            "fingerprint": bench.fingerprint,
            "identity": identity(bench),
            "engine": bench.engine,
            "populations": bench.populations,
            "schemas": len({example.schema for example in bench.examples}),
            "today": bench.today.isoformat(),
            "unanswerable": bench.unanswerable,
            "contents": bench.contents,
        },
        "self_test": asdict(test) if test else None,
        "systems": [
            _system(system, scores[system.label], metrics, seed, wall, previous)
            | _without_ties(scores[system.label], test, seed)
            for system in systems
        ],
        "pairs": [pair for metric in (metrics[0], "TS") if metric in metrics for pair in _pairs(scores, metric, seed)],
        "worst": _worst(bench, judged),
    }


def _system(
    system: System,
    scores: Sequence[Score],
    metrics: Sequence[str],
    seed: int,
    wall: Mapping[str, float],
    previous: Record | None,
) -> Record:
    earlier = next((s for s in (previous or {}).get("systems", ()) if s["label"] == system.label), None)
    seconds = wall.get(system.label, 0.0) or (earlier["cost"]["wall_seconds"] if earlier else 0.0)
    wrong = [one.category for one in scores if one.category]
    return {
        "label": system.label,
        "model": system.name,
        "way": system.how,
        "dialect": system.dialect,
        "weights": dict(system.weights),
        "figures": {
            kind: {name: {metric: asdict(figure) for metric, figure in row.items()} for name, row in names.items()}
            for kind, names in slices(scores, metrics, seed=seed).items()
        },
        "cost": cost(scores, seconds),
        "errors": {category: wrong.count(category) for category in sorted(set(wrong), key=lambda c: -wrong.count(c))},
        "reliability": reliability(scores),
    }


def _without_ties(scores: Sequence[Score], test: SelfTest | None, seed: int) -> Record:
    """EX on the questions whose gold does not leave to chance which rows it returns; nothing where all golds are so."""
    if test is None or not test.ties:
        return {}
    figure = share([one.hit("EX") for one in scores if one.id not in test.ties], seed=seed)
    return {"ex_without_ties": asdict(figure)} if figure else {}


def _pairs(scores: Mapping[str, Sequence[Score]], metric: str, seed: int) -> list[Record]:
    """Every two systems, question by question: overall, and within each tier (or hardness, where there are none)."""
    found = []
    for (first, ours), (second, theirs) in combinations(scores.items(), 2):
        hits = [[s.hit(metric) for s in side] for side in (ours, theirs)]
        result = paired(*hits, seed=seed)
        if result is not None:
            found.append({"first": first, "second": second, "metric": metric, **asdict(result)})
            found[-1]["slices"] = sliced_pairs([(s.tier, s.hardness) for s in ours], *hits, seed=seed)
    return found


def sliced_pairs(
    levels: Sequence[tuple[str, str]], first: Sequence[bool], second: Sequence[bool], *, seed: int
) -> Record:
    """Two systems within each tier, or within each hardness where no question has a tier; `levels` holds both."""
    groups = [tier for tier, _ in levels] if any(tier for tier, _ in levels) else [hardness for _, hardness in levels]
    found = paired_by(groups, first, second, seed=seed)
    return {name: asdict(found[name]) for name in sorted(found, key=rank)}


_EASE = {"simple": 0, "easy": 0, "moderate": 1, "medium": 1, "complex": 2, "hard": 2, "extra": 3}


def _worst(bench: Bench, judged: Judged) -> list[Record]:
    """The wrong answers that are hardest to excuse: easy questions first, then those that other systems get right."""
    wrong = []
    for position in range(len(bench.examples)):
        row = {label: scores[position] for label, scores in judged.scores.items()}
        right = sum(one.everywhere for one in row.values())
        wrong += [
            (_EASE.get(one.tier or one.hardness, 2), -right, position, label)
            for label, one in row.items()
            if not one.everywhere
        ]
    return [_shown(bench, judged, position, label) for _, _, position, label in sorted(wrong)[:WORST]]


def _shown(bench: Bench, judged: Judged, position: int, label: str) -> Record:
    """One wrong answer with both results."""
    example, one = bench.examples[position], judged.scores[label][position]
    verdict = judged.verdicts[label][position] if judged.verdicts else None
    golds = judged.golds.get(example.id, ())
    world = verdict.shown_world if verdict else 0
    return {
        "id": example.id,
        "system": label,
        "tier": one.tier or one.hardness,
        "question": example.question,
        "category": one.category,
        "why": verdict.reason if verdict else "",
        "gold": example.sql,
        "answer": one.prediction.sql,
        "population": world + 1,
        "gold_rows": asdict(golds[world]) if golds else None,
        "answer_rows": asdict(verdict.shown) if verdict and verdict.shown else None,
    }


def machine() -> Record:
    """What the figures were made on."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = re.findall(r"^model name\s*:\s*(.+)$", info.read_text(encoding="utf-8"), re.MULTILINE)
        processor = names[0] if names else processor
    return {
        "system": platform.platform(terse=True),
        "processor": processor,
        "cores": os.cpu_count() or 1,
        "python": platform.python_version(),
    }


def save(record: Record, judged: Judged, folder: Path) -> None:
    """Write run.json and the scores; each file appears whole."""
    for label, scores in judged.scores.items():
        lines = "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in scores)
        write_whole(folder / "scores" / f"{slug(label)}.jsonl", lines)
    text = json.dumps(_finite(record), ensure_ascii=False, indent=1, default=_plain, allow_nan=False)
    write_whole(folder / "run.json", text + "\n")


def load(folder: Path) -> Record:
    """The record of a finished run. Raises EvaluationError."""
    file = folder / "run.json"
    if not file.exists():
        raise EvaluationError(f"{folder} holds no finished run.", hint="A run's folder holds run.json.")
    return read_object(file, "metric", "metrics", "bench", "systems")


def _finite(value: Any) -> Any:
    """A record whose cells that are no number (NaN, infinity) are texts, as strict readers of JSON need."""
    match value:
        case dict():
            return {key: _finite(one) for key, one in value.items()}
        case list() | tuple():
            return [_finite(one) for one in value]
        case float() if not math.isfinite(value):
            return str(value)
    return value


def _plain(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
