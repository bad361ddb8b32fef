"""The frame of the reference: TRL's SFTTrainer and GRPOTrainer with PEFT, for GPUs (and for tiny models anywhere).

SFT trains on the rows of `rows.tokenise`, so prompt and loss mask are those of the shared-prefix frame. GRPO writes
answers to the questions and is rewarded for those that return the gold's rows. On several GPUs start it through
`accelerate launch -m mnemosyne train RECIPE`; QLoRA needs bitsandbytes.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnemosyne import prompt
from mnemosyne.datasets.example import Example
from mnemosyne.datasets.jsonl import read_examples
from mnemosyne.engines import precision
from mnemosyne.errors import MissingExtra, TrainingError, UnknownModel
from mnemosyne.settings import Settings
from mnemosyne.training import adapter_gguf, base, data, resuming, starting, trl_record, trl_watch
from mnemosyne.training.recipe import Recipe, nearest_batch
from mnemosyne.training.rows import Row, encoder

log = logging.getLogger(__name__)

Judge = Callable[[Sequence[tuple[Example, str]]], list[bool]]
"""(example, SQL that the model wrote) to whether it returns the gold's rows."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a frame runs."""

    cuda: bool
    """True with an NVIDIA GPU."""
    bitsandbytes: bool
    """True when the library is installed."""
    processes: int = 1
    """Processes that train together, as `accelerate launch` says."""

    @classmethod
    def here(cls) -> Place:
        """This machine."""
        import torch

        return cls(
            torch.cuda.is_available(),
            importlib.util.find_spec("bitsandbytes") is not None,
            int(os.environ.get("WORLD_SIZE", "1")),
        )


def optimizer_name(recipe: Recipe, place: Place) -> str:
    """TRL's name of the optimizer; torch AdamW where 8-bit is not available, and the log says so."""
    if recipe.optimizer == "adamw":
        return "adamw_torch"
    if place.cuda and place.bitsandbytes:
        return "adamw_8bit"
    log.warning("8-bit AdamW needs bitsandbytes and an NVIDIA GPU; torch AdamW is used")
    return "adamw_torch"


def check(recipe: Recipe, place: Place) -> None:
    """Raise TrainingError, MissingExtra when `recipe` cannot run at `place`: before anything is loaded."""
    if importlib.util.find_spec("trl") is None or importlib.util.find_spec("peft") is None:
        raise MissingExtra("train", f"Frame {recipe.frame}")
    part = place.processes * max(1, recipe.micro_batch)
    if recipe.batch % part:
        raise TrainingError(
            f"batch ({recipe.batch}) cannot be kept: {place.processes} processes of {max(1, recipe.micro_batch)} sequences"
            f" make {part} a pass.",
            hint=f"The nearest batch is {nearest_batch(recipe.batch, part)}; or lower micro_batch"
            + (f" to {_micro(recipe, place)}." if _micro(recipe, place) else ", or start fewer processes."),
        )
    if not recipe.load_in_4bit:
        return
    if not place.cuda:
        raise TrainingError(
            f"{recipe.name} trains on 4-bit weights, which needs an NVIDIA GPU; there is none here.",
            hint="`mnemosyne train mnemosyne-0.5b` and `mnemosyne-1.5b` run on the CPU.",
        )
    if not place.bitsandbytes:
        raise TrainingError(f"{recipe.name} trains on 4-bit weights.", hint="pip install bitsandbytes")


def _micro(recipe: Recipe, place: Place) -> int:
    """The largest micro_batch, not above the recipe's, that keeps its batch; 0 when there is none."""
    for micro in range(recipe.micro_batch or 1, 0, -1):
        if recipe.batch % (micro * place.processes) == 0:
            return micro
    return 0


def train(
    recipe: Recipe, folder: Path, out: Path, settings: Settings, *, resume: bool = False, judge: Judge | None = None
) -> Path:
    """Train with SFTTrainer or GRPOTrainer as `recipe.frame` says; gives the folder of the adapter.

    Raises TrainingError, MissingExtra, and the errors of data and weights.
    """
    place = Place.here()
    check(recipe, place)
    data.need_files(recipe, folder)
    if out.exists() and any(out.iterdir()) and not resume:
        raise TrainingError(f"{out} is not empty.", hint="--resume goes on there; --out names another folder.")
    out.mkdir(parents=True, exist_ok=True)
    name, source, sha256 = _source(recipe, settings)
    checkpoint = trl_watch.newest(out / "checkpoints") if resume else None
    saved = str(checkpoint) if checkpoint else None
    if resume and not saved:
        log.warning(resuming.anew(out))
    if resume and resuming.begun(out):
        resuming.need_same(out, recipe, folder, settings, name, sha256)
        resuming.need_same_data(out, recipe, trl_record.counted(recipe, folder))
    start = starting.find(recipe, folder, settings) if recipe.start_from and not saved else None
    model, tokenizer = _load(recipe, source, place, start)
    make = _sft if recipe.frame == "trl" else _grpo
    trainer = make(recipe, folder, out, model, tokenizer, place, judge)
    need_batch(trainer.args, recipe)
    first = trainer.is_world_process_zero()
    done = int(saved.rsplit("-", 1)[1]) if saved else 0
    facts = trl_record.start(recipe, folder, out, name, sha256, done=done) if first else {}
    started = time.perf_counter()
    trainer.train(resume_from_checkpoint=saved)
    hours = (time.perf_counter() - started) / 3600
    target = out / ("best" if getattr(trainer.args, "load_best_model_at_end", False) else "last")
    whole = trainer.accelerator.get_state_dict(trainer.model_wrapped) if trainer.is_fsdp_enabled else None
    if first:  # of several processes; with FSDP each holds a part, so all had to give theirs
        (out / "log.json").write_text(json.dumps(trainer.state.log_history, indent=1) + "\n")
        export(trainer.model, recipe, name, target, whole)
        trl_record.finish(out, facts, trainer.state.log_history, hours)
    return target


