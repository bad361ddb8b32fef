"""A real GGUF of 100,000 random weights with a byte vocabulary, and adapters for it: llama.cpp runs it in milliseconds.

It writes nonsense, always the same for the same prompt. That is enough to see slots, states and adapters work.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

WIDTH, INNER, LAYERS, HEADS, KEY_HEADS = 64, 128, 2, 4, 2
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_letters() -> list[str]:
    """The 256 letters that stand for bytes in GPT-2's vocabulary."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


def write_model(path: Path, seed: int = 0, context: int = 2048) -> Path:
    """A qwen2 model."""
    random = np.random.default_rng(seed)
    tokens = [*byte_letters(), "SE", *SPECIAL]
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_type("model")
    writer.add_name("tiny")
    writer.add_block_count(LAYERS)
    writer.add_context_length(context)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * 257 + [gguf.TokenType.CONTROL] * len(SPECIAL))
    writer.add_token_merges(["S E"])
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_add_bos_token(False)

    def add(name: str, *shape: int, scale: float = 0.3) -> None:
        writer.add_tensor(name, (random.standard_normal(shape) * scale).astype(np.float32))

    add("token_embd.weight", len(tokens), WIDTH, scale=1.0)
    printable = (np.arange(len(tokens)) > 31) & (np.arange(len(tokens)) < 127)  # half a letter has no text yet
    output = random.standard_normal((len(tokens), WIDTH)) * 0.3 * printable[:, None]
    writer.add_tensor("output.weight", output.astype(np.float32))
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    key_width = WIDTH // HEADS * KEY_HEADS
    for layer in range(LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{norm}.weight", np.ones(WIDTH, np.float32))
        for name, out in (("attn_q", WIDTH), ("attn_k", key_width), ("attn_v", key_width)):
            add(f"blk.{layer}.{name}.weight", out, WIDTH)
            add(f"blk.{layer}.{name}.bias", out)
        add(f"blk.{layer}.attn_output.weight", WIDTH, WIDTH)
        add(f"blk.{layer}.ffn_gate.weight", INNER, WIDTH)
        add(f"blk.{layer}.ffn_up.weight", INNER, WIDTH)
        add(f"blk.{layer}.ffn_down.weight", WIDTH, INNER)
    return _finish(writer, path)


def write_adapter(path: Path, seed: int = 1, rank: int = 4, base_sha256: str = "", strength: float = 0.5) -> Path:
    """A LoRA on the queries and the outputs of attention."""
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(rank))
    if base_sha256:
        writer.add_string("mnemosyne.base_sha256", base_sha256)
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_output"):
            for side, shape in (("a", (rank, WIDTH)), ("b", (WIDTH, rank))):
                values = (random.standard_normal(shape) * strength).astype(np.float32)
                writer.add_tensor(f"blk.{layer}.{name}.weight.lora_{side}", values)
    return _finish(writer, path)


def _finish(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
