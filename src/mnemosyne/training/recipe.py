"""The recipe of a training run: one frozen record, read from YAML, every fault named with its line."""

from __future__ import annotations

import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml

from mnemosyne.engines.precision import Precision
from mnemosyne.errors import RecipeError

SHIPPED = resources.files("mnemosyne.data") / "recipes"
"""Where the recipes of the distribution are."""

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Every linear layer of a Qwen2 block, as transformers names them."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of rows to train on."""

    path: str
    """JSONL (.gz) of examples, relative to the recipe (for a shipped recipe: to the current folder); `mnemosyne:lab-train.jsonl.gz` is a shipped set."""
    weight: float = 1.0
    """How often its rows come in an epoch: 0.5 is a random half (another each epoch), 2 is each row twice."""
    cap: int = 0
    """Rows of an epoch at most, 0 for no limit."""


@dataclass(frozen=True, slots=True)
class Validation:
    """The set that chooses the checkpoint."""

    path: str
    """JSONL (.gz) of examples, like `Source.path`. No row of it may be in the training data."""
    questions: int = 60
    """Questions whose answers are generated and executed; the same ones each time."""
    database: str = ""
    """URL of the database that they are asked of, `lab` for a demo laboratory made for the run, empty: none, so
    only the loss is measured. Frame `trl` asks none; frame `grpo` rewards by it."""
    today: str = ""
    """Day that CURRENT_DATE means in its queries, such as 2026-06-15; empty: that of the demo laboratory for `lab`,
    else the day on which the run is started."""
    minutes: float = 15.0
    """Wall time between two measurements (frame `shared-prefix`)."""
    patience: int = 0
    """Stop after so many measurements without a better one (frame `shared-prefix`); 0 never stops early."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what a run learns. Equal recipes, data and weights give equal runs."""

    name: str
    """Name of the run and of its adapter."""
    base: str
    """Catalogue name or path of the weights, quantised (GGUF) for frame `shared-prefix`, a hub name for `trl`."""
    data: tuple[Source, ...]
    """What is learned from."""
    validation: Validation | None = None
    """What chooses the checkpoint; without it the last one counts."""
    select: Literal["execution", "loss"] = "execution"
    """Best checkpoint by execution accuracy (loss decides ties), or by loss as the reference does."""
    frame: Literal["shared-prefix", "trl", "grpo"] = "shared-prefix"
    """`shared-prefix`: our loop, one prefix for many questions, CPU. `trl`: SFTTrainer, GPU. `grpo`: GRPOTrainer."""
    rank: int = 64
    """Rank of the adapters."""
    alpha: float = 128.0
    """Scale of the adapters, times rank."""
    targets: tuple[str, ...] = TARGETS
    """Which linear layers get one."""
    start_from: str = ""
    """Adapter to go on from: a PEFT folder, a run folder, a checkpoint, an adapter GGUF (looked for in the recipe's
    folder, then in the current one) or a catalogue name such as `mnemosyne-1.5b`; empty starts anew."""
    frozen_layers: int = 0
    """Adapters of so many transformer blocks, from the lowest, stay as they are (frame `shared-prefix`): for going on
    from an adapter with quicker and smaller steps."""
    learning_rate: float = 2e-4
    """Peak."""
    warmup: float = 0.05
    """Share of the steps in which the rate rises from 0; then it falls to 0 as a cosine."""
    weight_decay: float = 0.01
    """Of AdamW, decoupled."""
    clip: float = 1.0
    """Norm at which the gradient of a step is cut."""
    optimizer: Literal["adamw", "adamw_8bit"] = "adamw"
    """`adamw_8bit` needs bitsandbytes and a GPU; elsewhere torch AdamW is used and the log says so."""
    load_in_4bit: bool = False
    """QLoRA on NF4 (frame `trl`)."""
    epochs: float = 1.0
    """Passes over the data; a fraction is allowed."""
    max_steps: int = 0
    """Optimizer steps at most, 0 for no limit; the schedule ends there."""
    batch: int = 64
    """Questions of one optimizer step; frame `grpo`: answers, so `batch` / `group_size` questions."""
    group_size: int = 16
    """Questions behind one prefix at most; smaller than `batch`, so that a step mixes schemas. Frame `grpo`: answers to
    one question, a divisor of `batch`."""
    micro_batch: int = 0
    """Sequences of one pass on one GPU (frames `trl`, `grpo`), times the GPUs a divisor of `batch`; 0 is the whole batch,
    of several GPUs each its share."""
    pack_tokens: int = 3072
    """Tokens of one pass at most (frame `shared-prefix`): this bounds the memory."""
    precision: Precision = "auto"
    """Of the frozen weights and of the activations. `auto`: bf16, or fp32 (twice the memory) where the processor
    multiplies that faster, as those without AMX or AVX-512 BF16 do. Adapters are fp32 in any case."""
    recompute: bool = False
    """Keep only the input of each layer and compute the rest again in backward: less memory, a third more time."""
    hold_memory: bool = True
    """Buffers stay with the process from one operation to the next and are given back after each step (frame
    `shared-prefix`, Linux with glibc); false gives large ones back at once, which takes time and may lower the peak."""
    max_tokens: int = 2048
    """Tokens of a row at most; longer rows are listed and left out, never cut."""
    seed: int = 0
    """Start of the adapters and order of the rows: from 0, below 2^64 (frames `trl`, `grpo`: 2^32)."""
    checkpoint_minutes: float = 5.0
    """Wall time between two checkpoints (frame `shared-prefix`)."""


