"""The base of a run: the bf16 weights of exactly the GGUF that the adapter will run on, and its tokenizer.

An adapter learned on the dequantised file meets no quantisation gap when llama.cpp puts it onto the same file.
Dequantising takes half a minute, so the result is kept under `settings.home / "dense"`, named by the sha256
of the GGUF.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnemosyne import weights
from mnemosyne.engines import precision
from mnemosyne.errors import TrainingError
from mnemosyne.settings import Settings


@dataclass(frozen=True, slots=True)
class Base:
    """Dense weights on disk."""

    name: str
    """Catalogue name or path, as the recipe says."""
    gguf: Path
    """The quantised file."""
    sha256: str
    """Of the quantised file: what an adapter is bound to."""
    folder: Path
    """Folder with config, safetensors and tokenizer, readable by transformers."""

    @property
    def config(self) -> dict[str, Any]:
        """The model's `config.json`."""
        config: dict[str, Any] = json.loads((self.folder / "config.json").read_text())
        return config

    @property
    def weight_bytes(self) -> int:
        """Bytes of the dense weights."""
        return sum(path.stat().st_size for path in self.folder.glob("*.safetensors"))


def prepare(name: str, settings: Settings) -> Base:
    """The dense weights of a catalogue name or GGUF path, dequantised now when they are not here yet.

    Raises UnknownModel, WeightsUnavailable, WeightsCorrupt, DiskFull.
    """
    model = weights.resolve(name, settings)
    if model.adapter is not None:
        raise TrainingError(
            f"{name} already carries an adapter.", hint="Name a base here; `start_from` continues an adapter."
        )
    folder = settings.home / "dense" / model.sha256
    if not (folder / "tokenizer.json").is_file():
        _dequantise(model.gguf, folder)
    return Base(name, model.gguf, model.sha256, folder)


def _dequantise(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    need = 4 * gguf.stat().st_size
    folder.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder.parent).free
    if free < need:
        raise TrainingError(
            f"The dense weights of {gguf.name} need up to {need / 1e9:.1f} GB in {folder.parent}; {free / 1e9:.1f} GB are free.",
            hint="Free some space, or set MNEMOSYNE_HOME to another disk.",
        )
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".dense-") as temporary:
        target = Path(temporary) / "model"
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.bfloat16,
            local_files_only=True,
        )
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)
        os.rename(target, folder)


def load_model(base: Base, kind: precision.Precision = "auto") -> Any:
    """The dense model in a precision, frozen, with tree attention."""
    from transformers import AutoModelForCausalLM

    from mnemosyne.training import attention

    attention.register()
    model = AutoModelForCausalLM.from_pretrained(
        base.folder, dtype=precision.dtype(kind), attn_implementation=attention.NAME, local_files_only=True
    )
    return model.requires_grad_(False)


def load_tokenizer(base: Base) -> Any:
    """The base's tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(base.folder, local_files_only=True)
