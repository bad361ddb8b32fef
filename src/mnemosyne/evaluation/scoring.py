"""From verdicts to figures: one score per question and model, then shares with intervals, by slice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnemosyne.datasets import Example
from mnemosyne.evaluation.benches import Bench
from mnemosyne.evaluation.components import exact_match, hardness, read
from mnemosyne.evaluation.diagnosis import diagnose
from mnemosyne.evaluation.judging import Outcome, Verdict
from mnemosyne.evaluation.predicting import Prediction
from mnemosyne.evaluation.statistics import Figure, share
from mnemosyne.guard.query import Dialect

METRICS: dict[str, str] = {
    "EX": "right rows on the first population, columns in any order (strict)",
    "EX lenient": "the same, extra columns forgiven",
    "TS": "right on every population",
    "EM": "Spider's exact set match on components",
    "VLD": "runs",
}
"""Metric to what it means in a few words; docs/evaluation.md has the whole meaning."""

ABSTAINING: dict[str, str] = {
    "ABS": "says that there is no answer, or writes no SQL",
    "SAFE": "the same, or its query was stopped before it showed rows",
}
"""The metrics of questions that have no answer."""

_SAYS_SO = ("abstain", "no-sql", "empty")
"""Codes by which a model or the assistant says that there is no answer."""

_NEVER_ASKED = ("missing", "too-long")
"""Why a question has no latency."""


@dataclass(frozen=True, slots=True)
class Score:
    """How one model did on one question. As JSONL, one object a line."""

    id: str
    """The example's id."""
    tier: str
    """The example's tier, empty when it has none."""
    tags: tuple[str, ...]
    """The example's tags."""
    hardness: str
    """Spider's hardness of the gold, empty for a question without one."""
    strict: bool
    """EX."""
    lenient: bool
    """EX lenient."""
    everywhere: bool
    """TS."""
    exact: bool
    """EM."""
    valid: bool
    """VLD."""
    code: str
    """Why it did not run, empty when it did."""
    category: str
    """What is wrong, empty when it is right on every population."""
    prediction: Prediction
    """The answer and its cost."""

    def hit(self, metric: str) -> bool:
        """Whether this question counts for `metric`, a key of `METRICS` or of `ABSTAINING`."""
        return {
            "EX": self.strict,
            "EX lenient": self.lenient,
            "TS": self.everywhere,
            "EM": self.exact,
            "VLD": self.valid,
            "ABS": self.strict,
            "SAFE": self.lenient,
        }[metric]


def score(
    bench: Bench,
    example: Example,
    prediction: Prediction,
    outcome: Outcome,
    verdict: Verdict,
    written: Dialect = "postgres",
) -> Score:
    """The score of one answer, written in the dialect `written`."""
    schema = bench.schemas[example.schema]
    gold = read(example.sql, schema, example.dialect)
    right = verdict.runs and all(verdict.strict)
    category = ""
    if not right:
        width = len(outcome.shown[0].columns)
        category = diagnose(example.sql, example.dialect, prediction.sql, verdict, width, schema, written)
        category = "abstained" if prediction.refusal == "abstain" else category
    return Score(
        example.id,
        example.tier,
        example.tags,
        hardness(gold),
        strict=verdict.strict[0],
        lenient=verdict.lenient[0],
        everywhere=right,
        exact=bool(prediction.sql) and exact_match(gold, read(prediction.sql, schema, written)),
        valid=verdict.runs,
        code=prediction.refusal if prediction.refusal in ("abstain", "missing") else verdict.code,
        category=category,
        prediction=prediction,
    )


def abstention(example: Example, prediction: Prediction, code: str) -> Score:
    """The score of one answer to a question that has none; `code` says why it shows no rows, empty when it may.

    A question that was never asked counts as answered, and so does a reply that was cut: silence by accident is no
    abstention.
    """
    says_so = code in _SAYS_SO
    stopped = bool(code) and prediction.refusal not in (*_NEVER_ASKED, "cut")
    return Score(
        example.id,
        example.tier,
        example.tags,
        "",
        strict=says_so,
        lenient=stopped,
        everywhere=says_so,
        exact=False,
        valid=not stopped,
        code=code,
        category="" if says_so else "stopped" if stopped else "answered",
        prediction=prediction,
    )


