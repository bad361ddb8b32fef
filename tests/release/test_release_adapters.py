"""An adapter is read from a run, a PEFT folder or a GGUF file; what is broken is said before anything is made."""

import json
from pathlib import Path

import gguf
import pytest
import tiny_qwen as tiny
import torch
from safetensors.torch import load_file, save_file
from tiny_qwen import ALPHA, RANK, Tiny

from mnemosyne.engines import Sampling
from mnemosyne.engines.llamacpp import LlamaCppEngine
from mnemosyne.errors import ReleaseError, UnknownModel
from mnemosyne.prompt import build
from mnemosyne.release import adapters, shipping
from mnemosyne.settings import Settings
from mnemosyne.training import adapter_gguf
from mnemosyne.weights import catalogue, resolve

PROMPT = build("CREATE TABLE samples (sample_id INTEGER);", "How many samples are overdue?")


def test_a_run_gives_its_best_adapter_and_its_record(small: Tiny) -> None:
    adapter = small.adapter
    assert (adapter.name, adapter.rank, adapter.alpha, adapter.step) == ("tiny-lab", RANK, ALPHA, 40)
    assert adapter.base_sha256 == small.base.sha256
    assert adapter.run["questions"] == 9814
    assert adapter.parameters == sum(RANK * (a + b) for a, b in tiny.shapes(small.base.config).values()) * tiny.LAYERS


def test_a_run_that_is_not_finished_gives_its_newest_whole_checkpoint(small: Tiny, tmp_path: Path) -> None:
    from mnemosyne.training import checkpoint

    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text((small.run / "run.json").read_text())
    with pytest.raises(ReleaseError, match="no adapter yet"):
        adapters.read(str(run), small.settings)
    older = {name: tensor * 2 for name, tensor in small.adapter.tensors.items()}
    checkpoint.save(run / "checkpoints", 20, older, {}, {})
    damaged = checkpoint.save(run / "checkpoints", 30, small.adapter.tensors, {}, {})
    (damaged / "adapter.safetensors").write_bytes(b"torn")
    adapter = adapters.read(str(run), small.settings)
    assert (adapter.name, adapter.step, adapter.rank, adapter.base) == ("tiny-lab", 20, RANK, small.base.name)
    assert all(torch.equal(adapter.tensors[name], tensor) for name, tensor in older.items())


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("adapter_config.json", '{"r": 8', "is damaged"),
        ("adapter_config.json", '{"lora_alpha": 8}', "does not say r and lora_alpha"),
        ("adapter_model.safetensors", "torn", "is damaged"),
        ("run.json", '{"recipe"', "is damaged"),
        ("run.json", '{"bench": {}}', "does not say recipe and base"),
    ],
)
def test_a_damaged_folder_is_said_to_be_damaged(small: Tiny, tmp_path: Path, file: str, text: str, why: str) -> None:
    """The last one is the folder of an evaluation, which keeps a run.json of its own."""
    folder = tiny.write_adapter(tmp_path / "adapter", small.adapter.tensors, RANK, ALPHA, small.base.name)
    (folder / file).write_text(text)
    with pytest.raises(ReleaseError, match=f"{file} {why}"):
        adapters.read(str(folder), small.settings)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("use_rslora", True), ("use_dora", True), ("alpha_pattern", {"q_proj": 8}), ("modules_to_save", ["lm_head"])],
)
def test_an_adapter_that_is_more_than_plain_lora_is_refused(
    small: Tiny, tmp_path: Path, kind: str, value: object
) -> None:
    """With rank-stabilised scaling the same matrices weigh 5.7 times as much at rank 32; no gate could see it later."""
    folder = tiny.write_adapter(tmp_path / "adapter", small.adapter.tensors, RANK, ALPHA, small.base.name)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {kind: value}))
    with pytest.raises(ReleaseError, match=f"made with PEFT's {kind}"):
        adapters.read(str(folder), small.settings)


