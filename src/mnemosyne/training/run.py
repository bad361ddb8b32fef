"""A whole run: recipe to folder.

RUN/recipe.yaml      the recipe as it was read
RUN/run.json         what was run, on what, for how long (`record`)
RUN/steps.jsonl      one object a step; RUN/measurements.jsonl one a measurement
RUN/checkpoints/     to resume from
RUN/best/ RUN/last/  the adapter: `adapter.gguf` for llama.cpp, `adapter_model.safetensors` for PEFT
RUN/tensorboard/     the curves, live; RUN/loss.png and RUN/accuracy.png at the end
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mnemosyne.datasets.example import Example
from mnemosyne.datasets.jsonl import read_examples
from mnemosyne.errors import TrainingError
from mnemosyne.settings import Settings
from mnemosyne.training import (
    adapter_gguf,
    base,
    checkpoint,
    data,
    estimate,
    loop,
    lora,
    plan,
    resuming,
    starting,
    surroundings,
)
from mnemosyne.training import recipe as recipes
from mnemosyne.training.data import Loaded
from mnemosyne.training.live import Live
from mnemosyne.training.loop import Listen, Measured, StepDone, Trainer
from mnemosyne.training.peers import Peers
from mnemosyne.training.recipe import Recipe
from mnemosyne.training.record import Record
from mnemosyne.training.rows import encoder
from mnemosyne.training.selection import Judge, Validator

if TYPE_CHECKING:
    from torch import Tensor


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that is known before a model is loaded."""

    recipe: Recipe
    """What to do."""
    base: base.Base
    """On what."""
    tokenizer: Any
    """The base's."""
    loaded: tuple[Loaded, ...]
    """The data."""
    steps: tuple[plan.Step, ...]
    """The schedule."""
    validation: tuple[Example, ...]
    """Examples of the validation file."""
    validation_path: Path | None
    """Where they are from."""
    folder: Path
    """The recipe's, which paths are relative to."""
    settings: Settings
    """Where weights are kept."""
    cutting: int = plan.CUTTING
    """How the steps were cut."""


def prepare(recipe: Recipe, folder: Path, settings: Settings) -> Prepared:
    """Read data and weights' names, make the schedule. `folder` is the recipe's.

    Files that are not there are told before weights are fetched. Raises the errors of each part.
    """
    data.need_files(recipe, folder)
    weights = base.prepare(recipe.base, settings)
    layers = int(weights.config["num_hidden_layers"])
    if recipe.frozen_layers >= layers:
        raise TrainingError(
            f"frozen_layers is {recipe.frozen_layers}, and {recipe.base} has {layers}: nothing would be trained.",
            hint=f"Half of them, {layers // 2}, is a place to start.",
        )
    tokenizer = base.load_tokenizer(weights)
    loaded = data.load(recipe, folder, encoder(tokenizer))
    steps = loop.schedule(loaded, recipe)
    if not steps or not any(part.rows for part in loaded):
        raise TrainingError("No row fits max_tokens, so there is nothing to learn.", hint="Raise max_tokens.")
    examples: Sequence[Example] = ()
    path = None
    if recipe.validation:
        path = data.locate(recipe.validation.path, folder)
        examples = read_examples(path)
        data.need_apart(loaded, data.rows_of(examples, path, encoder(tokenizer), 10**9).rows)
    return Prepared(recipe, weights, tokenizer, tuple(loaded), tuple(steps), tuple(examples), path, folder, settings)


