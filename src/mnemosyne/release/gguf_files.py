"""Merged weights as GGUF, tensor by tensor; tokenizer and hyper-parameters come from the base's file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mnemosyne.errors import ReleaseError
from mnemosyne.release import quantising, templates
from mnemosyne.release.merging import locate

if TYPE_CHECKING:
    from torch import Tensor

Precision = Literal["bf16", "q8_0", "q4_k_m"]

OWN = (
    "GGUF.", "general.architecture", "general.name", "general.basename", "general.finetune", "general.file_type",
    "general.quantization_version", "general.quantized_by", "tokenizer.chat_template", "split.",
)  # fmt: skip
"""Keys that are not copied from the base: they are written anew, or would say something untrue here."""


def write(merged: Path, base: Path, file: Path, *, name: str, precision: Precision) -> None:
    """Write the folder `merged` (safetensors) as `file`; `base` is the GGUF file whose metadata it shares.

    `file` grows in place: the caller writes into a folder that is renamed when it is whole. Raises ReleaseError.
    """
    import gguf
    import numpy as np

    reader = gguf.GGUFReader(base)
    architecture = str(reader.fields["general.architecture"].contents())
    layers = int(reader.fields[f"{architecture}.block_count"].contents())
    places = locate(merged)
    names = _names(list(places), architecture, layers)
    missing = {tensor.name for tensor in reader.tensors} ^ set(names.values())
    if missing:
        raise ReleaseError(f"{merged} and {base.name} do not hold the same tensors: {', '.join(sorted(missing)[:3])}.")
    tied = "output.weight" not in names.values()
    kinds = {ours: _kind(theirs, places[ours][1], precision, layers, tied) for ours, theirs in names.items()}
    writer = gguf.GGUFWriter(file, architecture)
    _copy_facts(reader, writer)
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{precision.upper()}"])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_chat_template(templates.CHAT)
    for ours, theirs in names.items():
        shape, kind = places[ours][1], kinds[ours]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        writer.add_tensor_info(theirs, shape, np.dtype(np.float32), math.prod(shape) // block * size, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for ours, kind in kinds.items():
        writer.write_tensor_data(_packed(_load(places[ours][0], ours), kind))
    writer.close()


def _copy_facts(reader: Any, writer: Any) -> None:
    import gguf

    for key, field in reader.fields.items():
        if not key.startswith(OWN):
            sub = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(key, field.contents(), field.types[0], sub)


def _names(ours: list[str], architecture: str, layers: int) -> dict[str, str]:
    """transformers' names to GGUF's."""
    import gguf

    kind = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == architecture)
    table = gguf.get_tensor_name_map(kind, layers)
    names = {}
    for name in ours:
        theirs = table.get_name(name, try_suffixes=(".weight", ".bias"))
        if theirs is None:
            raise ReleaseError(f"{name} has no counterpart in llama.cpp.")
        names[name] = theirs
    return names


def _kind(name: str, shape: tuple[int, ...], precision: Precision, layers: int, tied: bool) -> Any:
    """The type of one tensor: vectors stay fp32, rows that do not fill blocks stay bf16."""
    import gguf

    if precision == "q4_k_m":
        return gguf.GGMLQuantizationType[quantising.q4_k_m(name, shape, layers, tied=tied)]
    if len(shape) == 1:
        return gguf.GGMLQuantizationType.F32
    fits = precision == "q8_0" and shape[-1] % 32 == 0
    return gguf.GGMLQuantizationType.Q8_0 if fits else gguf.GGMLQuantizationType.BF16


def _load(file: Path, name: str) -> Tensor:
    from safetensors import safe_open

    with safe_open(file, framework="pt") as opened:
        tensor: Tensor = opened.get_tensor(name)
        return tensor


def _packed(tensor: Tensor, kind: Any) -> Any:
    """A tensor as the numpy array whose bytes go into the file. bf16 stays the same bits."""
    import gguf
    import torch

    if kind == gguf.GGMLQuantizationType.F32:
        return tensor.float().numpy()
    if kind == gguf.GGMLQuantizationType.BF16:
        return tensor.to(torch.bfloat16).contiguous().view(torch.uint16).numpy()
    if kind in (gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.F16):
        return gguf.quants.quantize(tensor.float().numpy(), kind)
    return quantising.quantise(tensor.float().numpy(), kind)
