"""The training loop on shared prefixes: step by step, resumable after any interruption.

It knows rows, a model and a folder; it does not know databases (`judge` says whether an answer is right) nor
screens (`listen` is told what happened).
"""

from __future__ import annotations

import logging
import math
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnemosyne.errors import TrainingError
from mnemosyne.training import checkpoint, lora, optimiser, plan
from mnemosyne.training.attention import NAME
from mnemosyne.training.data import Loaded, epoch_rows
from mnemosyne.training.peers import Peers
from mnemosyne.training.recipe import Recipe
from mnemosyne.training.rows import Row
from mnemosyne.training.surroundings import give_back_memory

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mnemosyne.training.packing import Pack

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StepDone:
    """One optimizer step."""

    step: int
    """Steps done, from 1."""
    loss: float
    """Mean cross-entropy of an answer token, nats."""
    rate: float
    """Learning rate."""
    norm: float
    """Norm of the gradient before it was cut."""
    questions: int
    """Rows of the step."""
    tokens: int
    """Tokens computed, shared prefixes counted once."""
    schemas: int
    """Different schemas in the step."""
    seconds: float
    """Wall time of the step."""
    hours: float
    """Wall time of training so far, over all sittings."""
    memory_gb: float
    """Peak memory of the process."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement on the validation set."""

    step: int
    """Steps done."""
    loss: float
    """Mean cross-entropy of an answer token, nats."""
    right: int | None
    """Answers with the gold's rows; None when nothing was executed."""
    asked: int
    """Questions asked."""
    seconds: float
    """Wall time of the measurement."""
    best: bool = False
    """True when the recipe's rule prefers this checkpoint to all before."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Steps that followed one schedule; a resumed run may have several."""

    first: int
    """The first of them, from 1; they end where the next stretch begins."""
    of: int
    """Steps of the schedule that their learning rates are of."""


Listen = Callable[[StepDone | Measured], None]
"""Told of every step and measurement."""

Measure = Callable[["Trainer"], Measured]
"""Measures the model under training (`selection.Validator`)."""


def schedule(loaded: Sequence[Loaded], recipe: Recipe, cutting: int = plan.CUTTING) -> list[plan.Step]:
    """Every step of the run, in order: a function of data and recipe alone."""
    steps: list[plan.Step] = []
    for number in range(math.ceil(recipe.epochs)):
        rows = epoch_rows(loaded, recipe.seed, number)
        share = min(1.0, recipe.epochs - number)
        made = plan.epoch(
            rows,
            batch=recipe.batch,
            group_size=recipe.group_size,
            pack_tokens=recipe.pack_tokens,
            seed=recipe.seed,
            number=number,
            cutting=cutting,
        )
        steps.extend(made[: max(1, round(share * len(made)))])
    return steps[: recipe.max_steps] if recipe.max_steps else steps