@pytest.mark.parametrize(("precision", "error"), [("f16", 2e-3), ("q8_0", 2e-2)])
def test_an_adapter_survives_the_way_through_gguf(small: Tiny, tmp_path: Path, precision: str, error: float) -> None:
    file = tmp_path / "a.gguf"
    adapter_gguf.write_gguf(
        file, small.adapter.tensors, alpha=ALPHA, name="a", base_name="b", base_sha256="c", precision=precision
    )
    back = adapters.read(str(file), small.settings)
    assert (back.rank, back.alpha, back.base, back.base_sha256) == (RANK, ALPHA, "b", "c")
    assert back.tensors.keys() == small.adapter.tensors.keys()
    for name, tensor in small.adapter.tensors.items():
        assert (back.tensors[name] - tensor).abs().max() <= error * tensor.abs().max()


def test_llamacpp_reads_q8_0_adapters(small: Tiny, tmp_path: Path) -> None:
    """Every matrix is Q8_0 on disk, the answer is that of the f16 file, and not that of the bare base."""
    said = {}
    for precision in ("f16", "q8_0"):
        file = tmp_path / f"{precision}.gguf"
        adapter_gguf.write_gguf(file, small.adapter.tensors, alpha=ALPHA, name="a", precision=precision)
        said[precision] = answer(f"{small.base.gguf}+{file}", small)
    kinds = {tensor.tensor_type for tensor in gguf.GGUFReader(tmp_path / "q8_0.gguf").tensors}
    assert kinds == {gguf.GGMLQuantizationType.Q8_0}
    assert (tmp_path / "q8_0.gguf").stat().st_size < 0.6 * (tmp_path / "f16.gguf").stat().st_size
    assert said["q8_0"][:8] == said["f16"][:8] != answer(str(small.base.gguf), small)[:8]


def answer(name: str, small: Tiny) -> str:
    engine = LlamaCppEngine(resolve(name, small.settings), small.settings)
    try:
        return engine.complete(PROMPT, Sampling(max_tokens=12))[0].text
    finally:
        engine.close()


def test_a_shipped_adapter_is_in_the_catalogue_and_can_be_used_by_its_name(small: Tiny, tmp_path: Path) -> None:
    from mnemosyne.weights import catalogue

    known = {"tiny-base": entry_of(small)}
    (tmp_path / "catalogue.json").write_text(json.dumps(known))
    adapter = replaced(small.adapter, base="tiny-base")
    made = shipping.ship(adapter, "tiny-lab", tmp_path, about="For tests")
    written = json.loads((tmp_path / "catalogue.json").read_text())
    assert written == known | made
    entry = made["tiny-lab"]
    file = tmp_path / entry["local"]
    assert entry["bytes"] == file.stat().st_size
    first = file.read_bytes()
    assert shipping.ship(adapter, "tiny-lab", tmp_path, about="For tests") == made
    assert file.read_bytes() == first, "the same adapter is the same bytes"
    parsed = __import__("mnemosyne.weights.catalogue", fromlist=["parse"]).parse(written)
    assert parsed["tiny-lab"].kind == "adapter"
    assert parsed["tiny-lab"].base == "tiny-base"
    assert catalogue()  # the real one is untouched


def entry_of(small: Tiny) -> dict:
    return {
        "kind": "model", "about": "", "file": "tiny.gguf", "bytes": small.base.gguf.stat().st_size,
        "sha256": small.base.sha256, "licence": "", "context": 2048,
    }  # fmt: skip


def replaced(adapter: adapters.Adapter, **changes: object) -> adapters.Adapter:
    from dataclasses import replace

    return replace(adapter, **changes)


