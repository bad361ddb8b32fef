"""The loading path for Unsloth: a release folder, or base and adapter, on a GPU. Unsloth itself is not a dependency."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from mnemosyne.errors import ReleaseError, need


def load(folder: Path | str, *, max_tokens: int = 2048, load_in_4bit: bool = True) -> tuple[Any, Any]:
    """Model and tokenizer of a release folder, ready to answer; Unsloth's `FastLanguageModel` does the work.

    Raises MissingExtra without torch, ReleaseError where there is no GPU or no Unsloth, with what to use instead.
    """
    need("release", "Unsloth's loading path", "torch")
    import torch

    if not torch.cuda.is_available() and not (hasattr(torch, "xpu") and torch.xpu.is_available()):
        raise ReleaseError(
            "Unsloth needs a GPU, and this machine has none that torch can see.",
            hint="On a processor the same folder runs in transformers, and its GGUF files in llama.cpp: docs/use.md.",
        )
    if importlib.util.find_spec("unsloth") is None:
        raise ReleaseError("Unsloth is not installed.", hint="pip install unsloth")
    fast = importlib.import_module("unsloth").FastLanguageModel
    model, tokenizer = fast.from_pretrained(
        model_name=str(folder), max_seq_length=max_tokens, load_in_4bit=load_in_4bit, dtype=None
    )
    fast.for_inference(model)
    return model, tokenizer