class Trainer:
    """A model with adapters, its optimizer and the steps to go."""

    def __init__(
        self, model: Any, recipe: Recipe, steps: Sequence[plan.Step], folder: Path, peers: Peers | None = None
    ) -> None:
        self.peers = peers or Peers()
        self.model = model
        self.recipe = recipe
        self.steps = steps
        self.folder = folder
        self.done = 0
        self.hours = 0.0
        self.stopped = ""
        """Why the run ended before its last step, empty when it did not."""
        self.measurements: list[Measured] = []
        self.stretches: list[Stretch] = [Stretch(1, len(steps))]
        lora.attach(model, recipe.rank, recipe.alpha, recipe.targets, recipe.seed)
        lora.freeze_lowest(model, recipe.frozen_layers)
        model.config._attn_implementation = NAME
        if recipe.recompute:
            model.activation_checkpointing_enable()
        self.named: dict[str, nn.Parameter] = lora.trained(model)
        self.optimizer = optimiser.adamw(self.named, recipe.weight_decay)

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.folder / "checkpoints"

    def loss(self, pack: Pack) -> Tensor:
        """Summed cross-entropy of a pack's answer tokens, nats."""
        from mnemosyne.training.loss import answer_loss

        hidden = self.model.model(
            input_ids=pack.input_ids,
            position_ids=pack.position_ids,
            attention_mask={"full_attention": None},
            layout=pack.layout,
            use_cache=False,
        ).last_hidden_state[0]
        return answer_loss(hidden[pack.predict_at], self.model.lm_head.weight, pack.labels)

    def step(self) -> StepDone:
        """One optimizer step. Raises TrainingError when loss or gradient is not a number; nothing is changed then."""
        import torch

        from mnemosyne.training.packing import pack

        started = time.perf_counter()
        step = self.steps[self.done]
        rate = optimiser.rate(self.done, len(self.steps), self.recipe.learning_rate, self.recipe.warmup)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for groups in self.peers.mine(step.packs):
            batch = pack(groups)
            loss = self.loss(batch)
            self._finite(loss.item(), "loss", batch.ids)
            (loss / step.answers).backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        total = self.peers.add(self.named.values(), total)
        norm = torch.nn.utils.clip_grad_norm_(self.named.values(), self.recipe.clip).item()
        self._finite(norm, "gradient", [row.id for row in step.rows])
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        give_back_memory()
        self.done += 1
        seconds = time.perf_counter() - started
        self.hours += seconds / 3600
        return StepDone(
            self.done,
            total / step.answers,
            rate,
            norm,
            len(step.rows),
            step.tokens,
            step.schemas,
            seconds,
            self.hours,
            peak_memory_gb(),
        )

    def _finite(self, value: float, what: str, ids: Sequence[str]) -> None:
        if math.isfinite(value):
            return
        raise TrainingError(
            f"The {what} of step {self.done + 1} is {value}; its rows: {', '.join(ids[:64])}.",
            hint=f"The last good checkpoint is kept in {self.checkpoints}. Lower learning_rate, or look at these rows.",
        )

    def save(self) -> Path:
        """Write a checkpoint of now."""
        import torch

        state = {
            "steps": len(self.steps),
            "stretches": [asdict(stretch) for stretch in self.stretches],
            "plan": plan.fingerprint(self.steps[: self.done]),
            "hours": self.hours,
            "measurements": [asdict(m) for m in self.measurements],
            "random": torch.get_rng_state().numpy().tobytes().hex(),
        }
        moments = optimiser.moments(self.optimizer, self.named)
        return checkpoint.save(self.checkpoints, self.done, lora.tensors(self.model), moments, state)

    def resume(self) -> bool:
        """Go on from the newest whole checkpoint. False when there is none.

        The steps to go may be fewer or more than they were: their learning rates are those of the new schedule.
        What was learned so far must be the same rows in the same batches. Raises TrainingError.
        """
        import numpy as np
        import torch

        saved = checkpoint.newest(self.checkpoints)
        if saved is None:
            return False
        self._same_plan(saved)
        lora.load(self.model, saved.adapter)
        optimiser.restore(self.optimizer, self.named, saved.optimizer)
        self.done, self.hours = saved.step, saved.state["hours"]
        self.measurements = [Measured(**m) for m in saved.state["measurements"]]
        torch.set_rng_state(
            torch.from_numpy(np.frombuffer(bytes.fromhex(saved.state["random"]), dtype=np.uint8).copy())
        )
        return True

    def _same_plan(self, saved: checkpoint.Checkpoint) -> None:
        """Take over the schedules of `saved`; raise TrainingError when it cannot be gone on from with these steps."""
        count, steps = saved.step, len(self.steps)
        if steps < count:
            raise TrainingError(
                f"The checkpoint has done {count} steps; a schedule of {steps} has ended by then.",
                hint=f"Name at least {count} (--max-steps, max_steps, epochs).",
            )
        if "plan" not in saved.state:
            log.warning(
                "the checkpoint does not say what it learned from: that data and batches are the same is believed"
            )
        elif saved.state["plan"] != plan.fingerprint(self.steps[:count]):
            raise TrainingError(
                f"The checkpoint learned from other rows or batches than steps 1 to {count} of this recipe.",
                hint="Put data, seed, batch, group_size and max_tokens back (and --from-samples);"
                " or start a new run folder with --out, with start_from in the recipe.",
            )
        if {key.split("/", 1)[1] for key in saved.optimizer} != self.named.keys():
            raise TrainingError(
                "The checkpoint trained other layers than this recipe.",
                hint="Put frozen_layers and targets back; or start a new run folder, with start_from in the recipe.",
            )
        before = saved.state.get("stretches", [{"first": 1, "of": saved.state["steps"]}])
        self.stretches = [Stretch(**stretch) for stretch in before]
        if self.stretches[-1].of != steps:
            log.warning("steps %d to %d follow a schedule of %d, no longer of %d",
                        count + 1, steps, steps, self.stretches[-1].of)  # fmt: skip
            kept = [stretch for stretch in self.stretches if stretch.first <= count]
            self.stretches = [*kept, Stretch(count + 1, steps)]

    def checkpoint_bytes(self) -> int:
        """What the next checkpoint and export need: the adapter in fp32 twice and in f16, two moments of what is trained."""
        whole = sum(tensor.numel() for tensor in lora.tensors(self.model).values())
        return 10 * whole + 8 * sum(parameter.numel() for parameter in self.named.values())


