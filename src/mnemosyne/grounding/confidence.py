"""How likely an answer is right: a logistic regression over a few signs that every answer carries.

Coefficients and the recipe that made them are package data (`data/grounding/confidence.json`);
`benchmarks/confidence.py` makes them again from judged answers. They belong to the adapter whose sha256 the recipe
names. Not calibrated, no number: None.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

SIGNS = ("bias", "mean_logprob", "min_logprob", "tokens", "repaired", "empty")
"""The inputs, in the order of the coefficients."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What an answer shows of itself."""

    logprobs: tuple[float, ...]
    """Natural-log probability of each token of the chosen draft; empty when the engine cannot say."""
    repairs: int
    """Drafts after the first that were needed."""
    empty: bool
    """The result has no rows, or only zeros and nothing."""

    def inputs(self) -> tuple[float, ...]:
        """The inputs of the regression, each about between -3 and 3."""
        mean = sum(self.logprobs) / len(self.logprobs)
        return (
            1.0,
            max(mean, -0.5) * 6,
            max(min(self.logprobs), -4.0) * 0.75,
            math.log(len(self.logprobs) / 40),
            float(min(self.repairs, 2)),
            float(self.empty),
        )


def probability(signs: Signs, adapter_sha256: str | None) -> float | None:
    """The calibrated probability of being right, None without log-probabilities or for an adapter without coefficients."""
    coefficients = _coefficients(adapter_sha256) if adapter_sha256 else {}
    if not signs.logprobs or not coefficients:
        return None
    total = sum(coefficients[name] * value for name, value in zip(SIGNS, signs.inputs(), strict=True))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


@lru_cache
def _coefficients(adapter_sha256: str) -> Mapping[str, float]:
    file = files("mnemosyne.data") / "grounding" / "confidence.json"
    if not file.is_file():
        return {}
    loaded = json.loads(file.read_text(encoding="utf-8"))
    if adapter_sha256 not in loaded["recipe"]["adapters"]:
        return {}
    return {str(name): float(value) for name, value in loaded["coefficients"].items()}
