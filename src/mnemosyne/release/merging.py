"""An adapter put into its base for good: W' = W + (alpha / rank) B A, as bf16 safetensors in shards.

The base is the dequantised GGUF that the adapter was trained on. One shard is in memory at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnemosyne.errors import ReleaseError
from mnemosyne.prompt import STOPS
from mnemosyne.release import templates
from mnemosyne.release.adapters import Adapter

if TYPE_CHECKING:
    from torch import Tensor

SHARD_BYTES = 1_000_000_000
"""Bytes of a shard at most; a matrix that is larger has a shard of its own."""


def merge(adapter: Adapter, base: Path, out: Path, *, shard_bytes: int = SHARD_BYTES) -> None:
    """Write the merged model into the new folder `out`: weights, config, tokenizer, chat template, generation config.

    `base` is a folder of dense weights that transformers reads. Raises ReleaseError when the adapter does not fit.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    places = locate(base)
    check_fit(adapter, places)
    out.mkdir(parents=True)
    shards = _plan(places, shard_bytes)
    index: dict[str, str] = {}
    for number, names in enumerate(shards, 1):
        file = "model.safetensors" if len(shards) == 1 else f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        tensors = {name: merged(adapter, name, tensor) for name, tensor in _tensors(names, places)}
        try:
            save_file(tensors, out / file, metadata={"format": "pt"})
        except SafetensorError as error:  # what a full disk raises inside safetensors
            raise ReleaseError(f"{out / file} cannot be written: {error}.", hint="Look at the disk.") from error
        index |= dict.fromkeys(names, file)
        del tensors
    if len(shards) > 1:
        total = sum(size for _, _, size in places.values())
        document = {"metadata": {"total_size": total}, "weight_map": dict(sorted(index.items()))}
        (out / "model.safetensors.index.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    _write_surroundings(base, out)


Places = Mapping[str, tuple[Path, tuple[int, ...], int]]
"""Tensor to its file, its shape and its bytes as bf16."""


def locate(folder: Path) -> Places:
    """Where every tensor of a folder of safetensors lies, in the order of names as numbers count."""
    from safetensors import safe_open

    places: dict[str, tuple[Path, tuple[int, ...], int]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - not a mapping
                shape = tuple(opened.get_slice(name).get_shape())
                size = 2
                for count in shape:
                    size *= count
                places[name] = (file, shape, size)
    if not places:
        raise ReleaseError(f"{folder} holds no safetensors.")
    return dict(sorted(places.items(), key=lambda item: _natural(item[0])))


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in name.split(".")]


def _plan(places: Places, limit: int) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    filled = 0
    for name, (_, _, size) in places.items():
        if shards[-1] and filled + size > limit:
            shards.append([])
            filled = 0
        shards[-1].append(name)
        filled += size
    return shards


def _tensors(names: Sequence[str], places: Places) -> Iterator[tuple[str, Tensor]]:
    from safetensors import safe_open

    for file in dict.fromkeys(places[name][0] for name in names):
        with safe_open(file, framework="pt") as opened:
            for name in names:
                if places[name][0] == file:
                    yield name, opened.get_tensor(name)


def merged(adapter: Adapter, name: str, tensor: Tensor) -> Tensor:
    """One tensor of the base with what the adapter adds, summed in fp32, as bf16."""
    import torch

    first = adapter.tensors.get(_lora(name, "A"))
    if first is None:
        return tensor.to(torch.bfloat16).contiguous()
    second = adapter.tensors[_lora(name, "B")]
    return torch.addmm(tensor.float(), second, first, alpha=adapter.scale).to(torch.bfloat16)


def _lora(name: str, part: str) -> str:
    """`model.layers.0.mlp.up_proj.weight` to PEFT's name of its A or B."""
    return f"base_model.model.{name.removesuffix('.weight')}.lora_{part}.weight"


def check_fit(adapter: Adapter, places: Places) -> None:
    """See that every matrix of the adapter belongs to one of the base's. Raises ReleaseError."""
    for name in adapter.tensors:
        layer = name.removeprefix("base_model.model.").split(".lora_")[0]
        place = places.get(f"{layer}.weight")
        wanted = adapter.tensors[name].shape[1] if ".lora_A." in name else adapter.tensors[name].shape[0]
        given = None if place is None else place[1][1 if ".lora_A." in name else 0]
        if wanted != given:
            raise ReleaseError(
                f"The adapter {adapter.name} does not fit this base: {layer} "
                + ("is not in it." if given is None else f"has {given} where the adapter expects {wanted}."),
                hint=f"It was trained on {adapter.base}." if adapter.base else "Name its base: --base NAME.",
            )


def _write_surroundings(base: Path, out: Path) -> None:
    """Config, tokenizer with our chat template, generation config."""
    from transformers import AutoTokenizer

    config: dict[str, Any] = json.loads((base / "config.json").read_text(encoding="utf-8"))
    config.pop("quantization_config", None)
    config.pop("torch_dtype", None)
    config["dtype"] = "bfloat16"
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = templates.CHAT
    tokenizer.save_pretrained(out)
    stops = tokenizer.convert_tokens_to_ids(list(STOPS))
    generation = templates.generation_config(stops, tokenizer.pad_token_id)
    (out / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n", encoding="utf-8")
