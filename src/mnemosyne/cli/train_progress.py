"""The live screen of `mnemosyne train`: loss, speed, time to go, measurements."""

from __future__ import annotations

from collections import deque
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from mnemosyne.training.loop import Measured, StepDone

WINDOW = 10
"""Steps over which speed and loss are averaged."""


class Screen:
    """A progress bar on a terminal, a line every few steps elsewhere."""

    def __init__(self, console: Console, steps: int) -> None:
        self._console = console
        self._steps = steps
        self._recent: deque[StepDone] = deque(maxlen=WINDOW)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("training", total=steps, detail="")

    def __enter__(self) -> Screen:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, event: StepDone | Measured) -> None:
        """Show one event."""
        if isinstance(event, Measured):
            self._console.print(measured(event))
            return
        self._recent.append(event)
        detail = self.detail()
        self._progress.update(self._task, completed=event.step, detail=detail)
        if not self._console.is_terminal and (event.step % WINDOW == 0 or event.step in (1, self._steps)):
            self._console.print(f"step {event.step}/{self._steps}  {detail}", highlight=False, soft_wrap=True)

    def detail(self) -> str:
        """Loss, speed and time to go of the last few steps."""
        recent, last = self._recent, self._recent[-1]
        seconds = sum(step.seconds for step in recent)
        questions = sum(step.questions for step in recent)
        loss = sum(step.loss for step in recent) / len(recent)
        tokens = sum(step.tokens for step in recent) / seconds
        left = (self._steps - last.step) * seconds / len(recent)
        return (
            f"loss {loss:.4f}  {tokens:,.0f} tokens/s  {questions / seconds:.2f} questions/s  "
            f"{clock(left)} to go  {last.memory_gb:.1f} GB"
        )


def measured(event: Measured) -> str:
    """A measurement as one line."""
    accuracy = "" if event.right is None else f"  EX {event.right}/{event.asked}"
    star = "  best so far" if event.best else ""
    return f"step {event.step}: validation loss {event.loss:.4f}{accuracy}  ({event.seconds:.0f} s){star}"


def clock(seconds: float) -> str:
    """Seconds as `1:02:03`."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
