"""What a run shows while it goes: steps as JSON Lines, TensorBoard curves, and plots at the end."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mnemosyne.training.loop import Measured, StepDone


class Live:
    """Writes every event of a run. On resume, what lies after the checkpoint is forgotten first."""

    def __init__(self, folder: Path, done: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.folder = folder
        self._steps = _reopen(folder / "steps.jsonl", done)
        self._measurements = _reopen(folder / "measurements.jsonl", done)
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)

    def __call__(self, event: StepDone | Measured) -> None:
        """Write one event."""
        values = asdict(event)
        file = self._steps if isinstance(event, StepDone) else self._measurements
        file.write(json.dumps(values) + "\n")
        file.flush()
        group = "train" if isinstance(event, StepDone) else "validation"
        for name, value in values.items():
            if name != "step" and value is not None:
                self._board.add_scalar(f"{group}/{name}", value, event.step)
        if isinstance(event, StepDone):
            self._board.add_scalar("train/questions_per_second", event.questions / event.seconds, event.step)
            self._board.add_scalar("train/tokens_per_second", event.tokens / event.seconds, event.step)
        else:
            self._board.flush()

    def close(self) -> None:
        """Close the files and draw the plots."""
        self._steps.close()
        self._measurements.close()
        self._board.close()
        draw(self.folder)


def _reopen(path: Path, done: int) -> Any:
    """`path` for appending, with only the lines of steps up to `done` in it."""
    kept = [line for line in lines(path) if line["step"] <= done]
    partial = path.with_suffix(".partial")
    partial.write_text("".join(json.dumps(line) + "\n" for line in kept))
    partial.replace(path)
    return path.open("a")


def lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a JSON Lines file; a line that a kill cut short is left out."""
    if not path.is_file():
        return []
    text = path.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def draw(folder: Path) -> None:
    """`loss.png`, and `accuracy.png` when answers were executed."""
    from matplotlib.figure import Figure

    steps, measured = lines(folder / "steps.jsonl"), lines(folder / "measurements.jsonl")
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([s["step"] for s in steps], [s["loss"] for s in steps], lw=1, label="training, each step")
    if measured:
        axes.plot([m["step"] for m in measured], [m["loss"] for m in measured], "o-", label="validation")
    axes.set(xlabel="optimizer step", ylabel="loss of an answer token (nats)", ylim=(0, None))
    axes.legend()
    figure.savefig(folder / "loss.png", dpi=120)
    executed = [m for m in measured if m["right"] is not None]
    if executed:
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.add_subplot()
        axes.plot([m["step"] for m in executed], [100 * m["right"] / m["asked"] for m in executed], "o-")
        best = [m for m in executed if m["best"]][-1]
        axes.axvline(best["step"], ls=":", lw=1, color="grey")
        axes.set(xlabel="optimizer step", ylabel=f"execution accuracy, % of {best['asked']}", ylim=(0, 100))
        figure.savefig(folder / "accuracy.png", dpi=120)
