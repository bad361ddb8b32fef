"""What TRL's trainers lack: they stop at a number that is none, and their checkpoints are verified before use.

transformers logs a loss that is not a number as 0 and goes on. Its checkpoints are written in place; a manifest of sha256,
written when a checkpoint is whole, tells it from one that was cut or damaged.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mnemosyne.errors import TrainingError
from mnemosyne.training.rows import Row

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
"""Beside the files of a checkpoint: their names and sha256."""


def watched(kind: type[Any], rows: Sequence[Row] = ()) -> type[Any]:
    """TRL's trainer `kind`, stopping before the step whose loss or gradient is not a number; `rows` are for the message."""

    class Watched(kind):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.given: list[Any] = []
            self.add_callback(_callback(self))

        def compute_loss(self, model: Any, inputs: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
            result = super().compute_loss(model, inputs, *args, **kwargs)
            if model.training:
                self.given.append(inputs.get("input_ids"))
            loss = (result[0] if isinstance(result, tuple) else result).item()
            self.need_finite(loss, "loss", [inputs.get("input_ids")])
            return result

        def need_finite(self, value: float, what: str, batches: Sequence[Any]) -> None:
            if math.isfinite(value):
                return
            names = _names(rows, batches)
            raise TrainingError(
                f"The {what} of step {self.state.global_step + 1} is {value}"
                + (f"; its rows: {', '.join(names[:64])}." if names else "."),
                hint=f"The last good checkpoint is kept in {self.args.output_dir}. Lower learning_rate, or look at these rows.",
            )

    return Watched


def _names(rows: Sequence[Row], batches: Sequence[Any]) -> list[str]:
    """Names of the rows whose tokens begin those of a batch (n, L), which is padded behind."""
    known: dict[tuple[int, ...], str] = {(*row.prefix, *row.branch): row.id for row in rows}
    lengths = sorted({len(tokens) for tokens in known}, reverse=True)
    found = []
    for sequence in (tuple(line) for batch in batches if batch is not None for line in batch.tolist()):
        found += [known[sequence[:n]] for n in lengths if sequence[:n] in known][:1]
    return found


def _callback(trainer: Any) -> Any:
    from transformers import TrainerCallback

    class Callback(TrainerCallback):  # type: ignore[misc]
        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            given, trainer.given = trainer.given, []
            gradients = (p.grad for p in trainer.model.parameters() if p.grad is not None)
            if not all(bool(gradient.isfinite().all()) for gradient in gradients):
                trainer.need_finite(math.nan, "gradient", given)

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            from torch import distributed

            if distributed.is_available() and distributed.is_initialized():
                distributed.barrier()  # each process writes a file of its own
            if state.is_world_process_zero:
                seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    return Callback()


def seal(checkpoint: Path) -> None:
    """Write the manifest of a checkpoint that is whole."""
    partial = checkpoint / f".{MANIFEST}"
    partial.write_text(json.dumps({path.name: _sha256(path) for path in _files(checkpoint)}, indent=2))
    os.replace(partial, checkpoint / MANIFEST)


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint of TRL below `folder`, None when there is none. Damaged ones are logged and passed over."""
    found = {int(path.name.rsplit("-", 1)[1]): path for path in folder.glob("checkpoint-*")}
    for _, path in sorted(found.items(), reverse=True):
        damage = _damage(path)
        if not damage:
            return path
        log.warning("checkpoint %s is damaged (%s): using the one before", path.name, damage)
    return None


def _damage(checkpoint: Path) -> str:
    try:
        manifest: dict[str, str] = json.loads((checkpoint / MANIFEST).read_text())
        wrong = [name for name, sha256 in manifest.items() if _sha256(checkpoint / name) != sha256]
    except (OSError, json.JSONDecodeError) as error:
        return str(error)
    return ", ".join(wrong)


def _files(checkpoint: Path) -> Iterable[Path]:
    return sorted(path for path in checkpoint.iterdir() if path.is_file() and not path.name.endswith(MANIFEST))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
