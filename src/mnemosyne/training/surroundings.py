"""The process that trains: threads, and no noise from libraries."""

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


def give_back_memory() -> None:
    """Return freed pages to the system: passes of many lengths leave holes that glibc would keep."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
