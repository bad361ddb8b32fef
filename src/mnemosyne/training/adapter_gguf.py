"""Adapters as GGUF files that llama.cpp puts onto a quantised base, and as PEFT folders.

GGUF facts: `general.type` = adapter, `adapter.type` = lora, `adapter.lora.alpha`; for each adapted matrix two
tensors named after the base's, such as `blk.0.attn_q.weight.lora_a` (r, in) and `.lora_b` (out, r). llama.cpp
divides alpha by the rank it finds. Qwen2 keeps the order of rows of q and k, so nothing is permuted.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mnemosyne.errors import TrainingError

if TYPE_CHECKING:
    from torch import Tensor

GGUF_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""transformers' names of the matrices of a layer, and llama.cpp's."""

_TENSOR = re.compile(r"base_model\.model\.model\.layers\.(\d+)\.([\w.]+)\.lora_([AB])\.weight")


def gguf_name(peft_name: str) -> str:
    """`base_model.model.model.layers.3.mlp.up_proj.lora_A.weight` to `blk.3.ffn_up.weight.lora_a`."""
    match = _TENSOR.fullmatch(peft_name)
    if match is None or match[2] not in GGUF_NAMES:
        raise TrainingError(
            f"{peft_name} has no counterpart in llama.cpp.", hint="Adapt only " + ", ".join(GGUF_NAMES) + "."
        )
    return f"blk.{match[1]}.{GGUF_NAMES[match[2]]}.weight.lora_{match[3].lower()}"


_PEFT_NAMES = {ours: theirs for theirs, ours in GGUF_NAMES.items()}


def peft_name(gguf_name: str) -> str:
    """`blk.3.ffn_up.weight.lora_a` to `base_model.model.model.layers.3.mlp.up_proj.lora_A.weight`."""
    try:
        _, layer, matrix, _, part = gguf_name.split(".")
        return f"base_model.model.model.layers.{layer}.{_PEFT_NAMES[matrix]}.lora_{part[-1].upper()}.weight"
    except (ValueError, KeyError):
        raise TrainingError(f"{gguf_name} is not a matrix that an adapter of ours has.") from None


@dataclass(frozen=True, slots=True)
class GgufAdapter:
    """What an adapter file says."""

    name: str
    """Its own, empty when it has none."""
    alpha: float
    """Scale, times rank."""
    base: str
    """The base that it was trained on, empty when it does not say."""
    base_sha256: str
    """Of the base's file, empty when it does not say."""
    tensors: Mapping[str, Tensor] = field(repr=False)
    """Matrices under PEFT's names, fp32; quantised ones are dequantised."""


def read_gguf(path: Path) -> GgufAdapter:
    """Read an adapter. Raises TrainingError when the file is none, or does not say its alpha."""
    import gguf
    import torch

    try:
        reader = gguf.GGUFReader(path)
    except (ValueError, IndexError) as error:
        raise TrainingError(f"{path} is not a GGUF file: {error}.") from error
    facts = {name: field.contents() for name, field in reader.fields.items() if name.startswith(_FACTS)}
    if facts.get("adapter.type") != "lora":
        raise TrainingError(f"{path} is a model, not an adapter.", hint="Name a run folder or an adapter.")
    if "adapter.lora.alpha" not in facts:
        raise TrainingError(
            f"{path} does not say its alpha (adapter.lora.alpha).",
            hint="Convert the adapter again; or name the PEFT folder that it was made from.",
        )
    tensors = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        tensors[peft_name(tensor.name)] = torch.from_numpy(values.astype("float32"))
    return GgufAdapter(
        name=str(facts.get("general.name", "")),
        alpha=float(facts["adapter.lora.alpha"]),
        base=str(facts.get("mnemosyne.base", "")),
        base_sha256=str(facts.get("mnemosyne.base_sha256", "")),
        tensors=tensors,
    )


def need_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise TrainingError when an adapter holds numbers that are none, or that f16, which llama.cpp reads, does not have."""
    wrong = [name for name, tensor in sorted(tensors.items()) if not tensor.half().isfinite().all()]
    if wrong:
        raise TrainingError(
            f"The adapter is not written: {len(wrong)} of its {len(tensors)} matrices hold numbers that are not finite"
            f" (such as {wrong[0]}).",
            hint="Go on from a checkpoint before that, with a lower learning_rate.",
        )


_FACTS = ("general.", "adapter.", "mnemosyne.")


def write_gguf(
    path: Path,
    tensors: Mapping[str, Tensor],
    *,
    alpha: float,
    name: str,
    base_name: str = "",
    base_sha256: str = "",
    precision: Literal["f16", "q8_0"] = "f16",
) -> None:
    """Write an adapter; `tensors` under PEFT's names, lora_A (r, in) and lora_B (out, r). Appears whole or not at all."""
    import gguf
    import numpy as np

    need_finite(tensors)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(partial, "qwen2")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    writer.add_name(name)
    if base_name:
        writer.add_string("mnemosyne.base", base_name)
    if base_sha256:
        writer.add_string("mnemosyne.base_sha256", base_sha256)
    quantised = gguf.GGMLQuantizationType.Q8_0
    for peft_name, tensor in sorted(tensors.items()):
        values = tensor.float().cpu().numpy()
        if precision == "q8_0" and values.shape[1] % 32 == 0:
            packed = gguf.quants.quantize(values, quantised)
            writer.add_tensor(gguf_name(peft_name), packed, raw_dtype=quantised)
        else:
            writer.add_tensor(gguf_name(peft_name), values.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(partial, path)


def write_peft(folder: Path, tensors: Mapping[str, Tensor], *, rank: int, alpha: float, base_name: str) -> None:
    """Write `adapter_model.safetensors` (fp32) and `adapter_config.json`, as `PeftModel.from_pretrained` reads them."""
    from safetensors.torch import save_file

    need_finite(tensors)
    folder.mkdir(parents=True, exist_ok=True)
    targets = sorted({name.split(".lora_")[0].rsplit(".", 1)[1] for name in tensors})
    config: dict[str, Any] = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": targets,
        "inference_mode": True,
    }
    save_file(
        {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, folder / "adapter_model.safetensors"
    )
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
