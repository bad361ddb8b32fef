"""Rows of a data set on the model hub, streamed: nothing but what is read is downloaded."""

from __future__ import annotations

import importlib
import itertools
import os
from collections.abc import Iterator
from typing import Any

from mnemosyne import settings
from mnemosyne.datasets.public import CAP, HUB, Row
from mnemosyne.errors import DatasetError, MissingExtra


def rows(name: str, *, revision: str = "main", limit: int = CAP) -> Iterator[Row]:
    """The first `limit` rows of a known set (`HUB`) or of `REPOSITORY:FILE` on the hub.

    The hub is the one that `HF_ENDPOINT` names.

    Raises:
        DatasetError: the hub does not answer, or has no such file, or must not be asked (`MNEMOSYNE_OFFLINE`).
        MissingExtra: the `train` extra is not installed.
    """
    repository, file = HUB.get(name) or _split(name)
    if forbidden():
        raise DatasetError(
            f"{repository}/{file} was not asked for: MNEMOSYNE_OFFLINE or HF_HUB_OFFLINE is set.",
            hint="Unset it, or download the file elsewhere and name its path.",
        )
    try:
        from datasets import load_dataset
        from huggingface_hub import hf_hub_url
    except ImportError:
        raise MissingExtra("train", "Streaming from the model hub") from None
    url = hf_hub_url(repository, file, repo_type="dataset", revision=revision)
    unreadable: tuple[type[Exception], ...] = (OSError, ValueError, *network_errors())
    kind = "parquet" if file.endswith(".parquet") else "json"
    try:
        stream: Any = load_dataset(kind, data_files=[url], split="train", streaming=True)
        for number, row in enumerate(itertools.islice(stream, limit), 1):
            yield f"{repository}/{file}, row {number}", row
    except unreadable as error:
        raise DatasetError(
            f"{repository}/{file} could not be read from the hub: {error}.",
            hint="Check the network and HF_ENDPOINT, or download the file and name its path.",
        ) from error


def forbidden() -> bool:
    """Whether the model hub must not be spoken to: MNEMOSYNE_OFFLINE or HF_HUB_OFFLINE is set. Raises SettingsError."""
    return settings.load().offline or os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")


def network_errors() -> tuple[type[Exception], ...]:
    """What the hub's library raises when nobody answers: its HTTP client's own errors, whichever client that is."""
    found: list[type[Exception]] = []
    for name in ("httpx", "httpx2"):
        try:
            found.append(importlib.import_module(name).HTTPError)
        except ImportError:
            continue
    return tuple(found)


def _split(name: str) -> tuple[str, str]:
    repository, _, file = name.partition(":")
    if not file or "/" not in repository:
        raise DatasetError(f"{name!r} is not a data set.", hint=f"Known: {', '.join(HUB)}; or OWNER/NAME:FILE.")
    return repository, file