def need_batch(arguments: Any, recipe: Recipe) -> None:
    """Raise TrainingError when the trainer would take another batch than the recipe's: it shares it out to every GPU."""
    taken = arguments.train_batch_size * arguments.gradient_accumulation_steps * arguments.world_size
    if taken != recipe.batch:
        raise TrainingError(
            f"A step would take {taken} sequences, not the recipe's batch of {recipe.batch}: there are"
            f" {arguments.n_gpu} GPUs for one process.",
            hint="Start it with `accelerate launch --num_processes`, or set CUDA_VISIBLE_DEVICES=0.",
        )


def _source(recipe: Recipe, settings: Settings) -> tuple[str, str, str]:
    """The base as (name, what transformers loads, sha256 of its GGUF or nothing): a folder, dequantised catalogue
    weights, or a hub repository."""
    if (Path(recipe.base) / "config.json").is_file():
        return recipe.base, recipe.base, ""
    try:
        dense = base.prepare(recipe.base, settings)
        return recipe.base, str(dense.folder), dense.sha256
    except UnknownModel:
        if recipe.base.count("/") != 1:
            raise
        return recipe.base, recipe.base, ""


def _load(recipe: Recipe, source: str, place: Place, start: starting.Start | None) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options: dict[str, Any] = {}
    if recipe.load_in_4bit:
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    here = Path(source).is_dir()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=here)
        model = AutoModelForCausalLM.from_pretrained(
            source, dtype=precision.dtype(recipe.precision), local_files_only=here, **options
        )
    except OSError as error:  # of transformers: unreachable, unknown, gated, or damaged
        raise TrainingError(
            f"The base {source} cannot be loaded: {str(error).strip().splitlines()[0]}",
            hint="A hub name needs the model hub: check the network, HF_TOKEN and HF_HUB_OFFLINE; or name a folder.",
        ) from error
    if start is not None:
        from peft import get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict

        from mnemosyne.training import lora

        model = get_peft_model(model, peft_config(recipe))
        saved = starting.tensors(start, recipe)
        lora.need_fit(get_peft_model_state_dict(model), saved)
        set_peft_model_state_dict(model, saved)
    return model, tokenizer