def run(trainer: Trainer, measure: Measure | None, listen: Listen) -> None:
    """Train to the end of the schedule, or until patience is lost; checkpoints and measurements by the clock.

    Calls `listen` with each Measured after the trainer's `measurements` holds it, so that the listener may
    export the adapter of a new best.
    """
    recipe, validation, peers = trainer.recipe, trainer.recipe.validation, trainer.peers
    saved = measured = time.monotonic()
    size = trainer.checkpoint_bytes()
    while trainer.done < len(trainer.steps):
        checkpoint.need_room(trainer.checkpoints, size)
        listen(trainer.step())
        now = time.monotonic()
        last = trainer.done == len(trainer.steps)
        if peers.first and (last or now - saved > recipe.checkpoint_minutes * 60):
            trainer.save()
            saved = time.monotonic()
        stop = False
        if measure is not None and validation and not last and now - measured > validation.minutes * 60:
            _measure(trainer, measure, listen)
            measured = saved = time.monotonic()
            stop = _impatient(trainer.measurements, validation.patience)
        if validation and validation.patience and peers.agree(stop):
            steps = f"step {trainer.done} of {len(trainer.steps)}"
            trainer.stopped = (
                f"stopped early at {steps}: none of the last {validation.patience} measurements was better"
            )
            log.info(trainer.stopped)
            return
    if measure is not None and not any(old.step == trainer.done for old in trainer.measurements):
        _measure(trainer, measure, listen)


def _measure(trainer: Trainer, measure: Measure, listen: Listen) -> None:
    result = measure(trainer)
    best = all(better(result, old, trainer.recipe.select) for old in trainer.measurements)
    result = Measured(**{**asdict(result), "best": best})
    trainer.measurements.append(result)
    listen(result)
    trainer.save()


def better(new: Measured, old: Measured, select: str) -> bool:
    """True when the rule `select` prefers `new`: more right answers, the loss deciding ties; or the loss alone."""
    if select == "execution" and new.right is not None and old.right is not None and new.right != old.right:
        return new.right > old.right
    return new.loss < old.loss


def _impatient(measurements: Sequence[Measured], patience: int) -> bool:
    return bool(patience) and len(measurements) > patience and not any(m.best for m in measurements[-patience:])


def evaluation_loss(trainer: Trainer, rows: Sequence[Row]) -> float:
    """Mean cross-entropy of an answer token on `rows`, nats."""
    import torch

    from mnemosyne.training.packing import pack

    recipe = trainer.recipe
    steps = plan.epoch(
        rows, batch=len(rows), group_size=recipe.group_size, pack_tokens=recipe.pack_tokens, seed=0, number=0
    )
    trainer.model.eval()
    with torch.no_grad():
        total = sum(trainer.loss(pack(groups)).item() for step in steps for groups in step.packs)
    return total / sum(row.answers for row in rows)


def peak_memory_gb() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