def load(path: str | Path) -> Recipe:
    """The recipe of a YAML file, or of a shipped one by its name (`mnemosyne-0.5b`). Raises RecipeError."""
    data = find(path).read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RecipeError(
            f"{path}, line {line}: byte {data[error.start]:#04x} is not UTF-8.", hint="Save the file as UTF-8."
        ) from None
    return parse(text, str(path))


def find(path: str | Path) -> Path:
    """The file that `path` means: a path, or the name of a shipped recipe. Raises RecipeError."""
    if Path(path).is_file():
        return Path(path)
    shipped = {Path(str(entry)).stem: Path(str(entry)) for entry in SHIPPED.iterdir() if entry.name.endswith(".yaml")}
    name = str(path).removesuffix(".yaml")
    if name in shipped:
        return shipped[name]
    near = difflib.get_close_matches(name, shipped, 1)
    raise RecipeError(
        f"There is no recipe {path}.",
        hint=(f"Did you mean {near[0]}? " if near else "") + "Shipped: " + ", ".join(sorted(shipped)) + ".",
    )


def folder_of(path: str | Path) -> Path:
    """The folder that a recipe's data paths are relative to: its own; for a shipped recipe the current one."""
    return Path(path).parent if Path(path).is_file() else Path()


def parse(text: str, where: str = "recipe") -> Recipe:
    """The recipe that YAML text describes. Raises RecipeError with `where`, line and the nearest field name."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        at = text.count("\n", 0, error.position) + 1
        raise RecipeError(f"{where}, line {at}: not YAML (a character that text does not have).") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise RecipeError(f"{where}{line}: not YAML ({getattr(error, 'problem', error)}).") from None
    if not isinstance(node, yaml.MappingNode):
        raise RecipeError(f"{where}: a recipe is a mapping of fields.", hint="Start from `mnemosyne-0.5b.yaml`.")
    reader = _Reader(where)
    recipe: Recipe = reader.record(node, Recipe)
    _check(recipe, reader, node)
    return recipe


class _Reader:
    """YAML nodes to records; remembers the file for messages."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, node: yaml.Node, message: str, hint: str = "") -> RecipeError:
        return RecipeError(f"{self.where}, line {node.start_mark.line + 1}: {message}", hint=hint)

    def record(self, node: yaml.Node, kind: type[Any]) -> Any:
        if not isinstance(node, yaml.MappingNode):
            raise self.fail(node, f"expected the fields of {kind.__name__.lower()}: {', '.join(_hints(kind))}.")
        hints, values = _hints(kind), {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.fail(key, "the name of a field is one word, not a list or mapping.")
            if key.value not in hints:
                near = difflib.get_close_matches(str(key.value), hints, 1)
                hint = f"Did you mean {near[0]}?" if near else "Fields: " + ", ".join(hints) + "."
                raise self.fail(key, f"no field is called {key.value!r}.", hint)
            if key.value in values:
                raise self.fail(key, f"{key.value} is given twice.")
            values[key.value] = self.value(value, hints[key.value], key.value)
        for field in fields(kind):
            if field.default is MISSING and field.name not in values:
                raise self.fail(node, f"{field.name} is missing.", (kind.__doc__ or "").splitlines()[0])
        return kind(**values)

    def value(self, node: yaml.Node, kind: Any, name: str) -> Any:
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin is types.UnionType:
            return None if _is_null(node) else self.value(node, arguments[0], name)
        if origin is tuple:
            if not isinstance(node, yaml.SequenceNode):
                raise self.fail(node, f"{name} is a list.")
            return tuple(self.value(item, arguments[0], name) for item in node.value)
        if is_dataclass(kind):
            return self.record(node, typing.cast("type[Any]", kind))
        if not isinstance(node, yaml.ScalarNode):
            raise self.fail(node, f"{name} is one value, not a list or mapping.")
        if origin is Literal:
            return self._choice(node, arguments, name)
        return self._scalar(node, kind, name)

    def _choice(self, node: yaml.ScalarNode, choices: tuple[str, ...], name: str) -> str:
        if node.value in choices:
            return str(node.value)
        near = difflib.get_close_matches(node.value, choices, 1)
        raise self.fail(
            node,
            f"{name} is one of {', '.join(choices)}, not {node.value!r}.",
            f"Did you mean {near[0]}?" if near else "",
        )

    def _scalar(self, node: yaml.ScalarNode, kind: type, name: str) -> Any:
        if _is_null(node):
            raise self.fail(node, f"{name} has no value.", "Leave the line out to have the default.")
        try:
            if kind is bool:
                return {"true": True, "false": False}[node.value.lower()]
            return kind(node.value.replace("_", "")) if kind in (int, float) else str(node.value)
        except (KeyError, ValueError):
            words = {bool: "true or false", int: "a whole number", float: "a number"}
            raise self.fail(node, f"{name} is {words[kind]}, not {node.value!r}.") from None


def _hints(kind: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


_BOUNDS: Mapping[str, tuple[float, float]] = {
    "rank": (1, 1024),
    "alpha": (1e-6, 1e6),
    "learning_rate": (1e-9, 1),
    "warmup": (0, 0.999),
    "weight_decay": (0, 1),
    "clip": (1e-9, 1e9),
    "frozen_layers": (0, 1000),
    "epochs": (1e-6, 1e4),
    "max_steps": (0, 10**9),
    "batch": (1, 10**6),
    "group_size": (1, 10**6),
    "micro_batch": (0, 10**6),
    "pack_tokens": (64, 10**7),
    "max_tokens": (16, 10**6),
    "checkpoint_minutes": (0, 10**5),
}


def _check(recipe: Recipe, reader: _Reader, node: yaml.MappingNode) -> None:
    """Values out of bounds, and fields that contradict each other."""
    at = {key.value: value for key, value in node.value}
    for name, (low, high) in _BOUNDS.items():
        if not low <= getattr(recipe, name) <= high:
            raise reader.fail(at[name], f"{name} is {getattr(recipe, name)}; it lies between {low:g} and {high:g}.")
    most = 2 ** (64 if recipe.frame == "shared-prefix" else 32) - 1  # what torch takes, and what numpy takes
    if not 0 <= recipe.seed <= most:
        raise reader.fail(at["seed"], f"seed is {recipe.seed}; it lies between 0 and {most}.")
    if recipe.name.strip() in ("", ".", "..") or "/" in recipe.name:
        raise reader.fail(at["name"], f"name is {recipe.name!r}; it becomes the name of the run folder.")
    for name, low in (("questions", 1), ("minutes", 0), ("patience", 0)) if recipe.validation else ():
        if not getattr(recipe.validation, name) >= low:
            raise reader.fail(at["validation"], f"{name} is {getattr(recipe.validation, name)}; it is at least {low}.")
    if recipe.validation and recipe.validation.today and not _is_day(recipe.validation.today):
        raise reader.fail(at["validation"], f"today is {recipe.validation.today!r}; it is a day such as 2026-06-15.")
    if not recipe.data:
        raise reader.fail(at["data"], "data is empty.", "Name at least one JSONL file.")
    for i, source in enumerate(recipe.data):
        if not 0 < source.weight < math.inf or source.cap < 0:
            raise reader.fail(at["data"].value[i], "weight is a number above 0 and cap not below 0.")
    unknown = [target for target in recipe.targets if target not in TARGETS]
    if unknown or not recipe.targets:
        raise reader.fail(at["targets"], f"no layer is called {', '.join(unknown)!r}.", "Layers: " + ", ".join(TARGETS))
    if recipe.group_size > recipe.batch:
        raise reader.fail(
            at.get("group_size", at.get("batch", node)),
            f"group_size ({recipe.group_size}) is above batch ({recipe.batch}).",
            "A step mixes schemas, so a group is a part of it.",
        )
    if recipe.max_tokens > recipe.pack_tokens and recipe.frame == "shared-prefix":
        raise reader.fail(
            at.get("pack_tokens", at.get("max_tokens", node)),
            f"pack_tokens ({recipe.pack_tokens}) is below max_tokens ({recipe.max_tokens}).",
            "One row must fit one pass.",
        )
    if recipe.frame == "grpo" and recipe.group_size < 2:
        raise reader.fail(
            at["group_size"], "frame grpo compares the answers to a question, so group_size is at least 2."
        )
    if recipe.frame == "grpo":
        _divides(recipe, "group_size", reader, at.get("batch", at.get("group_size", node)))
    if recipe.frame != "shared-prefix" and recipe.micro_batch:
        _divides(recipe, "micro_batch", reader, at["micro_batch"])
    if recipe.frame == "trl" and recipe.validation and recipe.select != "loss":
        raise reader.fail(at.get("select", node), "frame trl chooses the checkpoint by loss.", "Write select: loss.")
    if recipe.frame != "shared-prefix" and recipe.frozen_layers:
        raise reader.fail(at["frozen_layers"], f"frozen_layers contradicts frame {recipe.frame}.", "Leave it out.")
    if recipe.frame == "shared-prefix":
        for name in ("load_in_4bit", "micro_batch"):
            if getattr(recipe, name):
                raise reader.fail(at[name], f"{name} contradicts frame shared-prefix.", "It belongs to frame trl.")


def _divides(recipe: Recipe, name: str, reader: _Reader, node: yaml.Node) -> None:
    part = getattr(recipe, name)
    if recipe.batch % part:
        raise reader.fail(
            node,
            f"{name} ({part}) does not divide batch ({recipe.batch}).",
            f"The nearest batch that it divides is {nearest_batch(recipe.batch, part)}.",
        )


def nearest_batch(batch: int, part: int) -> int:
    """The multiple of `part` that is nearest to `batch`."""
    return part * max(1, (2 * batch + part) // (2 * part))
