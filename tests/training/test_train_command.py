"""`mnemosyne train` from the recipe to an adapter that llama.cpp answers with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("torch")


@pytest.fixture
def mnemosyne(small: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line with a home of its own."""
    from mnemosyne.cli.train import command

    monkeypatch.setenv("MNEMOSYNE_HOME", str(small.home))

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(command, [*map(str, arguments), "--threads", "1"])

    return call


def test_a_run_leaves_curves_a_record_and_an_adapter_that_llama_cpp_speaks_like_torch(
    small: Any, recipe_file: Path, mnemosyne: Any, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    done = mnemosyne(recipe_file, "--out", out, "--max-steps", 2)
    assert done.exit_code == 0, done.output
    done = mnemosyne(recipe_file, "--out", out, "--resume")
    assert done.exit_code == 0, done.output

    steps = [json.loads(line) for line in (out / "steps.jsonl").read_text().splitlines()]
    measured = [json.loads(line) for line in (out / "measurements.jsonl").read_text().splitlines()]
    assert [step["step"] for step in steps] == [1, 2, 3]
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert all(step["schemas"] > 1 for step in steps), "every step mixes schemas"
    assert sum(step["questions"] for step in steps) == 54
    assert measured[-1]["step"] == 3
    assert measured[-1]["asked"] == 4
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert list((out / "tensorboard").iterdir())
    record = json.loads((out / "run.json").read_text())
    assert record["base"]["sha256"]
    assert [part["rows"] for part in record["data"]] == [48, 6]
    assert record["result"]["steps"] == 3
    assert record["result"]["peak_memory_gb"] > 0
    assert record["versions"]["torch"]
    assert record["schedule"] == [{"first": 1, "last": 2, "of": 2}, {"first": 3, "last": 3, "of": 3}]
    assert [(part["from_step"], part.get("changed")) for part in record["sittings"]] == [
        (0, None),
        (2, {"max_steps": [2, 0]}),
    ]
    assert_same_greedy_tokens(small, out / "last")

    written = (out / "last" / "adapter.gguf").read_bytes()
    shutil.rmtree(out / "last")  # as if the run had been killed before its end
    assert mnemosyne(recipe_file, "--out", out, "--export").exit_code == 0
    assert (out / "last" / "adapter.gguf").read_bytes() == written


def assert_same_greedy_tokens(small: Any, adapter: Path) -> None:
    """llama.cpp on GGUF base and adapter writes what torch writes on the dequantised base."""
    from mnemosyne import prompt
    from mnemosyne.datasets import read_examples
    from mnemosyne.engines import Sampling, open_engine
    from mnemosyne.schema import Schema
    from mnemosyne.settings import Settings
    from mnemosyne.training import base, generation, lora, starting
    from mnemosyne.training.recipe import TARGETS

    settings = Settings(home=small.home)
    ddl = Schema.from_ddl((small.folder / "schemas" / "mine.sql").read_text()).to_ddl()
    prompts = [prompt.build(ddl, e.question) for e in read_examples(small.folder / "valid.jsonl")[:4]]
    dense = base.prepare(str(small.gguf), settings)
    model, tokenizer = base.load_model(dense, "fp32"), base.load_tokenizer(dense)
    lora.attach(model, 8, 16, TARGETS, 0)
    plain = model.state_dict()["model.layers.0.self_attn.q_proj.lora_b"].abs().sum()
    lora.load(model, dict(starting.read(adapter).tensors))
    assert model.state_dict()["model.layers.0.self_attn.q_proj.lora_b"].abs().sum() > plain

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    stop = tokenizer.convert_tokens_to_ids(prompt.END)
    torch_says = generation.answers(
        model, encode(prompts[0].prefix), [encode(p.tail) for p in prompts], stop=stop, max_tokens=6
    )
    engine = open_engine(f"{small.gguf}+{adapter / 'adapter.gguf'}", settings)
    try:
        llama_says = [engine.complete(p, Sampling(max_tokens=6))[0] for p in prompts]
    finally:
        engine.close()
    assert all(answer.text.startswith("SELECT") for answer in llama_says), "the adapter is what was learned"
    compared = 0
    for asked, ids, answer in zip(prompts, torch_says, llama_says, strict=True):
        best = log_probabilities(model, encode(asked.prefix) + encode(asked.tail), ids)
        # A model of random weights meets near ties, where rounding decides: from there on the texts may part.
        sure = next((i for i, (first, second) in enumerate(best) if first - second < TIE), len(ids))
        if sure == len(ids):
            assert answer.text == tokenizer.decode(ids)
        assert all(first > second - TIE for first, second in best), "torch chooses the likeliest, side by side too"
        assert answer.text.startswith(tokenizer.decode(ids[:sure]).rstrip("\ufffd"))
        assert answer.logprobs[: sure + 1] == pytest.approx([first for first, _ in best[: sure + 1]], abs=TIE)
        compared += sure
    assert compared >= len(prompts), "the comparison reaches beyond the first token"


TIE = 0.05
"""Natural-log probability: llama.cpp rounds the activations to 8 bits, torch does not."""


def log_probabilities(model: Any, asked: list[int], ids: list[int]) -> list[tuple[float, float]]:
    """Natural-log probability of each of `ids` and of the likeliest other token there, all read at once."""
    import torch

    from mnemosyne.training.attention import NAME, Layout, span

    tokens = torch.tensor([asked + ids[:-1]])
    model.config._attn_implementation = NAME
    with torch.inference_mode():
        hidden = model.model(
            input_ids=tokens,
            attention_mask={"full_attention": None},
            layout=Layout((span(0, 0, [tokens.shape[1]]),)),
            use_cache=False,
        ).last_hidden_state[0, len(asked) - 1 :]
        every = model.lm_head(hidden).float().log_softmax(-1)
    chosen = torch.tensor([ids]).T
    said = every.gather(1, chosen)[:, 0].tolist()
    others = every.scatter(1, chosen, float("-inf")).max(1).values.tolist()
    return list(zip(said, others, strict=True))


def test_a_dry_run_says_what_it_will_take_and_writes_nothing(recipe_file: Path, mnemosyne: Any, tmp_path: Path) -> None:
    done = mnemosyne(recipe_file, "--dry-run", "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    for word in ("rows       54 of 7 schemas", "steps      3 of about 18", "memory ", "time ", "as separate sequences"):
        assert word in done.output
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_in_use_is_not_overwritten(recipe_file: Path, mnemosyne: Any, tmp_path: Path) -> None:
    from mnemosyne.errors import TrainingError

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    done = mnemosyne(recipe_file, "--out", tmp_path / "run")
    assert isinstance(done.exception, TrainingError)
    assert "is not empty" in str(done.exception)
    assert "--resume" in done.exception.hint


def test_too_little_memory_is_said_before_anything_is_loaded(
    recipe_file: Path, mnemosyne: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnemosyne.training.estimate.available_memory", lambda: 300_000_000)
    monkeypatch.setattr("mnemosyne.training.base.load_model", lambda *_: pytest.fail("a model was loaded"))
    done = mnemosyne(recipe_file, "--out", tmp_path / "run")
    assert "needs about 0.5 GB of memory; 0.3 GB are available" in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_what_layers_keep_for_backward_is_what_the_estimate_counts(tmp_path: Path) -> None:
    import tiny_training as tiny
    import torch

    from mnemosyne.training.estimate import layer_bytes
    from mnemosyne.training.packing import pack, packed_tokens

    def kept(layers: int) -> int:
        trainer = tiny.trainer(tmp_path, tiny.rows(40, 1), dtype="bfloat16", batch=1000, group_size=40)
        trainer.model.model.layers = trainer.model.model.layers[:layers]
        own = {p.untyped_storage().data_ptr() for p in trainer.model.parameters()}
        seen: dict[int, int] = {}

        def note(tensor: Any) -> Any:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own and tensor.shape[-1:] != tensor.shape[-2:-1]:
                seen[storage.data_ptr()] = storage.nbytes()
            return tensor

        (step,) = trainer.steps
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss = trainer.loss(pack(step.packs[0]))
        assert torch.isfinite(loss)
        return sum(seen.values())

    rows = tiny.rows(40, 1)
    config = tiny.model().config.to_dict()
    adapters = 4 * 2 * (4 * 64 + 3 * 96 + 2 * 64 + 2 * 64) * 2  # the bf16 copies of A and B, at most
    counted = layer_bytes(config, 4) * packed_tokens([rows])
    assert abs(kept(3) - kept(2) - counted) < 0.1 * counted + adapters


def test_a_validation_question_in_the_training_data_stops_the_run(
    small: Any, recipe_file: Path, mnemosyne: Any, tmp_path: Path
) -> None:
    recipe_file.write_text(recipe_file.read_text().replace("valid.jsonl", "pairs.jsonl"))
    done = mnemosyne(recipe_file, "--out", tmp_path / "run")
    assert "48 training rows ask what the validation set asks" in str(done.exception)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "1", "question": "Q?", "sql": "", "schema": "mine", "reason": "no"}', "1 has no SQL to learn"),
        ('{"id": "1", "question": "Q?", "sql": "SELECT 1", "schema": "mine", "dialect": "sqlite"}', "1 is sqlite"),
        ('{"id": "1", "question": "Q?", "sql": "SELECT 1", "schema": "theirs"}', "asks of schema 'theirs'"),
        ('{"id": "1", "question": ', "line 1"),
        ("", "holds no examples"),
    ],
)
def test_data_that_cannot_be_learned_from_are_named(
    small: Any, recipe_file: Path, mnemosyne: Any, tmp_path: Path, line: str, message: str
) -> None:
    bad = small.folder / "bad.jsonl"
    bad.write_text(line)
    recipe_file.write_text(recipe_file.read_text().replace("general.jsonl", "bad.jsonl"))
    done = mnemosyne(recipe_file, "--out", tmp_path / "run")
    assert done.exit_code
    assert message in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_a_run_that_ends_early_says_so_on_the_screen_and_in_its_record(
    recipe_file: Path, mnemosyne: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnemosyne.training.loop.better", lambda *_: False)
    recipe_file.write_text(recipe_file.read_text().replace("minutes: 0", "minutes: 0, patience: 1"))
    done = mnemosyne(recipe_file, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    said = "stopped early at step 2 of 3: none of the last 1 measurements was better"
    assert said in done.output
    assert json.loads((tmp_path / "run" / "run.json").read_text())["result"]["stopped_early"] == said


def test_steps_of_a_single_schema_are_warned_of(recipe_file: Path, mnemosyne: Any, tmp_path: Path) -> None:
    warning = "every step has one schema only, so other databases may be forgotten"
    assert warning not in mnemosyne(recipe_file, "--dry-run").output
    recipe_file.write_text(recipe_file.read_text().replace("  - path: general.jsonl\n", ""))
    done = mnemosyne(recipe_file, "--dry-run")
    assert done.exit_code == 0, done.output
    assert done.output.count(warning) == 1


@pytest.mark.parametrize("frame", ["shared-prefix", "trl", "grpo"])
@pytest.mark.parametrize(
    ("old", "new", "said", "hint"),
    [
        ("path: pairs.jsonl", "path: none.jsonl", r"No such file: .*none\.jsonl", "Check the path"),
        ("valid.jsonl", "none.jsonl", r"No such file: .*none\.jsonl", "Check the path"),
        ("path: general.jsonl", "path: general.jsonl.gz", "No such file", "mnemosyne.training.general --spider"),
        ("general.jsonl", "sql-create-context.jsonl.gz", "No such file", "general --hub sql-create-context -o "),
        ("mine.db", "none.db", r"There is no file .*none\.db", ""),
    ],
)
def test_files_that_are_not_there_are_told_before_the_base_is_fetched(
    recipe_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    frame: str,
    old: str,
    new: str,
    said: str,
    hint: str,
) -> None:
    from mnemosyne.errors import MnemosyneError
    from mnemosyne.settings import Settings
    from mnemosyne.training import recipe as recipes
    from mnemosyne.training import run, trl_frame

    changed = recipe_file.read_text().replace(old, new) + f"frame: {frame}\nselect: loss\n"
    if frame == "grpo":
        changed = changed.replace("group_size: 8", "group_size: 9")
    elif frame == "trl" and new == "none.db":
        pytest.skip("frame trl asks no database")
    recipe_file.write_text(changed)
    recipe = recipes.load(recipe_file)
    monkeypatch.setattr("mnemosyne.training.base.prepare", lambda *_: pytest.fail("the base was fetched"))
    monkeypatch.setattr("mnemosyne.training.trl_frame.check", lambda *_: None)
    folder, settings = recipe_file.parent, Settings(home=tmp_path)

    def begin() -> object:
        if frame == "shared-prefix":
            return run.prepare(recipe, folder, settings)
        return trl_frame.train(recipe, folder, tmp_path / "run", settings)

    with pytest.raises(MnemosyneError, match=said) as caught:
        begin()
    assert hint in caught.value.hint
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "CREATE TABLE t (a INTEGER);\n-- Pr\u00fcfung\n".encode("latin-1"),
            r"odd\.sql, line 2: byte 0xfc is not UTF-8",
        ),
        (b"CREATE TABLE (a INTEGER);", r"schemas/odd\.sql: Line 1: "),
    ],
)
def test_a_schema_that_cannot_be_read_is_named_by_its_file(small: Any, content: bytes, said: str) -> None:
    from mnemosyne.datasets import Example
    from mnemosyne.errors import MnemosyneError
    from mnemosyne.training.data import Schemas

    (small.folder / "schemas" / "odd.sql").write_bytes(content)
    with pytest.raises(MnemosyneError, match=said) as caught:
        Schemas(small.folder / "odd.jsonl").ddl(Example("1", "Q?", "SELECT 1", "odd"))
    assert caught.value.hint


def test_a_schema_in_a_row_that_cannot_be_read_is_named_by_the_row(tmp_path: Path) -> None:
    from mnemosyne.datasets import Example
    from mnemosyne.errors import SchemaError
    from mnemosyne.training.data import Schemas

    with pytest.raises(SchemaError, match=r"odd\.jsonl, schema of row-7: Line 1: "):
        Schemas(tmp_path / "odd.jsonl").ddl(Example("row-7", "Q?", "SELECT 1", "CREATE TABLE (a INTEGER);"))