def _sft(recipe: Recipe, folder: Path, out: Path, model: Any, tokenizer: Any, place: Place, judge: Judge | None) -> Any:
    from trl import SFTConfig, SFTTrainer

    loaded = data.load(recipe, folder, encoder(tokenizer))
    for part in loaded:
        for row, tokens in part.too_long:
            log.warning("left out: %s of %s has %d tokens (max_tokens %d)",
                        row, part.source.path, tokens, recipe.max_tokens)  # fmt: skip
    validation = None
    if recipe.validation:
        path = data.locate(recipe.validation.path, folder)
        examples = read_examples(path)[: recipe.validation.questions]
        chosen = data.rows_of(examples, path, encoder(tokenizer), recipe.max_tokens).rows
        data.need_apart(loaded, chosen)
        validation = dataset(chosen)
    epoch = len(data.epoch_rows(loaded, recipe.seed, 0))
    steps = max(1, round(epoch / recipe.batch * recipe.epochs))
    steps = min(steps, recipe.max_steps or steps)
    rows, own_order = learned(loaded, recipe, steps)
    every = max(1, steps // 10)
    watched = {"eval_strategy": "steps", "eval_steps": every, "load_best_model_at_end": True}
    config = SFTConfig(
        **_arguments(recipe, out, place, steps),
        train_sampling_strategy="sequential" if own_order else "random",
        max_length=recipe.max_tokens,
        completion_only_loss=True,
        save_steps=every,
        metric_for_best_model="eval_loss",
        **(watched if validation is not None else {}),
    )
    return trl_watch.watched(SFTTrainer, rows)(
        model,
        args=config,
        train_dataset=dataset(rows),
        eval_dataset=validation,
        processing_class=tokenizer,
        peft_config=None if hasattr(model, "peft_config") else peft_config(recipe),
    )


def learned(loaded: Sequence[data.Loaded], recipe: Recipe, steps: int) -> tuple[list[Row], bool]:
    """The rows that a trainer is given, and whether their order counts.

    Where epochs are all of the same rows, one of them, which the trainer repeats and shuffles; where each epoch draws its
    own, as many epochs as `steps` need, one behind the other, each shuffled.
    """
    rows = data.epoch_rows(loaded, recipe.seed, 0)
    if not rows or not any(part.source.cap or part.source.weight % 1.0 for part in loaded):
        return rows, False
    rows, number = [], 0
    while len(rows) < steps * recipe.batch:
        drawn = data.epoch_rows(loaded, recipe.seed, number)
        random.Random(f"{recipe.seed}/{number}").shuffle(drawn)
        rows += drawn
        number += 1
    return rows, True


def dataset(rows: Sequence[Row]) -> Any:
    """Rows as TRL reads them when they are tokens already: `input_ids`, and which of them the loss counts."""
    from datasets import Dataset

    return Dataset.from_dict(
        {
            "input_ids": [[*row.prefix, *row.branch] for row in rows],
            "completion_mask": [[0] * (row.tokens - row.answers) + [1] * row.answers for row in rows],
        }
    )


def _grpo(
    recipe: Recipe, folder: Path, out: Path, model: Any, tokenizer: Any, place: Place, judge: Judge | None
) -> Any:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    if judge is None:
        raise TrainingError(
            "Frame grpo rewards answers that run, so it needs a database.", hint="Set validation: {database: …}."
        )
    examples: dict[str, Example] = {}
    prompts: list[dict[str, str]] = []
    for source in recipe.data:
        path = data.locate(source.path, folder)
        schemas = data.Schemas(path)
        for example in read_examples(path):
            built = prompt.build(schemas.ddl(example), example.question, hints=example.hints)
            name = f"{source.path}: {example.id}"  # two files may use one id
            examples[name] = example
            prompts.append({"prompt": built.text, "id": name})
    steps = max(1, round(len(prompts) * recipe.group_size / recipe.batch * recipe.epochs))
    config = GRPOConfig(
        **_arguments(recipe, out, place, min(steps, recipe.max_steps or steps)),
        num_generations=recipe.group_size,
        max_completion_length=400,
        temperature=1.0,
        save_steps=max(1, steps // 10),
    )
    return trl_watch.watched(GRPOTrainer)(
        model,
        reward_funcs=reward(examples, judge),
        args=config,
        train_dataset=Dataset.from_list(prompts),
        processing_class=tokenizer,
        peft_config=None if hasattr(model, "peft_config") else peft_config(recipe),
    )


def reward(examples: dict[str, Example], judge: Judge) -> Callable[..., list[float]]:
    """GRPO's reward: 1 for an answer that returns the gold's rows, 0.1 for SQL that does not, 0 for no SQL."""

    def rows_of_the_gold(completions: list[str], id: list[str], **_: Any) -> list[float]:
        written = [prompt.extract_sql(text) for text in completions]
        asked = [(examples[name], sql) for name, sql in zip(id, written, strict=True) if sql]
        right = iter(judge(asked) if asked else [])
        return [(1.0 if next(right) else 0.1) if sql else 0.0 for sql in written]

    return rows_of_the_gold


def peft_config(recipe: Recipe) -> Any:
    """The adapters that the recipe describes."""
    from peft import LoraConfig

    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        target_modules=list(recipe.targets),
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
    )


def _arguments(recipe: Recipe, out: Path, place: Place, steps: int) -> dict[str, Any]:
    """What both trainers are told."""
    micro = recipe.micro_batch or recipe.batch // place.processes
    return {
        "output_dir": str(out / "checkpoints"),
        "max_steps": steps,
        "per_device_train_batch_size": micro,
        "per_device_eval_batch_size": min(8, micro),
        "gradient_accumulation_steps": recipe.batch // (micro * place.processes),
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": round(recipe.warmup * steps),
        "weight_decay": recipe.weight_decay,
        "max_grad_norm": recipe.clip,
        "optim": optimizer_name(recipe, place),
        "seed": recipe.seed,
        "bf16": place.cuda,
        "use_cpu": not place.cuda,
        "activation_checkpointing": recipe.recompute or place.cuda,
        "logging_steps": 1,
        "report_to": ["tensorboard"] if importlib.util.find_spec("tensorboard") else [],
        "save_total_limit": 2,
        "disable_tqdm": True,
        "dataloader_pin_memory": place.cuda,
    }


def export(model: Any, recipe: Recipe, name: str, folder: Path, whole: Any = None) -> None:
    """The adapter of a PEFT model, for PEFT and for llama.cpp; `whole` is its state when `model` holds a part of it."""
    from peft import get_peft_model_state_dict

    tensors = {key: value.detach().float().cpu() for key, value in get_peft_model_state_dict(model, whole).items()}
    adapter_gguf.write_peft(folder, tensors, rank=recipe.rank, alpha=recipe.alpha, base_name=name)
    adapter_gguf.write_gguf(folder / "adapter.gguf", tensors, alpha=recipe.alpha, name=recipe.name, base_name=name)
