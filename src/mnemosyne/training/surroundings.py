"""The process that trains: threads, memory, and no noise from libraries."""

from __future__ import annotations

import ctypes
import os
import sys


def prepare_process(threads: int, *, offline: bool = False) -> None:
    """Set torch's threads (0: all cores) and silence progress bars of libraries. Call before anything heavy.

    With `offline` the libraries never ask the model hub; files that are here are read as such in any case.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a thread that spins takes the core from one that works
    import torch
    from transformers.utils import logging

    torch.set_num_threads(threads or os.cpu_count() or 1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def hold_memory() -> None:
    """Keep freed buffers for the next operation: else glibc gives large ones back, and takes them anew page by page.

    For the rest of the process; `give_back_memory` still returns what is free when it is called. Elsewhere than on glibc
    nothing happens.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is not None and hasattr(libc, "gnu_get_libc_version"):
        for option, value in _HOLD:
            libc.mallopt(option, value)


_HOLD = (
    (-4, 0),  # M_MMAP_MAX: large buffers come from the heap, which can be reused
    (-1, -1),  # M_TRIM_THRESHOLD: the end of the heap is never given back by itself
    (-2, 256 << 20),  # M_TOP_PAD: the heap grows by so many bytes at least
    (-8, 1),  # M_ARENA_MAX: one heap for all threads
)
"""Numbers and values of glibc's `mallopt`."""


def give_back_memory() -> None:
    """Return freed pages to the system: passes of many lengths leave holes that glibc would keep."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
