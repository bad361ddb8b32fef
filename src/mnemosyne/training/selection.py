"""The measurement that chooses a checkpoint: answers through the real prompt, executed, beside the loss."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mnemosyne import prompt
from mnemosyne.datasets.example import Example
from mnemosyne.training import data, generation
from mnemosyne.training.loop import Measured, Trainer, evaluation_loss
from mnemosyne.training.rows import Encode, Row

MAX_TOKENS = 400
"""New tokens of a validation answer at most, as `Sampling.max_tokens`."""

Judge = Callable[[Sequence[tuple[Example, str]]], list[bool]]
"""(example, SQL that the model wrote) to whether it returns the gold's rows."""


class Validator:
    """Measures the model under training on the same questions every time."""

    def __init__(
        self,
        examples: Sequence[Example],
        path: Path,
        questions: int,
        tokenizer: Any,
        encode: Encode,
        judge: Judge | None,
    ) -> None:
        chosen = list(examples)
        if questions < len(chosen):
            chosen = random.Random("validation").sample(chosen, questions)
        tokenised = data.rows_of(chosen, path, encode, 10**9)
        self.examples = chosen
        self.rows: tuple[Row, ...] = tokenised.rows
        self._tokenizer = tokenizer
        self._judge = judge

    def __call__(self, trainer: Trainer) -> Measured:
        """Loss on the gold answers, and how many written answers are right."""
        started = time.perf_counter()
        loss = evaluation_loss(trainer, self.rows)
        right = None
        if self._judge is not None:
            written = self.answers(trainer.model)
            right = sum(self._judge(list(zip(self.examples, written, strict=True))))
        return Measured(trainer.done, loss, right, len(self.rows), time.perf_counter() - started)

    def answers(self, model: Any) -> list[str]:
        """The model's SQL for every question, in their order."""
        by_prefix: dict[tuple[int, ...], list[int]] = {}
        for i, row in enumerate(self.rows):
            by_prefix.setdefault(row.prefix, []).append(i)
        stop = self._tokenizer.convert_tokens_to_ids(prompt.END)
        written = [""] * len(self.rows)
        for prefix, members in by_prefix.items():
            tails = [self.rows[i].branch[: self.rows[i].answer] for i in members]
            replies = generation.answers(model, prefix, tails, stop=stop, max_tokens=MAX_TOKENS)
            for i, reply in zip(members, replies, strict=True):
                written[i] = prompt.extract_sql(self._tokenizer.decode(reply))
        return written
