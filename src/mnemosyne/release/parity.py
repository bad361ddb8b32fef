"""Do all forms of a model say the same? Greedy tokens on a probe set, form against form.

The reference is the base in transformers with the adapter put on by PEFT. Merged weights in transformers, the
adapter on the quantised base in llama.cpp and the merged bf16 file must give its tokens. They add numbers in other
orders, so two words that are equally likely may change places: a first difference counts as a tie when the reference
itself prefers its own token by less than `TIE`, and as a fault otherwise. Weights that were quantised anew may say
other things; their tokens are reported, and `gates` judges them by their answers.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from mnemosyne import prompt
from mnemosyne.engines import precision
from mnemosyne.errors import ReleaseError
from mnemosyne.weights import Model

TIE = 0.5
"""Natural-log odds below which two tokens are equally likely, given how far bf16 and block sums move a logit."""

TOKENS = 48
"""New tokens compared at most."""

KEPT = 32
"""Tokens a step whose odds the reference keeps; any other is as unlikely as can be."""

STOP = -1
"""Under this key a step keeps the odds of ending the turn."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A question that every form is asked."""

    id: str
    """Of the example."""
    prompt: prompt.Prompt
    """What the model reads."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What the reference said, and how sure it was."""

    tokens: tuple[int, ...]
    """Without the end of the turn."""
    odds: tuple[Mapping[int, float], ...]
    """Natural-log odds of the likeliest tokens of each step; one step more than `tokens` where the turn ended."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """One form against the reference."""

    form: str
    """Such as `q8_0`."""
    probes: int
    """Questions asked."""
    same: int
    """Answered with the same tokens throughout."""
    ties: int
    """Different first where the reference was undecided."""
    faults: tuple[str, ...]
    """Ids of the probes that differ where the reference was sure."""


def probes(count: int) -> list[Probe]:
    """`count` questions of lab-dev, spread over it, on the laboratory's schema."""
    from mnemosyne.datasets import read_examples
    from mnemosyne.schema import Schema

    data = resources.files("mnemosyne.data")
    ddl = Schema.from_ddl((data / "lims" / "schema.sql").read_text(encoding="utf-8")).to_ddl()
    examples = read_examples(Path(str(data / "sets" / "lab-dev.jsonl")))
    chosen = [examples[index * len(examples) // count] for index in range(min(count, len(examples)))]
    return [Probe(example.id, prompt.build(ddl, example.question)) for example in chosen]


def compare(
    form: str, references: Sequence[Reference], answers: Sequence[Sequence[int]], ids: Sequence[str]
) -> Agreement:
    """The answers of one form against those of the reference."""
    same = ties = 0
    faults = []
    for reference, tokens, name in zip(references, answers, ids, strict=True):
        gap = difference(reference, tokens)
        if gap is None:
            same += 1
        elif gap < TIE:
            ties += 1
        else:
            faults.append(name)
    return Agreement(form, len(references), same, ties, tuple(faults))


def difference(reference: Reference, tokens: Sequence[int]) -> float | None:
    """How much the reference prefers its own token at the first difference; None where there is none."""
    length = max(len(reference.tokens), len(tokens))
    for place in range(min(length, TOKENS)):
        ours = reference.tokens[place] if place < len(reference.tokens) else None
        theirs = tokens[place] if place < len(tokens) else None
        if ours == theirs:
            continue
        if place >= len(reference.odds):
            return math.inf
        step = reference.odds[place]
        return max(step.values()) - step.get(STOP if theirs is None else theirs, -math.inf)
    return None


def demand(agreements: Sequence[Agreement]) -> None:
    """Raise ReleaseError when a form says something else than the reference."""
    bad = [f"{one.form} on {', '.join(one.faults[:3])}" for one in agreements if one.faults]
    if bad:
        raise ReleaseError(
            f"The forms of this model do not say the same: {'; '.join(bad)}.",
            hint="Were the adapter and its base mixed up, or a file written by another version?",
        )


def from_transformers(folder: Path, asked: Sequence[Probe], *, adapter: Path | None = None) -> list[Reference]:
    """Greedy answers of a folder of dense weights in transformers, with a PEFT adapter on it if one is given."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=precision.dtype())
    if adapter is not None:
        model = _with_peft(model, adapter)
    model.eval()
    stops = tokenizer.convert_tokens_to_ids(list(prompt.STOPS))
    return [_greedy(model, tokenizer(probe.prompt.text)["input_ids"], stops) for probe in asked]


def _with_peft(model: Any, adapter: Path) -> Any:
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT asks transformers for a name that will go
        return PeftModel.from_pretrained(model, adapter)


def _greedy(model: Any, tokens: list[int], stops: list[int]) -> Reference:
    import torch

    ids = torch.tensor([tokens])
    with torch.inference_mode():
        done = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=TOKENS,
            eos_token_id=stops,
            pad_token_id=stops[0],
            return_dict_in_generate=True,
            output_logits=True,
        )
    steps = []
    for logits in done.logits:
        values = torch.log_softmax(logits[0].float(), -1)
        top = values.topk(min(KEPT, len(values)))
        step = dict(zip(top.indices.tolist(), top.values.tolist(), strict=True))
        step[STOP] = float(values[stops].max())
        steps.append(step)
    written = [token for token in done.sequences[0, len(tokens) :].tolist() if token not in stops]
    return Reference(tuple(written), tuple(steps))


def from_llamacpp(model: Model, asked: Sequence[Probe]) -> list[list[int]]:
    """Greedy answers of a GGUF file, with its adapter if it has one, in llama.cpp."""
    from mnemosyne.engines.llama_server import LlamaServer, Shape

    options = {
        "n_predict": TOKENS,
        "temperature": 0.0,
        "samplers": ["temperature"],
        "return_tokens": True,
        "response_fields": ["tokens"],
    }
    answers = []
    server = LlamaServer(model, Shape(1, model.context), threads=0, states=None)
    try:
        stops = {server.tokenize(stop)[0] for stop in prompt.STOPS}
        for probe in asked:
            reply = server.complete(0, server.tokenize(probe.prompt.text), options)
            answers.append([token for token in reply["tokens"] if token not in stops])
    finally:
        server.close()
    return answers