Slices = dict[str, dict[str, dict[str, Figure]]]
"""Kind of slice (`all`, `tier`, `hardness`, `tag`) to its name to metric to figure."""


def slices(scores: Sequence[Score], metrics: Iterable[str], *, seed: int = 0) -> Slices:
    """Every figure of one model."""
    metrics = list(metrics)
    kinds: Mapping[str, Callable[[Score], Iterable[str]]] = {
        "all": lambda score: ("all",),
        "tier": lambda score: (score.tier,) if score.tier else (),
        "hardness": lambda score: (score.hardness,) if score.hardness else (),
        "tag": lambda score: score.tags,
    }
    found: Slices = {}
    for kind, names_of in kinds.items():
        groups: dict[str, list[Score]] = {}
        for one in scores:
            for name in names_of(one):
                groups.setdefault(name, []).append(one)
        found[kind] = {name: _figures(groups[name], metrics, seed) for name in sorted(groups, key=rank)}
    return found


_ORDER = ("all", "simple", "moderate", "complex", "easy", "medium", "hard", "extra")


def rank(name: str) -> tuple[int, str]:
    """Sorts the names of slices: tiers and levels by ease, others by name."""
    return (_ORDER.index(name), "") if name in _ORDER else (len(_ORDER), name)


def _figures(scores: Sequence[Score], metrics: Iterable[str], seed: int) -> dict[str, Figure]:
    figures = {metric: share([score.hit(metric) for score in scores], seed=seed) for metric in metrics}
    return {metric: figure for metric, figure in figures.items() if figure is not None}


def cost(scores: Sequence[Score], wall_seconds: float) -> dict[str, Any]:
    """Latency, tokens, repairs, votes and refusals of one model over a bench."""
    predictions = [score.prediction for score in scores]
    seconds = sorted(prediction.seconds for prediction in predictions if prediction.refusal not in _NEVER_ASKED)
    agreements = [prediction.agreement for prediction in predictions if prediction.agreement is not None]
    failures = ("error", "timeout", "memory", "cancelled", "crash")
    return {
        "seconds_median": _quantile(seconds, 0.5),
        "seconds_p95": _quantile(seconds, 0.95),
        "seconds_quantiles": [_quantile(seconds, step / 20) for step in range(21)] if seconds else [],
        "wall_seconds": wall_seconds,
        "tokens": sum(prediction.tokens for prediction in predictions),
        "prompt_tokens": sum(prediction.prompt_tokens for prediction in predictions),
        "cached_tokens": sum(prediction.cached_tokens for prediction in predictions),
        "cut": sum(prediction.finish == "length" for prediction in predictions),
        "repairs": sum(prediction.repairs for prediction in predictions),
        "repaired": sum(prediction.repairs > 0 for prediction in predictions),
        "votes": max((prediction.votes for prediction in predictions), default=1),
        "agreement": sum(agreements) / len(agreements) if agreements else None,
        "refused": sum(bool(score.code) and score.code not in (*failures, "abstain", "missing") for score in scores),
        "failed": sum(score.code in failures for score in scores),
        "abstained": sum(score.code == "abstain" for score in scores),
        "missing": sum(prediction.refusal == "missing" for prediction in predictions),
    }


def _quantile(ordered: Sequence[float], share_below: float) -> float:
    return ordered[min(len(ordered) - 1, int(share_below * len(ordered)))] if ordered else 0.0


def reliability(scores: Sequence[Score], bins: int = 5) -> list[dict[str, float]]:
    """For voted answers: mean agreement, share right (percent) and count, per bin of agreement."""
    groups: dict[int, list[Score]] = {}
    for one in scores:
        if one.prediction.agreement is not None:
            groups.setdefault(min(bins - 1, int(one.prediction.agreement * bins)), []).append(one)
    return [
        {
            "agreement": 100 * sum(one.prediction.agreement or 0.0 for one in group) / len(group),
            "right": 100 * sum(one.everywhere for one in group) / len(group),
            "n": len(group),
        }
        for _, group in sorted(groups.items())
    ]
