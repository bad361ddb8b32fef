"""What an answer shows of itself: the signs that its confidence is made from."""

from __future__ import annotations

from collections.abc import Sequence

from mnemosyne.assistant.answers import Answer, Step
from mnemosyne.grounding.confidence import Signs
from mnemosyne.results import Result


def says(row: Sequence[object]) -> bool:
    """Whether a row says anything: a count of nothing does not."""
    return any(cell not in (None, 0) for cell in row)


def signs_of(answer: Answer) -> Signs:
    """The signs that the confidence of an answer is made from."""
    chosen = next(step for step in answer.steps if step.sql == answer.written)
    return signs(chosen, answer.steps, answer.agreement)


def signs(chosen: Step, steps: Sequence[Step], agreement: float | None) -> Signs:
    """The signs of the step that was chosen among `steps`."""
    empty = isinstance(chosen.outcome, Result) and not any(says(row) for row in chosen.outcome.rows)
    repairs = sum(step.kind in ("mend", "repair") for step in steps)
    return Signs(chosen.completion.logprobs, repairs, empty, agreement)