def train(
    prepared: Prepared, out: Path, *, resume: bool, judge: Judge | None, listen: Listen, peers: Peers | None = None
) -> Path:
    """Train and give the folder of the best adapter. Of several `peers` the first writes. Raises TrainingError."""
    recipe, peers = prepared.recipe, peers or Peers()
    if peers.first and out.exists() and any(out.iterdir()) and not resume:
        raise TrainingError(f"{out} is not empty.", hint="--resume goes on there; --out names another folder.")
    begun = resume and resuming.begun(out)
    if resume:
        resuming.facts(out)  # a torn record is told before a model is loaded
    if begun:
        prepared = _as_begun(prepared, out)
    estimate.need_memory(prepared)
    start = find_start(prepared) if recipe.start_from and not begun else None
    out.mkdir(parents=True, exist_ok=True)
    if recipe.hold_memory:
        surroundings.hold_memory()
    if recipe.optimizer == "adamw_8bit":
        log.warning("8-bit AdamW belongs to frame trl on an NVIDIA GPU; torch AdamW is used")
    model = base.load_model(prepared.base, recipe.precision)
    trainer = Trainer(model, recipe, prepared.steps, out, peers)
    went_on = resume and trainer.resume()
    if resume and not went_on and peers.first:
        log.warning(resuming.anew(out))
    if not went_on and recipe.start_from:
        lora.load(model, starting.tensors(start or find_start(prepared), recipe))
    del start  # the model has its own copy
    if not peers.first:
        loop.run(trainer, None, lambda event: None)
        return out
    (out / "recipe.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(asdict(recipe))), sort_keys=False))
    record = Record(out, prepared)
    record.start(trainer)
    live = Live(out, trainer.done)
    measure = validator(prepared, judge) if recipe.validation else None

    def told(event: StepDone | Measured) -> None:
        live(event)
        if isinstance(event, Measured) and event.best:
            export(trainer, prepared, out / "best")
        listen(event)

    loop.run(trainer, measure, told)
    export(trainer, prepared, out / "last")
    live.close()
    record.finish(trainer)
    return out / ("best" if (out / "best").is_dir() else "last")


def _as_begun(prepared: Prepared, out: Path) -> Prepared:
    """The same with the steps cut as those of the run in `out` were. Raises TrainingError when it was another run."""
    recipe, weights = prepared.recipe, prepared.base
    resuming.need_same(out, recipe, prepared.folder, prepared.settings, weights.name, weights.sha256)
    cutting = resuming.cutting(resuming.facts(out))
    if cutting == prepared.cutting:
        return prepared
    return replace(prepared, steps=tuple(loop.schedule(prepared.loaded, recipe, cutting)), cutting=cutting)


def find_start(prepared: Prepared) -> starting.Start:
    """The adapter that the recipe goes on from. Raises TrainingError when it does not fit."""
    return starting.find(prepared.recipe, prepared.folder, prepared.settings, prepared.base.sha256)


def validator(prepared: Prepared, judge: Judge | None) -> Validator:
    """The recipe's validation set, ready to measure."""
    validation = prepared.recipe.validation
    assert validation is not None and prepared.validation_path is not None
    return Validator(
        prepared.validation,
        prepared.validation_path,
        validation.questions,
        prepared.tokenizer,
        encoder(prepared.tokenizer),
        judge,
    )


def export(trainer: Trainer, prepared: Prepared, folder: Path) -> None:
    """Write the adapter as it is now, for PEFT and for llama.cpp; `folder` is replaced as a whole."""
    tensors = lora.tensors(trainer.model)
    _export(tensors, prepared.recipe, prepared.base.name, prepared.base.sha256, trainer.done, folder)


def export_newest(run: Path) -> Path:
    """Write RUN/last from the newest checkpoint of a run that has not ended; needs no weights and loads no model.

    Raises TrainingError, RecipeError.
    """
    if not (run / "run.json").is_file():
        raise TrainingError(f"{run} is not a run folder: it holds no run.json.")
    saved = checkpoint.newest(run / "checkpoints")
    if saved is None:
        raise TrainingError(f"{run} holds no whole checkpoint yet.")
    base = resuming.facts(run)["base"]
    recipe = recipes.load(run / "recipe.yaml")
    _export(saved.adapter, recipe, base["name"], base["sha256"], saved.step, run / "last")
    return run / "last"


def _export(
    tensors: Mapping[str, Tensor], recipe: Recipe, base_name: str, base_sha256: str, step: int, folder: Path
) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        target = Path(temporary) / "new"
        adapter_gguf.write_peft(target, tensors, rank=recipe.rank, alpha=recipe.alpha, base_name=base_name)
        adapter_gguf.write_gguf(
            target / "adapter.gguf",
            tensors,
            alpha=recipe.alpha,
            name=recipe.name,
            base_name=base_name,
            base_sha256=base_sha256,
        )
        (target / "step.json").write_text(json.dumps({"step": step}))
        if folder.exists():
            os.rename(folder, Path(temporary) / "old")
        os.rename(target, folder)
