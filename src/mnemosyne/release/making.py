"""A release folder, made whole: files, checks, card, checksums, then one rename.

OUT/NAME-adapter-q8_0.gguf …   the GGUF files that were asked for
OUT/model*.safetensors …       merged weights with config, tokenizer, chat template, generation config
OUT/adapter/                   the adapter for PEFT
OUT/Modelfile                  for Ollama
OUT/README.md                  the model card
OUT/release.json               what was made of what, and every check with its figures
OUT/SHA256SUMS                 of all of these
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnemosyne import __version__, locks
from mnemosyne.errors import ReleaseError, UnknownModel
from mnemosyne.release import card, gates, gguf_files, merging, ollama, parity
from mnemosyne.release.adapters import Adapter
from mnemosyne.settings import Settings
from mnemosyne.training import adapter_gguf
from mnemosyne.weights import Model

if TYPE_CHECKING:
    from mnemosyne.training.base import Base

FORMATS = ("adapter-q8_0", "adapter-f16", "safetensors", "bf16", "q8_0", "q4_k_m")
"""What can be made, the smallest first."""

ADAPTER_BYTES = 80_000_000
"""An adapter that is committed is at most this large."""

Tell = Callable[[str], None]
"""Told what happens now."""

Measure = Callable[[Mapping[str, str]], Sequence[gates.Evaluation]]
"""Form to what `--model` calls it, to the finished evaluations of these files."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be released."""

    name: str
    """Name of the model; its files begin with it."""
    formats: tuple[str, ...] = FORMATS
    """Of `FORMATS`."""
    probes: int = 8
    """Questions of the parity check, 0 for none."""
    measure: Measure | None = None
    """Gives the evaluations of the files; None: the release says that its files were not measured."""
    evaluations: tuple[gates.Evaluation, ...] = ()
    """Further finished evaluations for the model card, such as Spider's."""
    licence: str = "Apache-2.0"
    """SPDX name."""


@dataclass(slots=True)
class Making:
    """One release under construction."""

    adapter: Adapter
    """What was learned."""
    base: Model
    """The quantised base that it goes onto."""
    dense: Path
    """The base's dense weights."""
    order: Order
    """What is wanted."""
    folder: Path
    """Where the files are while they are made."""
    files: dict[str, Path] = field(default_factory=dict)
    """Form to its GGUF file."""

    def path(self, form: str) -> Path:
        """Where the GGUF file of `form` belongs."""
        return self.folder / f"{self.order.name}-{form}.gguf"

    def model(self, form: str) -> str:
        """What `--model` calls the file of `form`."""
        file = self.files[form]
        return f"{self.base.base}+{file}" if form.startswith("adapter") else str(file)


def make(adapter: Adapter, order: Order, out: Path, settings: Settings, tell: Tell) -> dict[str, Any]:
    """Make the release and give the content of its release.json. `out` must not exist.

    Raises ReleaseError (a file fails its check: nothing is left), WeightsError.
    """
    unknown = [form for form in order.formats if form not in FORMATS]
    if unknown or not order.formats:
        raise ReleaseError(f"No format is called {', '.join(unknown)!r}.", hint="Formats: " + ", ".join(FORMATS))
    need_plain(order.name)
    if order.measure is not None:
        gates.reference_of(order.formats)
    there = ReleaseError(f"{out} exists already.", hint="A release is made whole: name a new folder.")
    if out.exists():
        raise there
    if not adapter.base:
        raise ReleaseError("This adapter does not say what its base is.", hint="Name it: --base NAME.")
    card.check(adapter.run)
    prepared = _prepared(adapter.base, settings)
    if adapter.base_sha256 not in ("", prepared.sha256):
        raise ReleaseError(f"{adapter.base} is not the file that this adapter was trained on (its sha256 differs).")
    merging.check_fit(adapter, merging.locate(prepared.folder))
    from mnemosyne.weights import resolve

    staging = out.parent / f".{out.name}.making"
    busy = ReleaseError(f"Another release into {out} is at work.", hint="Wait until it ends, or name another folder.")
    lock = out.parent / f".{out.name}.lock"
    with locks.alone(lock, busy):
        if out.exists():  # made by another process while this one prepared the base
            raise there
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        try:
            making = Making(adapter, resolve(adapter.base, settings), prepared.folder, order, staging)
            record = _make(making, settings, tell)
            os.rename(staging, out)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            with contextlib.suppress(OSError):
                lock.unlink()
    return record


def _prepared(base: str, settings: Settings) -> Base:
    """The base's dense weights. Raises ReleaseError for one that is no file here, TrainingError, WeightsError."""
    from mnemosyne.training import base as bases

    try:
        return bases.prepare(base, settings)
    except UnknownModel as error:
        raise ReleaseError(
            f"The base {base!r} is neither in the catalogue nor a GGUF file here: {error}",
            hint="A release goes onto a GGUF file: --base FILE.gguf, or a name of `mnemosyne models`.",
        ) from error


def need_plain(name: str) -> None:
    """Raise ReleaseError for a name that cannot begin a file's."""
    if not name or name.startswith(".") or any(sign in "/\\" or not sign.isprintable() for sign in name):
        raise ReleaseError(
            f"{name!r} cannot be the name of a model: its files begin with it.",
            hint="Give it a --name without slashes and leading dots; where it goes is said by --upload OWNER/NAME.",
        )


