"""What a run learned, from wherever it lies: a run folder, a PEFT folder, a GGUF file, a name of the catalogue."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnemosyne.errors import ReleaseError, TrainingError
from mnemosyne.settings import Settings
from mnemosyne.training import adapter_gguf

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Adapter:
    """A trained low-rank adapter in memory (150 MB at most), fp32."""

    name: str
    """Its name, of the recipe or of the file."""
    rank: int
    """Rank of its matrices."""
    alpha: float
    """Scale, times rank."""
    base: str
    """The base that it was trained on: a catalogue name or a path; empty when the file does not say."""
    tensors: Mapping[str, Tensor] = field(repr=False)
    """Matrices under PEFT's names, lora_A (r, in) and lora_B (out, r)."""
    base_sha256: str = ""
    """Of the base's GGUF file, empty when not known."""
    run: Mapping[str, Any] = field(default_factory=dict)
    """The run record (`run.json`), empty when the adapter did not come with its run."""
    step: int | None = None
    """Optimizer steps after which it was taken, None when not known."""

    @property
    def scale(self) -> float:
        """What the product of the matrices is multiplied with."""
        return self.alpha / self.rank

    @property
    def parameters(self) -> int:
        """Numbers in all matrices."""
        return sum(tensor.numel() for tensor in self.tensors.values())


def read(source: str, settings: Settings, record: Path | None = None) -> Adapter:
    """The adapter that `source` means, with its run's `record` where it did not come with one.

    Raises ReleaseError, UnknownModel, WeightsError.
    """
    adapter = _read(source, settings)
    return adapter if record is None else _with_record(adapter, record)


def _with_record(adapter: Adapter, file: Path) -> Adapter:
    """The adapter and the record of the run that made it. Raises ReleaseError when that was another run."""
    if adapter.run:
        raise ReleaseError(f"{adapter.name} came with its run record already.", hint="Leave out --run.")
    record = _object(file, "recipe", "base", "data", "versions", "machine")
    recipe, base = record["recipe"], record["base"]
    for what, ours, theirs in (
        ("rank", adapter.rank, recipe["rank"]),
        ("alpha", adapter.alpha, recipe["alpha"]),
        ("sha256 of the base", adapter.base_sha256 or base["sha256"], base["sha256"]),
    ):
        if ours != theirs:
            raise ReleaseError(
                f"{file} is the record of another run: its {what} is {theirs}, that of {adapter.name} is {ours}.",
                hint="Name the run.json of the run that made this adapter.",
            )
    return replace(adapter, base=adapter.base or base["name"], base_sha256=base["sha256"], run=record)


def _read(source: str, settings: Settings) -> Adapter:
    path = Path(os.path.expanduser(source))
    if path.is_dir():
        return _from_run(path) if (path / "run.json").is_file() else from_peft(path)
    if path.is_file():
        return from_gguf(path)
    from mnemosyne import weights

    entry = weights.find(source)
    if entry.kind != "adapter":
        raise ReleaseError(f"{source} is a whole model: there is no adapter to release.", hint="Name a run folder.")
    return from_gguf(weights.pull(entry, settings))


def _from_run(folder: Path) -> Adapter:
    """The best adapter of a run, its last one where nothing chose, its newest checkpoint while it is not finished."""
    record = _object(folder / "run.json", "recipe", "base")
    finished = next((folder / name for name in ("best", "last") if (folder / name).is_dir()), None)
    adapter = from_peft(finished) if finished else _from_checkpoint(folder, record)
    base = record["base"]
    return replace(adapter, name=record["recipe"]["name"], base=base["name"], base_sha256=base["sha256"], run=record)


def _from_checkpoint(folder: Path, record: Mapping[str, Any]) -> Adapter:
    from mnemosyne.training import checkpoint

    newest = checkpoint.newest(folder / "checkpoints")
    if newest is None:
        raise ReleaseError(f"{folder} holds no adapter yet.", hint="The run writes its first checkpoint after minutes.")
    recipe = record["recipe"]
    tensors = {name: tensor.float() for name, tensor in newest.adapter.items()}
    return _checked(
        Adapter(folder.name, int(recipe["rank"]), float(recipe["alpha"]), "", tensors, step=newest.step),
        folder / "checkpoints",
    )


def from_peft(folder: Path) -> Adapter:
    """An adapter as PEFT writes it: `adapter_model.safetensors` and `adapter_config.json`."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    weights, config = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    if not (weights.is_file() and config.is_file()):
        raise ReleaseError(
            f"{folder} is neither a run folder nor an adapter.",
            hint="A run folder holds run.json; an adapter holds adapter_config.json and adapter_model.safetensors.",
        )
    facts = _object(config, "r", "lora_alpha")
    for kind in ("use_dora", "use_rslora", "rank_pattern", "alpha_pattern", "modules_to_save"):
        if facts.get(kind):
            raise ReleaseError(
                f"{folder} was made with PEFT's {kind}, and would say something else as plain LoRA.",
                hint="Merge it with PEFT itself, or train it again as plain LoRA.",
            )
    step = folder / "step.json"
    try:
        tensors = load_file(weights)
    except SafetensorError as error:
        raise ReleaseError(f"{weights} is damaged: {error}.") from error
    return _checked(
        Adapter(
            name=folder.name,
            rank=int(facts["r"]),
            alpha=float(facts["lora_alpha"]),
            base=str(facts.get("base_model_name_or_path") or ""),
            tensors={name: tensor.float() for name, tensor in tensors.items()},
            step=_object(step, "step")["step"] if step.is_file() else None,
        ),
        folder,
    )


def _object(file: Path, *keys: str) -> dict[str, Any]:
    """The JSON object of a file, with these keys. Raises ReleaseError."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ReleaseError(f"{file} is damaged: {error}.") from error
    if not isinstance(found, dict) or not found.keys() >= set(keys):
        raise ReleaseError(
            f"{file} does not say {' and '.join(keys)}.", hint="Name the folder of a training run, or of an adapter."
        )
    return found


def from_gguf(file: Path) -> Adapter:
    """An adapter as llama.cpp reads it; quantised matrices are dequantised."""
    try:
        found = adapter_gguf.read_gguf(file)
    except TrainingError as error:
        raise ReleaseError(str(error), hint=error.hint) from error
    return _checked(
        Adapter(
            name=found.name or file.stem,
            rank=next(iter(tensor.shape[0] for name, tensor in found.tensors.items() if ".lora_A." in name), 0),
            alpha=found.alpha,
            base=found.base,
            tensors=found.tensors,
            base_sha256=found.base_sha256,
        ),
        file,
    )


def _checked(adapter: Adapter, source: Path) -> Adapter:
    """Every A has its B, ranks agree, every number is finite. Raises ReleaseError."""
    for name, tensor in adapter.tensors.items():
        partner = name.replace(".lora_A.", ".lora_B.") if ".lora_A." in name else name.replace(".lora_B.", ".lora_A.")
        rank = tensor.shape[0] if ".lora_A." in name else tensor.shape[1]
        if partner == name or partner not in adapter.tensors or rank != adapter.rank:
            raise ReleaseError(f"{source} is not a whole adapter of rank {adapter.rank}: look at {name}.")
        if not bool(tensor.isfinite().all()):
            raise ReleaseError(f"{source} holds a number that is not finite, in {name}: the run diverged.")
    if not adapter.tensors:
        raise ReleaseError(f"{source} holds no matrix.")
    return adapter