def test_an_adapter_that_is_too_large_or_of_another_base_is_not_shipped(
    small: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "catalogue.json").write_text(json.dumps({"tiny-base": entry_of(small)}))
    adapter = replaced(small.adapter, base="tiny-base")
    with pytest.raises(ReleaseError, match="not in"):
        shipping.ship(replaced(adapter, base="other"), "x", tmp_path, about="")
    with pytest.raises(ReleaseError, match="another file"):
        shipping.ship(replaced(adapter, base_sha256="0" * 64), "x", tmp_path, about="")
    with pytest.raises(ReleaseError, match="is a whole model of the catalogue"):
        shipping.ship(adapter, "tiny-base", tmp_path, about="")
    with pytest.raises(ReleaseError, match="cannot be the name"):
        shipping.ship(adapter, "lab/x", tmp_path, about="")
    monkeypatch.setattr(shipping, "ADAPTER_BYTES", 100_000)
    with pytest.raises(ReleaseError, match="MB at most"):
        shipping.ship(adapter, "x", tmp_path, about="")
    assert not (tmp_path / "adapters").exists()
    assert json.loads((tmp_path / "catalogue.json").read_text()).keys() == {"tiny-base"}


def test_the_size_of_an_adapter_is_known_before_it_is_written(small: Tiny, tmp_path: Path) -> None:
    for precision in ("f16", "q8_0"):
        file = tmp_path / precision
        adapter_gguf.write_gguf(file, small.adapter.tensors, alpha=1, name="a", precision=precision)
        assert 0 <= file.stat().st_size - shipping._bytes(small.adapter, precision) < 10_000


def test_broken_adapters_are_named(small: Tiny, tmp_path: Path) -> None:
    for name in ("no-such-adapter", "~no-such-user/adapter.gguf"):
        with pytest.raises(UnknownModel):
            adapters.read(name, small.settings)
    with pytest.raises(ReleaseError, match="whole model"):
        adapters.read("qwen2.5-coder-0.5b-instruct", small.settings)
    with pytest.raises(ReleaseError, match="a model, not an adapter"):
        adapters.read(str(small.base.gguf), small.settings)
    with pytest.raises(ReleaseError, match="neither a run folder nor an adapter"):
        adapters.read(str(tmp_path), small.settings)
    (tmp_path / "text.gguf").write_text("not a file of weights at all")
    with pytest.raises(ReleaseError, match="not a GGUF file"):
        adapters.read(str(tmp_path / "text.gguf"), small.settings)
    tensors = load_file(small.run / "best" / "adapter_model.safetensors")
    name = next(iter(tensors))
    for change, words in ((torch.full_like(tensors[name], torch.nan), "not finite"), (None, "not a whole adapter")):
        folder = tmp_path / words.replace(" ", "-")
        changed = dict(tensors)
        if change is None:
            del changed[name]
        else:
            changed[name] = change
        tiny.write_adapter(folder, tensors, RANK, ALPHA, "base")
        save_file(changed, folder / "adapter_model.safetensors")
        with pytest.raises(ReleaseError, match=words):
            adapters.read(str(folder), small.settings)


def test_a_run_has_one_record(small: Tiny) -> None:
    with pytest.raises(ReleaseError, match="came with its run record already"):
        adapters.read(str(small.run), small.settings, small.run / "run.json")


def test_the_record_of_a_run_on_another_base_is_refused(small: Tiny, tmp_path: Path) -> None:
    file, record = tmp_path / "run.json", json.loads((small.run / "run.json").read_text())
    gguf = tmp_path / "adapter.gguf"
    tensors = small.adapter.tensors
    adapter_gguf.write_gguf(gguf, tensors, alpha=small.adapter.alpha, name="tiny", base_name="tiny",
                            base_sha256=small.base.sha256)  # fmt: skip
    record["base"]["sha256"] = "0" * 64
    file.write_text(json.dumps(record))
    with pytest.raises(ReleaseError, match="record of another run: its sha256 of the base"):
        adapters.read(str(gguf), small.settings, file)


@pytest.mark.parametrize("name", [entry.name for entry in catalogue().values() if entry.kind == "adapter"])
def test_every_shipped_adapter_agrees_with_its_published_record(name: str) -> None:
    file = Path(__file__).parent.parent.parent / "docs" / "runs" / f"{name}.json"
    adapter = adapters.read(name, Settings(), file)
    assert adapter.run["recipe"]["name"] == name
    assert adapter.base == adapter.run["base"]["name"]
