"""The way of the reference model card: Hugging Face Transformers in bf16, one prompt at a time.

`transformers:NAME`, where NAME is a catalogue name or a GGUF file (dequantised while it loads), a folder
with safetensors, or a repository of the model hub. It is here to compare with and for machines with a GPU:
on a CPU it is many times slower than llama.cpp and takes four times the memory, and it keeps no prefix.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mnemosyne.engines import Completion, Sampling, precision
from mnemosyne.errors import EngineError, MissingExtra, PromptTooLong, UnknownModel, WeightsError, WeightsUnavailable
from mnemosyne.prompt import STOPS, Prompt
from mnemosyne.settings import Settings
from mnemosyne.weights import resolve

PREFIX = "transformers:"

REFERENCE = Sampling(temperature=0.1, top_p=1.0, max_tokens=256)
"""How the reference model card draws its answers."""

CONTEXT = 4096
"""Tokens when the settings do not say otherwise: what the other engines use, not what the model could."""


class TransformersEngine:
    """A model in Transformers. Not thread-safe."""

    def __init__(self, name: str, settings: Settings) -> None:
        try:
            import torch
            import transformers
        except ImportError as error:
            raise MissingExtra("train", "The engine transformers") from error
        self.name = name
        self.context = settings.context or CONTEXT
        self.adapter_sha256: str | None = None
        if settings.threads:
            torch.set_num_threads(settings.threads)
        transformers.logging.disable_progress_bar()
        transformers.logging.set_verbosity_error()
        self._tokenizer, self._model = _load(name.removeprefix(PREFIX), settings)
        self._stops = [self._tokenizer.convert_tokens_to_ids(stop) for stop in STOPS]

    def complete(self, prompt: Prompt, sampling: Sampling = Sampling()) -> list[Completion]:
        """`sampling.n` answers to one prompt. Raises PromptTooLong, EngineError."""
        return [self._answer(prompt, sampling, sampling.seed + number) for number in range(sampling.n)]

    def complete_many(
        self, prompts: Sequence[Prompt], sampling: Sampling = Sampling()
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Answers to many prompts, one after the other."""
        for index, prompt in enumerate(prompts):
            yield index, self.complete(prompt, sampling)

    def count_tokens(self, text: str) -> int:
        """Tokens of `text`, control tokens parsed."""
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def close(self) -> None:
        """Free the model. Safe to call twice."""
        self._model = None

    def _answer(self, prompt: Prompt, sampling: Sampling, seed: int) -> Completion:
        import torch

        if self._model is None:
            raise ValueError("The engine is closed.")
        started = time.perf_counter()
        inputs = self._tokenizer(prompt.text, add_special_tokens=False, return_tensors="pt").to(self._model.device)
        length = int(inputs["input_ids"].shape[1])
        if length + sampling.max_tokens > self.context:
            raise PromptTooLong(
                f"The prompt has {length:,} tokens and the answer may take {sampling.max_tokens:,}; "
                f"the context holds {self.context:,}.",
                hint="Ask about fewer tables, or set MNEMOSYNE_CONTEXT.",
            )
        torch.manual_seed(seed)
        with torch.inference_mode():
            output = self._model.generate(
                **inputs,
                generation_config=_generation(sampling, self._stops),
                return_dict_in_generate=True,
                output_logits=True,
            )
        tokens = output.sequences[0, length:].tolist()
        logprobs = [
            float(torch.log_softmax(logits[0].float(), dim=-1)[token])
            for logits, token in zip(output.logits, tokens, strict=True)
        ]
        stopped = bool(tokens) and tokens[-1] in self._stops
        return Completion(
            text=self._tokenizer.decode(tokens[:-1] if stopped else tokens),
            tokens=len(tokens),
            prompt_tokens=length,
            logprobs=tuple(logprobs),
            finish="stop" if stopped else "length",
            seconds=time.perf_counter() - started,
        )


def _generation(sampling: Sampling, stops: list[int]) -> Any:
    """The sampling in Transformers' words; nothing of the model's own generation config is mixed in."""
    from transformers import GenerationConfig

    drawn = sampling.temperature > 0
    return GenerationConfig(
        max_new_tokens=sampling.max_tokens,
        do_sample=drawn,
        temperature=sampling.temperature if drawn else None,
        top_p=sampling.top_p if drawn else None,
        top_k=None,
        repetition_penalty=1.0,
        eos_token_id=stops,
        pad_token_id=stops[-1],
    )


def _load(name: str, settings: Settings) -> tuple[Any, Any]:
    """(tokenizer, model): a GGUF of the catalogue or the disk, a folder, or a hub repository."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place: dict[str, Any] = {}
    source: str | Path = Path(os.path.expanduser(name))
    if not Path(source).is_dir():
        try:
            source, place = _gguf(name, settings)
        except UnknownModel:
            if name.count("/") != 1 or name.endswith(".gguf"):
                raise
            source, place = name, {"local_files_only": settings.offline}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **place)
        options = place | ({"quantization_config": _dequantising()} if "gguf_file" in place else {})
        model = AutoModelForCausalLM.from_pretrained(source, dtype=precision.dtype(), **options)
    except (OSError, ValueError, KeyError) as error:
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        what = WeightsUnavailable if isinstance(error, OSError) else WeightsError
        raise what(
            f"Transformers cannot load {name}: {line}",
            hint="Name a catalogue model, a GGUF file, a folder with safetensors, or a hub repository owner/name.",
        ) from error
    if torch.cuda.is_available():
        model = model.to("cuda")
    return tokenizer, model.eval()


def _gguf(name: str, settings: Settings) -> tuple[Path, dict[str, Any]]:
    model = resolve(name, settings)
    if model.adapter is not None:
        raise EngineError(
            "The engine transformers takes whole models, not BASE+ADAPTER.",
            hint="Merge the adapter first, or leave out 'transformers:' to run it with llama.cpp.",
        )
    return model.gguf.parent, {"gguf_file": model.gguf.name}


def _dequantising() -> Any:
    from transformers import GgufConfig

    return GgufConfig(dequantize=True)
