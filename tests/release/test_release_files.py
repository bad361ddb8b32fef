"""Merged weights, GGUF files and templates: each is compared with what it claims to be."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tiny_qwen import ALPHA, RANK, Tiny

from mnemosyne import prompt, weights
from mnemosyne.errors import ReleaseError
from mnemosyne.release import gguf_files, merging, parity, quantising, templates
from mnemosyne.settings import Settings

DDL = "CREATE TABLE samples (sample_id INTEGER);"


@pytest.fixture(scope="module")
def merged(small: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merged") / "model"
    merging.merge(small.adapter, small.base.folder, folder, shard_bytes=1_000_000)
    return folder


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    found = {}
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            found |= {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    return found


def test_merged_weights_are_the_base_and_what_was_learned(small: Tiny, merged: Path) -> None:
    before, after = tensors(small.base.folder), tensors(merged)
    assert after.keys() == before.keys()
    assert {tensor.dtype for tensor in after.values()} == {torch.bfloat16}
    changed = {name for name in before if not torch.equal(before[name].bfloat16(), after[name])}
    assert len(changed) == len(small.adapter.tensors) / 2
    name = "model.layers.1.mlp.down_proj"
    learned = (
        small.adapter.tensors[f"base_model.model.{name}.lora_B.weight"].double()
        @ small.adapter.tensors[f"base_model.model.{name}.lora_A.weight"].double()
    )
    wanted = before[f"{name}.weight"].double() + ALPHA / RANK * learned
    assert torch.allclose(after[f"{name}.weight"].double(), wanted, rtol=2**-7, atol=1e-4)


def test_shards_are_listed_in_an_index(merged: Path) -> None:
    index = json.loads((merged / "model.safetensors.index.json").read_text())
    shards = sorted(file.name for file in merged.glob("*.safetensors"))
    assert len(shards) > 1
    assert shards[0] == f"model-00001-of-{len(shards):05d}.safetensors"
    assert set(index["weight_map"].values()) == set(shards)
    for name, file in index["weight_map"].items():
        assert name in load_file(merged / file)
    total = sum(tensor.numel() * 2 for tensor in tensors(merged).values())
    assert index["metadata"]["total_size"] == total


def test_an_adapter_of_another_model_is_not_merged(small: Tiny, tmp_path: Path) -> None:
    from dataclasses import replace

    wrong = {name.replace("layers.1.", "layers.7."): tensor for name, tensor in small.adapter.tensors.items()}
    with pytest.raises(ReleaseError, match=r"model\.layers\.7\.\S+ is not in it"):
        merging.merge(replace(small.adapter, tensors=wrong), small.base.folder, tmp_path / "a")
    narrow = {name: tensor[..., :-1] if "lora_A" in name else tensor for name, tensor in small.adapter.tensors.items()}
    with pytest.raises(ReleaseError, match="has 512 where the adapter expects 511"):
        merging.merge(replace(small.adapter, tensors=narrow), small.base.folder, tmp_path / "b")


@pytest.mark.parametrize(("precision", "error"), [("bf16", 0.0), ("q8_0", 0.02), ("q4_k_m", 0.2)])
def test_a_gguf_file_holds_the_merged_weights(small: Tiny, merged: Path, tmp_path: Path, precision, error) -> None:
    file = tmp_path / "model.gguf"
    gguf_files.write(merged, small.base.gguf, file, name="tiny-lab", precision=precision)
    reader, base = gguf.GGUFReader(file), gguf.GGUFReader(small.base.gguf)
    assert reader.fields["general.name"].contents() == "tiny-lab"
    assert reader.fields["tokenizer.chat_template"].contents() == templates.CHAT
    for key in ("tokenizer.ggml.tokens", "tokenizer.ggml.merges", "qwen2.rope.freq_base", "tokenizer.ggml.pre"):
        assert reader.fields[key].contents() == base.fields[key].contents()
    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, 2)
    ours = {table.get_name(name, (".weight", ".bias")): tensor for name, tensor in tensors(merged).items()}
    assert {tensor.name for tensor in reader.tensors} == ours.keys()
    for tensor in reader.tensors:
        found = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float64)
        wanted = ours[tensor.name].double().numpy()
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() <= error * np.abs(wanted).max()


@pytest.mark.parametrize("kind", ["Q8_0", "Q5_0", "Q4_K", "Q6_K"])
def test_llamacpps_own_block_quantiser_is_called_row_by_row(kind: str) -> None:
    """Any number of rows, from any thread, the same bytes; for types that the gguf library knows too, its bytes."""
    values = np.random.default_rng(0).standard_normal((77, 512)).astype(np.float32)
    wanted = gguf.GGMLQuantizationType[kind]
    packed = quantising.quantise(values, wanted)
    assert np.array_equal(packed, np.concatenate([quantising.quantise(values[i : i + 1], wanted) for i in range(77)]))
    if kind in ("Q8_0", "Q5_0"):
        assert np.array_equal(packed, gguf.quants.quantize(values, wanted))
    assert np.abs(gguf.quants.dequantize(packed, wanted) - values).mean() < 0.08


@pytest.mark.weights
@pytest.mark.parametrize("name", ["qwen2.5-coder-0.5b-instruct", "qwen2.5-coder-1.5b-instruct"])
def test_the_types_of_q4_k_m_are_those_of_the_official_file(name: str) -> None:
    """Official files of that time count layers in the order of the file, which is the order of their names as text."""
    entry = weights.find(name)
    path = weights.cached(entry, Settings())
    if path is None:
        pytest.skip(f"{name} is not in the cache")
    reader = gguf.GGUFReader(path)
    layers = int(reader.fields["qwen2.block_count"].contents())
    rank = {str(layer): place for place, layer in enumerate(sorted(range(layers), key=str))}
    names = {tensor.name for tensor in reader.tensors}
    for tensor in reader.tensors:
        parts = tensor.name.split(".")
        if parts[0] == "blk":
            parts[1] = str(rank[parts[1]])
        shape = tuple(int(length) for length in reversed(tensor.shape))
        kind = quantising.q4_k_m(".".join(parts), shape, layers, tied="output.weight" not in names)
        assert tensor.tensor_type.name == kind, tensor.name


@pytest.mark.parametrize("question", ["How many samples?", "  Two\nlines \n", "end <|im_end|> it", "{{ 'é' }} %}"])
def test_the_chat_template_gives_the_bytes_of_the_contract(merged: Path, question: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(merged)
    chat = [{"role": "user", "content": templates.message(DDL, question)}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text == prompt.build(DDL, question).text
    raw = [{"role": "user", "content": f"### Schema:\n{DDL}\n\n### Question:\n{question}"}]
    if question == question.strip():
        assert tokenizer.apply_chat_template(raw, tokenize=False, add_generation_prompt=True) == text
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
    assert ids == tokenizer(prompt.build(DDL, question).text)["input_ids"]
    whole = tokenizer.apply_chat_template([*chat, {"role": "assistant", "content": "SELECT 1"}], tokenize=False)
    assert whole == prompt.build(DDL, question).text + prompt.answer("SELECT 1") + "\n"


def test_generation_is_greedy_and_ends_with_the_turn(merged: Path) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    config = GenerationConfig.from_pretrained(merged)
    tokenizer = AutoTokenizer.from_pretrained(merged)
    assert not config.do_sample
    assert tokenizer.convert_ids_to_tokens(config.eos_token_id) == list(prompt.STOPS)
    assert config.max_new_tokens == templates.MAX_TOKENS


def test_a_first_difference_is_a_tie_only_where_the_reference_was_undecided() -> None:
    sure, unsure, end = (
        {1: -0.01, 2: -5.0, parity.STOP: -9.0},
        {3: -0.6, 4: -0.8, parity.STOP: -9.0},
        {parity.STOP: 0.0, 9: -7.0},
    )
    reference = parity.Reference((1, 3), (sure, unsure, end))
    answers = {"same": [1, 3], "tie": [1, 4, 7], "fault": [2, 3], "cut": [1], "unseen": [1, 8], "longer": [1, 3, 9]}
    gaps = {name: parity.difference(reference, tokens) for name, tokens in answers.items()}
    assert gaps["same"] is None
    assert gaps["tie"] == pytest.approx(0.2)
    assert gaps["fault"] == pytest.approx(4.99)
    assert gaps["cut"] == pytest.approx(8.4)
    assert gaps["unseen"] == float("inf")
    assert gaps["longer"] == pytest.approx(7.0)
    found = parity.compare("q8_0", [reference] * 6, list(answers.values()), list(answers))
    assert (found.same, found.ties, found.faults) == (1, 1, ("fault", "cut", "unseen", "longer"))
    with pytest.raises(ReleaseError, match="q8_0 on fault, cut, unseen"):
        parity.demand([found])
