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