def _make(making: Making, settings: Settings, tell: Tell) -> dict[str, Any]:
    order, folder = making.order, making.folder
    _write_adapter(making, tell)
    merged = _write_merged(making, tell)
    sums = {form: sha256(file) for form, file in making.files.items()}
    agreements = _parity(making, merged, settings, tell) if order.probes else []
    parity.demand([one for one in agreements if one.form not in ("q8_0", "q4_k_m")])
    evaluations: list[gates.Evaluation] = []
    measured: list[gates.Measured] = []
    if order.measure is not None:
        evaluations = list(order.measure({form: making.model(form) for form in making.files}))
        measured = gates.measured(sums, evaluations)
        gates.demand(measured)
    record = {
        "name": order.name,
        "version": __version__,
        "licence": order.licence,
        "base": {"name": making.base.base, "sha256": making.base.sha256, "sealed": bool(making.adapter.base_sha256)},
        "adapter": {
            "rank": making.adapter.rank,
            "alpha": making.adapter.alpha,
            "parameters": making.adapter.parameters,
            "step": making.adapter.step,
        },
        "files": {
            form: {"file": file.name, "bytes": file.stat().st_size, "sha256": sums[form]}
            for form, file in making.files.items()
        },
        "parity": [asdict(one) for one in agreements],
        "measured": [asdict(one) for one in measured],
    }
    if not merged.is_relative_to(folder) or "safetensors" not in order.formats:
        shutil.rmtree(merged, ignore_errors=True)
    else:
        for file in merged.iterdir():
            os.rename(file, folder / file.name)
        merged.rmdir()
    _write_modelfile(making)
    further = [one for one in order.evaluations if one not in evaluations]
    text = card.card(record, making.adapter.run, [*evaluations, *further])
    (folder / "README.md").write_text(text, encoding="utf-8")
    (folder / "release.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    write_sums(folder)
    return record


def _write_adapter(making: Making, tell: Tell) -> None:
    adapter = making.adapter
    tell("adapter")
    adapter_gguf.write_peft(
        making.folder / "adapter", adapter.tensors, rank=adapter.rank, alpha=adapter.alpha, base_name=adapter.base
    )
    for form, precision in (("adapter-f16", "f16"), ("adapter-q8_0", "q8_0")):
        if form in making.order.formats:
            file = making.path(form)
            adapter_gguf.write_gguf(
                file,
                adapter.tensors,
                alpha=adapter.alpha,
                name=making.order.name,
                base_name=making.base.base,
                base_sha256=making.base.sha256,
                precision=precision,  # type: ignore[arg-type]
            )
            making.files[form] = file


def _write_merged(making: Making, tell: Tell) -> Path:
    """The folder of merged weights; made only when a format needs it."""
    order, merged = making.order, making.folder / "merged"
    wanted = [form for form in order.formats if not form.startswith("adapter")]
    if not wanted:
        return merged
    need_room(making, wanted)
    tell("merged weights")
    merging.merge(making.adapter, making.dense, merged)
    for form in ("bf16", "q8_0", "q4_k_m"):
        if form in wanted:
            tell(form)
            file = making.path(form)
            gguf_files.write(merged, making.base.gguf, file, name=order.name, precision=form)
            making.files[form] = file
    return merged


SHARES = {"safetensors": 1.0, "bf16": 1.0, "q8_0": 0.55, "q4_k_m": 0.4}
"""Size of each form as a share of the dense weights, rounded up."""


def need_room(making: Making, wanted: Sequence[str]) -> None:
    """Raise ReleaseError now rather than after half an hour when the disk is too full."""
    dense = sum(size for _, _, size in merging.locate(making.dense).values())
    need = int(dense * sum(SHARES[form] for form in {*wanted, "safetensors"}))
    free = shutil.disk_usage(making.folder).free
    if free < need:
        raise ReleaseError(
            f"The release needs {need / 1e9:.1f} GB in {making.folder.parent}; {free / 1e9:.1f} GB are free.",
            hint="Free some space, or ask for fewer --formats.",
        )


def _parity(making: Making, merged: Path, settings: Settings, tell: Tell) -> list[parity.Agreement]:
    from mnemosyne.weights import resolve

    asked = parity.probes(making.order.probes)
    tell(f"parity: {len(asked)} probes, reference")
    references = parity.from_transformers(making.dense, asked, adapter=making.folder / "adapter")
    ids = [probe.id for probe in asked]
    found = []
    if merged.is_dir():
        tell("parity: merged")
        answers = [one.tokens for one in parity.from_transformers(merged, asked)]
        found.append(parity.compare("merged", references, answers, ids))
    for form in making.files:
        tell(f"parity: {form}")
        tokens = parity.from_llamacpp(resolve(making.model(form), settings), asked)
        found.append(parity.compare(form, references, tokens, ids))
    return found


def _write_modelfile(making: Making) -> None:
    """For the smallest whole model, or for base and adapter where there is none."""
    licence, context = making.order.licence, making.base.context
    whole = next((form for form in ("q4_k_m", "q8_0", "bf16") if form in making.files), None)
    if whole:
        text = ollama.modelfile(making.files[whole].name, licence=licence, context=context)
    elif making.files:
        adapter = making.files.get("adapter-f16") or making.files["adapter-q8_0"]
        text = ollama.modelfile(making.base.gguf.name, adapter=adapter.name, licence=licence, context=context)
    else:
        text = ollama.modelfile(".", licence=licence, context=context)
    (making.folder / "Modelfile").write_text(text, encoding="utf-8")


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path) -> None:
    """SHA256SUMS of every file below `folder`, as `sha256sum --check` reads it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
