"""How likely an answer is right: a logistic regression over a few signs that every answer carries.

Coefficients and the recipe that made them are package data (`data/grounding/confidence.json`);
`benchmarks/confidence.py` makes them again from judged answers. Each fit belongs to the adapter whose sha256 its recipe
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
"""The inputs of an answer that one draft led to, in the order of the coefficients."""

VOTED = ("bias", "mean_logprob", "tokens", "empty", "agreement")
"""The inputs of an answer that candidates voted for."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What an answer shows of itself."""

    logprobs: tuple[float, ...]
    """Natural-log probability of each token of the chosen draft; empty when the engine cannot say."""
    repairs: int
    """Drafts after the first that were needed."""
    empty: bool
    """The result has no rows, or only zeros and nothing."""
    agreement: float | None = None
    """Share of the candidates that agree with a voted answer, None without a vote."""

    @property
    def names(self) -> tuple[str, ...]:
        """What the inputs are: `SIGNS`, or `VOTED` after a vote."""
        return SIGNS if self.agreement is None else VOTED

    def inputs(self) -> tuple[float, ...]:
        """The inputs of the regression, each about between -3 and 4, in the order of `names`."""
        found = {
            "bias": 1.0,
            "mean_logprob": max(sum(self.logprobs) / len(self.logprobs), -0.5) * 6,
            "min_logprob": max(min(self.logprobs), -4.0) * 0.75,
            "tokens": math.log(len(self.logprobs) / 40),
            "repaired": float(min(self.repairs, 2)),
            "empty": float(self.empty),
            "agreement": 4 * (self.agreement or 0.0) - 2,
        }
        return tuple(found[name] for name in self.names)


def probability(signs: Signs, adapter_sha256: str | None) -> float | None:
    """The calibrated probability of being right, None without log-probabilities or for an adapter without coefficients.

    Answers of one draft and voted ones have coefficients of their own.
    """
    coefficients = _coefficients(adapter_sha256, signs.agreement is not None) if adapter_sha256 else {}
    if not signs.logprobs or not coefficients:
        return None
    total = sum(coefficients[name] * value for name, value in zip(signs.names, signs.inputs(), strict=True))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


@lru_cache
def _coefficients(adapter_sha256: str, voted: bool) -> Mapping[str, float]:
    file = files("mnemosyne.data") / "grounding" / "confidence.json"
    if not file.is_file():
        return {}
    fits = json.loads(file.read_text(encoding="utf-8")).get("voted" if voted else "single", [])
    own = [fit["coefficients"] for fit in fits if fit["recipe"]["adapter_sha256"] == adapter_sha256]
    return {str(name): float(value) for name, value in own[0].items()} if own else {}
