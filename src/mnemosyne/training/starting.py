"""What `start_from` means: the adapter that a run goes on from, wherever it lies.

A PEFT folder, a run folder (its best adapter, else its last), a checkpoint of a run, an adapter GGUF, or a name of the
catalogue. All are read as the same matrices under PEFT's names; a run with another alpha gets them rescaled, so
that it starts as exactly the function that was saved. The optimizer starts anew: `--resume` is what goes on with it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mnemosyne import weights
from mnemosyne.errors import TrainingError, UnknownModel
from mnemosyne.settings import Settings
from mnemosyne.training import adapter_gguf, resuming
from mnemosyne.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

FOLDERS = "a PEFT folder, a run folder, a checkpoint of a run, an adapter GGUF, or a name that `mnemosyne models` lists"
"""What `start_from` may be, for messages."""


@dataclass(frozen=True, slots=True)
class Start:
    """An adapter to go on from."""

    path: Path
    """Where it was read from."""
    rank: int
    """Rank of its matrices."""
    alpha: float | None
    """Scale, times rank; None when the files do not say."""
    base: str
    """The base that it says it was trained on, empty when it does not say."""
    base_sha256: str
    """Of the base's file, empty when it does not say."""
    tensors: Mapping[str, Tensor] = field(repr=False)
    """Matrices under PEFT's names, fp32."""


def locate(name: str, folder: Path, settings: Settings) -> Path:
    """The file or folder that `name` means: in the recipe's folder, in the current one, or of the catalogue."""
    tried = [folder / Path(os.path.expanduser(name)), Path(os.path.expanduser(name))]
    for path in tried:
        if path.exists():
            return path
    try:
        entry = weights.find(name)
    except UnknownModel as error:
        places = " and ".join(dict.fromkeys(str(path.absolute()) for path in tried))
        near = f"{error.hint.split('?')[0]}? " if error.hint.startswith("Did you mean") else ""
        raise TrainingError(
            f"start_from: there is no adapter at {places}, and no model is called {name!r}.",
            hint=f"{near}start_from is {FOLDERS}.",
        ) from None
    if entry.kind != "adapter":
        raise TrainingError(f"start_from: {name} is a whole model, not an adapter.", hint="Name it as `base`.")
    return weights.pull(entry, settings)


def read(path: Path) -> Start:
    """The adapter at `path`. Raises TrainingError when there is none, or its parts disagree."""
    if path.is_file():
        found = adapter_gguf.read_gguf(path)
        return Start(path, _rank(path, found.tensors), found.alpha, found.base, found.base_sha256, found.tensors)
    for part in ("best", "last"):
        if (path / part / "adapter_model.safetensors").is_file():
            return read(path / part)
    if (path / "adapter_model.safetensors").is_file():
        return _peft(path)
    if (path / "adapter.safetensors").is_file():
        return _checkpoint(path)
    raise TrainingError(f"There is no adapter at {path}.", hint=f"start_from is {FOLDERS}.")


def _peft(folder: Path) -> Start:
    tensors = _load(folder / "adapter_model.safetensors")
    config: dict[str, Any] = {}
    if (folder / "adapter_config.json").is_file():
        config = _config(folder / "adapter_config.json")
    for name in ("use_dora", "use_rslora", "rank_pattern", "alpha_pattern"):
        if config.get(name):
            raise TrainingError(f"{folder} was made with PEFT's {name}; only plain LoRA can be gone on from.")
    alpha = _number(config["lora_alpha"], folder / "adapter_config.json") if "lora_alpha" in config else None
    return Start(folder, _rank(folder, tensors), alpha, str(config.get("base_model_name_or_path") or ""), "", tensors)


def _checkpoint(folder: Path) -> Start:
    """A checkpoint; its run's recipe, two folders up, says the alpha and its record says the base."""
    tensors = _load(folder / "adapter.safetensors")
    run = folder.parent.parent
    alpha, base = None, {"name": "", "sha256": ""}
    if (run / "recipe.yaml").is_file():
        alpha = _recipe_alpha(run / "recipe.yaml")
    base |= resuming.facts(run).get("base", {})
    return Start(folder, _rank(folder, tensors), alpha, base["name"], base["sha256"], tensors)


def _config(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:  # of JSON, or of the encoding
        raise TrainingError(f"{file} cannot be read: {error}.", hint="Is it whole? Copy it again.") from None
    if not isinstance(config, dict):
        raise TrainingError(f"{file} is not the configuration of an adapter.", hint="Is it whole? Copy it again.")
    return config


def _recipe_alpha(file: Path) -> float:
    """The alpha of a run's recipe; the other fields may be those of another version."""
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        why = str(error).splitlines()[0]
        raise TrainingError(f"{file} cannot be read: {why}.", hint=_AGAIN.format(file.name)) from None
    if not isinstance(found, dict) or "alpha" not in found:
        raise TrainingError(f"{file} does not say the alpha of its run.", hint=_AGAIN.format(file.name))
    return _number(found["alpha"], file)


_AGAIN = "Is it whole? Put the run's {} back; or name the run's best/ or last/ as start_from."


def _number(alpha: object, file: Path) -> float:
    try:
        return float(alpha)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TrainingError(f"{file} says alpha {alpha!r}, which is no number.", hint="Is the file whole?") from None


def _load(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return {name: tensor.float() for name, tensor in load_file(file).items()}
    except SafetensorError as error:
        raise TrainingError(f"{file} cannot be read: {error}.", hint="Is it whole? Copy it again.") from None


def _rank(path: Path, tensors: Mapping[str, Tensor]) -> int:
    ranks = {int(tensor.shape[0]) for name, tensor in tensors.items() if ".lora_A." in name}
    if len(ranks) != 1:
        raise TrainingError(f"{path} has matrices of {len(ranks)} different ranks; an adapter has one.")
    return ranks.pop()


def find(recipe: Recipe, folder: Path, settings: Settings, base_sha256: str = "") -> Start:
    """The adapter that `recipe.start_from` names, checked against rank and base. `base_sha256` is the recipe's base."""
    start = read(locate(recipe.start_from, folder, settings))
    if start.rank != recipe.rank:
        raise TrainingError(
            f"start_from: {start.path} has rank {start.rank}, the recipe has rank {recipe.rank}.",
            hint=f"Write rank: {start.rank}" + (f" and alpha: {start.alpha:g}." if start.alpha else "."),
        )
    known = weights.catalogue()
    named = {start.base, recipe.base} <= known.keys() and start.base != recipe.base
    other = bool(start.base_sha256 and base_sha256) and start.base_sha256 != base_sha256
    if named or other:
        theirs = start.base or f"weights with sha256 {start.base_sha256}"
        raise TrainingError(
            f"start_from: {start.path} was trained on {theirs}, the recipe's base is {recipe.base}.",
            hint="An adapter goes on only on the weights that it was trained on.",
        )
    if start.alpha is None:
        log.warning("start_from: %s does not say its alpha; the recipe's %g is taken", start.path, recipe.alpha)
    return start


def tensors(start: Start, recipe: Recipe) -> dict[str, Tensor]:
    """The matrices for a run with the recipe's alpha: B is rescaled, so that alpha / rank * B A is what was saved."""
    factor = start.alpha / recipe.alpha if start.alpha else 1.0
    if factor == 1.0:
        return dict(start.tensors)
    log.info("start_from: alpha was %g and is %g: B is multiplied by %g", start.alpha, recipe.alpha, factor)
    return {name: tensor * factor if ".lora_B." in name else tensor for name, tensor in start.tensors.items()}
