"""Questions a second of `mnemosyne train` against stock TRL: same rows, weights, precision, threads; A B A B.

    python benchmarks/train.py --quick                                   # 16 questions, the shortest
    python benchmarks/train.py --model qwen2.5-coder-1.5b-instruct --quick --rounds 1
    python benchmarks/train.py --data general.jsonl.gz --questions 48    # rows that share little

A is the shared-prefix frame, B is TRL's SFTTrainer as its documents use it (PEFT, bf16, completion-only loss,
sequences padded side by side, `--micro` at a time). Both learn from the same rows for one optimizer step from the
same start, each in a process of its own; the loss of the step must be equal (2 %), or the figure is not printed.
Speed is taken from the optimizer step alone: loading is not counted on either side, dequantising comes before and in
a process of its own, so that peak memory is that of loading and training. Writes JSON to --output.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

PEFT_STEP = "stock"
OUR_STEP = "ours"
PREPARE = "prepare"


def main() -> None:
    """Run A B A B, or one of them when started with --side."""
    options = arguments()
    if options.side:
        print(json.dumps(one(options)), flush=True)
        return
    if options.questions % options.micro:
        sys.exit(f"--questions ({options.questions}) is no multiple of --micro ({options.micro}).")
    start(PREPARE)
    measured: dict[str, list[dict[str, Any]]] = {OUR_STEP: [], PEFT_STEP: []}
    for side in (OUR_STEP, PEFT_STEP) * options.rounds:
        figure = start(side)
        measured[side].append(figure)
        print(f"{side:5}  {figure['questions'] / figure['seconds']:.3f} questions/s  "
              f"{figure['seconds'] / figure['questions']:.2f} s a question  {figure['cpu_seconds']:.0f} CPU s  "
              f"loss {figure['loss']:.4f}  {figure['memory_gb']:.1f} GB", flush=True)  # fmt: skip
    losses = [figure["loss"] for side in measured.values() for figure in side]
    if max(losses) > 1.02 * min(losses):
        sys.exit(f"The losses differ ({min(losses):.4f} … {max(losses):.4f}): the two sides did not do the same work.")
    ours, theirs = (statistics.mean(f["seconds"] for f in measured[side]) for side in (OUR_STEP, PEFT_STEP))
    cpu = [statistics.mean(f["cpu_seconds"] for f in measured[side]) for side in (OUR_STEP, PEFT_STEP)]
    count = measured[OUR_STEP][0]["questions"]
    print(f"mean: {count / ours:.3f} questions/s against {count / theirs:.3f}")
    print(f"times faster: {theirs / ours:.2f} (wall), {cpu[1] / cpu[0]:.2f} (processor seconds)")
    if options.output:
        facts = {"options": {k: str(v) for k, v in vars(options).items()}, "measured": measured,
                 "times_faster_wall": theirs / ours, "times_faster_cpu": cpu[1] / cpu[0]}  # fmt: skip
        options.output.write_text(json.dumps(facts, indent=2) + "\n")


def start(side: str) -> dict[str, Any]:
    """One side in a process of its own."""
    command = [sys.executable, __file__, *sys.argv[1:], "--side", side]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{side} failed (exit {done.returncode}):\n{done.stderr[-3000:]}")
    figure: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figure


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnemosyne:lab-train.jsonl.gz", help="JSONL of examples  [%(default)s]")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b-instruct", help="[%(default)s]")
    parser.add_argument("--quick", action="store_true", help="16 questions, all behind one prefix")
    parser.add_argument("--questions", type=int, default=48, help="rows of the step  [%(default)s]")
    parser.add_argument("--group", type=int, default=24, help="questions behind one prefix at most  [%(default)s]")
    parser.add_argument("--micro", type=int, default=4, help="sequences that TRL pads side by side")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=2, help="A B so many times  [%(default)s]")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--side", choices=(OUR_STEP, PEFT_STEP, PREPARE), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.questions = options.group = 16
    return options


def one(options: argparse.Namespace) -> dict[str, Any]:
    """One optimizer step of one side."""
    from mnemosyne.settings import load
    from mnemosyne.training import base, data
    from mnemosyne.training.recipe import Recipe, Source
    from mnemosyne.training.rows import encoder
    from mnemosyne.training.surroundings import prepare_process

    prepare_process(options.threads)
    recipe = Recipe(
        name="bench",
        base=options.model,
        data=(Source(options.data),),
        rank=options.rank,
        alpha=2.0 * options.rank,
        warmup=0.0,
        batch=options.questions,
        group_size=options.group,
        micro_batch=options.micro,
        max_steps=1,
        pack_tokens=3072,
    )
    weights = base.prepare(recipe.base, load())
    if options.side == PREPARE:
        return {"weights": str(weights.folder)}
    tokenizer = base.load_tokenizer(weights)
    (loaded,) = data.load(recipe, Path(), encoder(tokenizer))
    rows = loaded.rows[: options.questions]
    if len(rows) < options.questions:
        sys.exit(f"{options.data} has {len(rows)} rows that fit, fewer than --questions {options.questions}.")
    side = ours if options.side == OUR_STEP else stock
    return {"questions": len(rows), **side(recipe, weights, tokenizer, rows)}


def ours(recipe: Any, weights: Any, tokenizer: Any, rows: Any) -> dict[str, Any]:
    from mnemosyne.training import base, plan
    from mnemosyne.training.loop import Trainer, peak_memory_gb

    steps = plan.epoch(
        rows,
        batch=recipe.batch,
        group_size=recipe.group_size,
        pack_tokens=recipe.pack_tokens,
        seed=0,
        number=0,
    )
    trainer = Trainer(base.load_model(weights), recipe, steps[:1], Path())
    started, processor = time.perf_counter(), time.process_time()
    done = trainer.step()
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - processor,
        "loss": done.loss,
        "memory_gb": peak_memory_gb(),
    }


def stock(recipe: Any, weights: Any, tokenizer: Any, rows: Any) -> dict[str, Any]:
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    from mnemosyne.engines import precision
    from mnemosyne.training import trl_frame
    from mnemosyne.training.loop import peak_memory_gb

    model = AutoModelForCausalLM.from_pretrained(weights.folder, dtype=precision.dtype())
    with tempfile.TemporaryDirectory() as folder:
        place = trl_frame.Place(cuda=False, bitsandbytes=False)
        settings = trl_frame._arguments(replace(recipe, frame="trl"), Path(folder), place, 1)
        settings |= {"report_to": [], "save_strategy": "no"}
        trainer = SFTTrainer(
            model,
            args=SFTConfig(**settings, max_length=recipe.max_tokens, completion_only_loss=True),
            train_dataset=trl_frame.dataset(rows),
            processing_class=tokenizer,
            peft_config=trl_frame.peft_config(recipe),
        )
        started, processor = time.perf_counter(), time.process_time()
        trainer.train()
        seconds, cpu = time.perf_counter() - started, time.process_time() - processor
        (loss,) = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return {"seconds": seconds, "cpu_seconds": cpu, "loss": loss, "memory_gb": peak_memory_gb()}


if __name__ == "__main__":
    main()
