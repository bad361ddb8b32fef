"""A run goes on from any interruption as if there had been none; what is damaged is told, and passed over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import tiny_training as tiny

from mnemosyne.errors import TrainingError
from mnemosyne.training import checkpoint

torch = pytest.importorskip("torch")

RUN = """
import json, sys
from pathlib import Path
import torch
from mnemosyne.training import loop
import tiny_training as tiny
torch.set_num_threads(1)
trainer = tiny.trainer(Path(sys.argv[1]), tiny.rows(120, 5))
trainer.resume()
loop.run(trainer, None, lambda event: print(json.dumps([event.step, event.loss, event.norm]), flush=True))
"""


def curve(folder: Path, kill_after: int | None = None) -> dict[int, tuple[float, float]]:
    """Loss and gradient norm of every step of a process, killed without warning when it has said `kill_after`."""
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": f"{root / 'src'}:{root / 'tests' / 'training'}"}
    seen = {}
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            step, loss, norm = json.loads(line)
            seen[step] = (loss, norm)
            if step == kill_after:
                time.sleep(0.02)  # somewhere in the checkpoint or in the next step
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
    return seen


def test_after_kill_9_the_curve_lies_on_the_uninterrupted_one(tmp_path: Path) -> None:
    whole = curve(tmp_path / "whole")
    first = curve(tmp_path / "cut", kill_after=4)
    rest = curve(tmp_path / "cut")

    assert sorted(whole) == list(range(1, 11))
    assert min(rest) <= 5, "nothing is skipped"
    assert max(rest) == 10
    for step, values in (first | rest).items():
        assert values == whole[step], f"step {step}"
    final = [checkpoint.newest(tmp_path / name / "checkpoints") for name in ("whole", "cut")]
    for name, tensor in final[0].adapter.items():
        assert torch.equal(tensor, final[1].adapter[name]), name


def finished(folder: Path) -> Any:
    from mnemosyne.training import loop

    trainer = tiny.trainer(folder, tiny.rows(60, 3))
    loop.run(trainer, None, lambda event: None)
    return trainer


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = finished(tmp_path)
    newest, before = checkpoint.found(trainer.checkpoints)
    with (newest / "optimizer.safetensors").open("r+b") as file:
        file.seek(5_000)
        file.write(b"\xff\xff\xff\xff")

    again = tiny.trainer(tmp_path, tiny.rows(60, 3))
    assert again.resume()
    assert again.done == int(before.name.removeprefix("step-")) == len(again.steps) - 1
    assert "damaged" in caplog.text
    assert newest.name in caplog.text


def test_only_the_newest_two_checkpoints_are_kept_and_no_rest_of_a_kill(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / ".partial-000001-99").mkdir(parents=True)
    trainer = finished(tmp_path)
    assert len(list(trainer.checkpoints.iterdir())) == 2


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    finished(tmp_path)
    other = tiny.trainer(tmp_path, tiny.rows(200, 3))
    with pytest.raises(TrainingError, match="belongs to a run of 5 steps; this recipe has"):
        other.resume()


def test_a_full_disk_is_an_error_before_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mnemosyne.training import loop

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("mnemosyne.training.checkpoint.shutil.disk_usage", lambda _: usage(10**9, 10**9 - 1, 1))
    trainer = tiny.trainer(tmp_path, tiny.rows(60, 3))
    with pytest.raises(TrainingError, match=r"needs .* MB in .*; 0 MB are free") as caught:
        loop.run(trainer, None, lambda event: None)
    assert trainer.done == 0
    assert "--resume" in caught.value.hint


def test_a_loss_that_is_not_a_number_stops_the_run_and_names_the_rows(tmp_path: Path) -> None:
    from mnemosyne.training import loop

    trainer = tiny.trainer(tmp_path, tiny.rows(60, 3))

    def poison(event: Any) -> None:
        if event.step == 3:
            with torch.no_grad():
                trainer.model.lm_head.weight[0, 0] = float("nan")

    with pytest.raises(TrainingError, match="The loss of step 4 is nan; its rows: ") as caught:
        loop.run(trainer, None, poison)
    assert trainer.steps[3].packs[0][0][0].id in str(caught.value)
    last = checkpoint.newest(trainer.checkpoints)
    assert last is not None
    assert last.step == 3
    assert all(torch.isfinite(tensor).all() for tensor in last.adapter.values())
