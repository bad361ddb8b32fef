"""An adapter that comes with the code: one small GGUF file and its entry in the catalogue."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

from mnemosyne.errors import ReleaseError
from mnemosyne.release.adapters import Adapter
from mnemosyne.release.hub import check_sums
from mnemosyne.release.making import ADAPTER_BYTES, need_plain, sha256
from mnemosyne.training import adapter_gguf


def ship(
    adapter: Adapter,
    name: str,
    data: Path,
    *,
    about: str,
    licence: str = "Apache-2.0",
    precision: Literal["f16", "q8_0"] = "q8_0",
    made: Path | None = None,
) -> dict[str, Any]:
    """Write `data`/adapters/NAME-PRECISION.gguf, put it into `data`/catalogue.json, and give the entry by its name.

    `made` is the adapter's file of a finished release, which is copied as it is; only such a file is known to fit its
    base, by whose matrices a release is checked. Both files appear whole. Raises ReleaseError when the file is larger
    than `ADAPTER_BYTES`, or when the adapter names another base file.
    """
    catalogue = data / "catalogue.json"
    entries: dict[str, Any] = json.loads(catalogue.read_text(encoding="utf-8"))
    if entries.get(adapter.base, {}).get("kind") != "model":
        raise ReleaseError(
            f"The adapter's base {adapter.base!r} is not in {catalogue}.", hint="Ship adapters of catalogued models."
        )
    need_plain(name)
    if entries.get(name, {}).get("kind") == "model":
        raise ReleaseError(f"{name} is a whole model of the catalogue.", hint="Give the adapter a name of its own.")
    if adapter.base_sha256 not in ("", entries[adapter.base]["sha256"]):
        raise ReleaseError(f"The adapter was trained on another file than the catalogued {adapter.base}.")
    file = data / "adapters" / f"{name}-{precision}.gguf"
    if (size := _bytes(adapter, precision)) > ADAPTER_BYTES:
        raise ReleaseError(
            f"{file.name} would be {size / 1e6:.1f} MB; a shipped adapter has {ADAPTER_BYTES / 1e6:.0f} MB at most.",
            hint="Use q8_0, a lower rank, or fewer targets.",
        )
    if made is not None:
        copied = file.with_name(f".{file.name}.partial")
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made, copied)
        copied.replace(file)
    else:
        adapter_gguf.write_gguf(
            file,
            adapter.tensors,
            alpha=adapter.alpha,
            name=name,
            base_name=adapter.base,
            base_sha256=entries[adapter.base]["sha256"],
            precision=precision,
        )
    entry = {
        "kind": "adapter",
        "about": about,
        "file": file.name,
        "bytes": file.stat().st_size,
        "sha256": sha256(file),
        "licence": licence,
        "context": 0,
        "base": adapter.base,
        "local": f"adapters/{file.name}",
    }
    partial = catalogue.with_name(f".{catalogue.name}.partial")
    partial.write_text(json.dumps(entries | {name: entry}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(catalogue)
    return {name: entry}


def passed(folder: Path, precision: str, *, measured: bool = True) -> tuple[Path, dict[str, Any]]:
    """The adapter's file of a finished release, as its gates saw it, and the release's record.

    Raises ReleaseError for a changed folder, a release without that file, and where it must be `measured` and was not.
    """
    check_sums(folder)
    record: dict[str, Any] = json.loads((folder / "release.json").read_text(encoding="utf-8"))
    form = f"adapter-{precision}"
    if form not in record["files"]:
        raise ReleaseError(f"{folder} holds no {form}.", hint=f"Release again with {form} among --formats.")
    if measured and not any(one["form"] == form for one in record["measured"]):
        raise ReleaseError(
            f"{form} of {folder} was not measured.", hint="Release again with --measure lab-dev, or say --unmeasured."
        )
    return folder / str(record["files"][form]["file"]), record


def _bytes(adapter: Adapter, precision: str) -> int:
    """Size of the matrices in the file; the header adds a few kilobytes."""
    bits = {"f16": 16.0, "q8_0": 8.5}[precision]
    total = 0.0
    for tensor in adapter.tensors.values():
        total += tensor.numel() * (bits if tensor.shape[1] % 32 == 0 else 16.0) / 8
    return int(total)
