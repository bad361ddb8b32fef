"""Which checkpoint is best, and when to stop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
import tiny_training as tiny

from mnemosyne.training import loop
from mnemosyne.training.loop import Measured, better
from mnemosyne.training.recipe import Validation


def measured(right: int | None, loss: float) -> Measured:
    return Measured(1, loss, right, 10, 1.0)


def test_more_right_answers_win_and_the_loss_decides_ties() -> None:
    assert better(measured(7, 0.9), measured(6, 0.1), "execution")
    assert not better(measured(6, 0.1), measured(7, 0.9), "execution")
    assert better(measured(7, 0.1), measured(7, 0.2), "execution")
    assert not better(measured(7, 0.2), measured(7, 0.2), "execution")


def test_by_loss_the_answers_do_not_count() -> None:
    assert better(measured(0, 0.1), measured(9, 0.2), "loss")
    assert better(measured(None, 0.1), measured(None, 0.2), "execution"), "nothing was executed"


def run(folder: Path, right: list[int], patience: int) -> tuple[Any, list[Any]]:
    """A run that measures after every step and finds so many right answers."""
    trainer = tiny.trainer(
        folder, tiny.rows(96, 3), validation=Validation("v.jsonl", database="x", minutes=0, patience=patience)
    )
    counts = iter(right)

    def measure(current: Any) -> Measured:
        return Measured(current.done, 0.5, next(counts), 10, 0.1)

    events: list[Any] = []
    loop.run(trainer, measure, events.append)
    return trainer, [event for event in events if isinstance(event, Measured)]


def test_the_best_is_marked_and_patience_ends_the_run(tmp_path: Path) -> None:
    trainer, told = run(tmp_path, [3, 5, 4, 5, 4, 9, 9, 9], patience=3)
    assert [event.best for event in told] == [True, True, False, False, False]
    assert trainer.done == 5 < len(trainer.steps)
    assert trainer.stopped == "stopped early at step 5 of 8: none of the last 3 measurements was better"


def test_without_patience_every_step_is_taken_and_the_end_is_measured_once(tmp_path: Path) -> None:
    trainer, told = run(tmp_path, [1] * 8, patience=0)
    assert trainer.done == len(trainer.steps) == 8
    assert not trainer.stopped
    assert [event.step for event in told] == list(range(1, 9))


def test_a_measurement_that_fails_costs_no_step(tmp_path: Path) -> None:
    trainer = tiny.trainer(tmp_path, tiny.rows(40, 3), validation=Validation("v.jsonl", minutes=1000))

    def broken(current: Any) -> Measured:
        raise OSError("the database has gone away")

    with pytest.raises(OSError, match="gone away"):
        loop.run(trainer, broken, lambda event: None)
    again = tiny.trainer(tmp_path, tiny.rows(40, 3))
    assert again.resume()
    assert again.done == len(again.steps)
    told: list[Any] = []
    loop.run(again, lambda current: replace(measured(3, 0.5), step=current.done), told.append)
    assert [event.step for event in told] == [again.done], "the measurement is made up for"
