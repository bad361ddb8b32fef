"""K-quants: llama.cpp's own block quantiser, and its choice of a type for each matrix of Q4_K_M.

`ggml_quantize_chunk` is exported by the library that also runs the model, so nothing is compiled. The choice of
types follows `llama_tensor_get_type` of llama.cpp for a dense model without an importance matrix; a test compares
it with an official file, matrix by matrix.
"""

from __future__ import annotations

import ctypes
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mnemosyne.errors import ReleaseError

_FALLBACK = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
"""What llama.cpp takes instead where a row does not fill blocks of 256."""


def q4_k_m(name: str, shape: tuple[int, ...], layers: int, *, tied: bool) -> str:
    """The type of GGUF tensor `name` in a Q4_K_M file, such as `Q6_K`. `tied`: there is no output matrix."""
    if len(shape) == 1:
        return "F32"
    kind = "Q4_K"
    layer = re.match(r"blk\.(\d+)\.(attn_v|ffn_down)\.", name)
    if name == ("token_embd.weight" if tied else "output.weight") or (layer and more_bits(int(layer[1]), layers)):
        kind = "Q6_K"
    if shape[-1] % 256:
        kind = _FALLBACK[kind]
    return kind if shape[-1] % 32 == 0 else "F16"


def more_bits(layer: int, layers: int) -> bool:
    """llama.cpp's `use_more_bits`: the first and last eighth of the layers, and every third between."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def quantise(values: Any, kind: Any) -> Any:
    """A float32 numpy matrix as the bytes (rows, bytes of a row) of `kind`, a `gguf.GGMLQuantizationType`."""
    import gguf
    import numpy as np

    block, size = gguf.GGML_QUANT_SIZES[kind]
    rows, columns = values.shape
    source = np.ascontiguousarray(values, dtype=np.float32)
    packed = np.empty((rows, columns // block * size), dtype=np.uint8)
    convert = _library().ggml_quantize_chunk

    def part(first: int, count: int) -> int:
        return int(
            convert(
                int(kind),
                source.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
                packed.ctypes.data_as(ctypes.c_void_p),
                first * columns,
                count,
                columns,
                None,
            )
        )

    workers = min(os.cpu_count() or 1, 8)
    step = -(-rows // (workers * 4)) or 1
    with ThreadPoolExecutor(workers) as pool:  # the call leaves the interpreter's lock
        written = sum(pool.map(lambda first: part(first, min(step, rows - first)), range(0, rows, step)))
    if written != packed.nbytes:
        raise ReleaseError(f"llama.cpp wrote {written:,} bytes of {kind.name} where {packed.nbytes:,} belong.")
    return packed


def _library() -> Any:
    """llama.cpp as a C library. Raises MissingExtra, ReleaseError."""
    from mnemosyne.engines.llama_server import library

    loaded = ctypes.CDLL(library().xllamacpp.__file__)
    try:
        convert = loaded.ggml_quantize_chunk
    except AttributeError as error:
        raise ReleaseError(
            "This build of llama.cpp does not export its quantiser.", hint="pip install --upgrade xllamacpp"
        ) from error
    convert.restype = ctypes.c_size_t
    convert.argtypes = [
        ctypes.c_int,
        ctypes.POINTER(ctypes.c_float),
        ctypes.c_void_p,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_void_p,
    ]
    return loaded
