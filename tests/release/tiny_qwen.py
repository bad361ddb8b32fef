"""A Qwen2 of a million parameters: random weights, a real tokenizer, a real GGUF file. Quick to merge and to run."""

from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch

from mnemosyne.release.adapters import Adapter
from mnemosyne.settings import Settings
from mnemosyne.training import adapter_gguf
from mnemosyne.training.base import Base

WIDTH, INNER, LAYERS, HEADS, KV_HEADS = 256, 512, 2, 4, 2
RANK, ALPHA = 32, 64.0
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEXT = (
    "### Schema:\nCREATE TABLE samples (sample_id INTEGER PRIMARY KEY, client_id INTEGER, status TEXT);\n"
    "### Question:\nHow many samples are overdue?\nSELECT COUNT(*) FROM samples WHERE status = 'Received'\n"
    "You are Mnemosyne, an expert SQL assistant specialising in laboratory databases. system user assistant\n"
)


@dataclass(frozen=True)
class Tiny:
    """Everything about the tiny model."""

    settings: Settings
    base: Base
    run: Path
    adapter: Adapter


def write_gguf(file: Path, seed: int = 0) -> Path:
    """The model as F16 GGUF."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trained.train_from_iterator(
        [TEXT] * 4, trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
    )
    import json

    model = json.loads(trained.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in model["merges"]]
    first = len(tokens)
    tokens += SPECIAL
    writer = gguf.GGUFWriter(file, "qwen2")
    writer.add_type("model")
    writer.add_name("tiny")
    writer.add_block_count(LAYERS)
    writer.add_context_length(2048)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * first + [gguf.TokenType.CONTROL] * len(SPECIAL))
    writer.add_token_merges(merges)
    writer.add_eos_token_id(first + 2)
    writer.add_pad_token_id(first)
    writer.add_bos_token_id(first)
    writer.add_add_bos_token(False)
    random = np.random.default_rng(seed)

    def matrix(*shape: int, scale: float) -> np.ndarray:
        return (random.standard_normal(shape) * scale).astype(np.float16)

    narrow = WIDTH // HEADS * KV_HEADS
    writer.add_tensor("token_embd.weight", matrix(len(tokens), WIDTH, scale=1.0))
    writer.add_tensor("output.weight", matrix(len(tokens), WIDTH, scale=0.3))
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, dtype=np.float32))
    for layer in range(LAYERS):
        for name, rows, columns in (
            ("attn_q", WIDTH, WIDTH),
            ("attn_k", narrow, WIDTH),
            ("attn_v", narrow, WIDTH),
            ("attn_output", WIDTH, WIDTH),
            ("ffn_gate", INNER, WIDTH),
            ("ffn_up", INNER, WIDTH),
            ("ffn_down", WIDTH, INNER),
        ):
            writer.add_tensor(f"blk.{layer}.{name}.weight", matrix(rows, columns, scale=1.5 / columns**0.5))
            if name in ("attn_q", "attn_k", "attn_v"):
                writer.add_tensor(f"blk.{layer}.{name}.bias", matrix(rows, scale=0.1).astype(np.float32))
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(WIDTH, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def shapes(config: dict) -> dict[str, tuple[int, int]]:
    """Adapted matrix of a layer to (out, in), of a transformers config."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    narrow = width // config["num_attention_heads"] * config["num_key_value_heads"]
    return {
        "self_attn.q_proj": (width, width),
        "self_attn.k_proj": (narrow, width),
        "self_attn.v_proj": (narrow, width),
        "self_attn.o_proj": (width, width),
        "mlp.gate_proj": (inner, width),
        "mlp.up_proj": (inner, width),
        "mlp.down_proj": (width, inner),
    }


def random_adapter(config: dict, rank: int, *, strength: float = 0.5, seed: int = 1) -> dict[str, torch.Tensor]:
    """An adapter that changes what the model says, under PEFT's names."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for layer in range(config["num_hidden_layers"]):
        for name, (rows, columns) in shapes(config).items():
            stem = f"base_model.model.model.layers.{layer}.{name}"
            first = torch.randn(rank, columns, generator=generator) / columns**0.5
            second = torch.randn(rows, rank, generator=generator) * strength / rank
            tensors |= {f"{stem}.lora_A.weight": first, f"{stem}.lora_B.weight": second}
    return tensors


def write_adapter(folder: Path, tensors: dict[str, torch.Tensor], rank: int, alpha: float, base: str) -> Path:
    """As a run writes it."""
    adapter_gguf.write_peft(folder, tensors, rank=rank, alpha=alpha, base_name=base)
    return folder
