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
safetensors = pytest.importorskip("safetensors")

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


def cut(folder: Path, after: int, **changes: Any) -> dict[int, Any]:
    """Steps of a run of 50 that was cut, with the checkpoint of step `after` as its newest."""
    from mnemosyne.training import loop

    trainer = tiny.trainer(folder, tiny.rows(150, 5), batch=3, group_size=2, **changes)
    assert len(trainer.steps) == 50
    told: dict[int, Any] = {}

    def listen(event: Any) -> None:
        told[event.step] = event
        if event.step == after + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.run(trainer, None, listen)
    return told


def resumed(folder: Path, steps: int, **changes: Any) -> Any:
    """The same run with so many steps of the plan to do."""
    trainer = tiny.trainer(folder, tiny.rows(150, 5), **({"batch": 3, "group_size": 2} | changes))
    trainer.steps = trainer.steps[:steps]
    return trainer


def test_a_run_that_is_resumed_with_fewer_steps_ends_with_a_rate_of_about_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from mnemosyne.training import loop, optimiser
    from mnemosyne.training.loop import Stretch

    before = cut(tmp_path, after=10)
    trainer = resumed(tmp_path, 30)
    assert trainer.resume()
    assert "steps 11 to 30 follow a schedule of 30, no longer of 50" in caplog.text
    after: dict[int, Any] = {}
    loop.run(trainer, None, lambda event: after.update({event.step: event}))

    assert sorted(after) == list(range(11, 31))
    assert (after[11].loss, after[11].norm) == (before[11].loss, before[11].norm), "the same rows, the same weights"
    peak = trainer.recipe.learning_rate
    assert [event.rate for event in after.values()] == [optimiser.rate(step, 30, peak, 0.05) for step in range(10, 30)]
    assert after[30].rate < 0.01 * peak
    assert {int(state["step"]) for state in trainer.optimizer.state.values()} == {30}, "its moments went on"
    again = resumed(tmp_path, 30)
    assert again.resume()
    assert again.stretches == [Stretch(1, 50), Stretch(11, 30)]


def test_a_schedule_can_be_made_longer_but_not_shorter_than_what_is_done(tmp_path: Path) -> None:
    from mnemosyne.training.loop import Stretch

    cut(tmp_path, after=10)
    longer = resumed(tmp_path, 50)
    longer.steps = [*longer.steps, *longer.steps]
    assert longer.resume()
    assert longer.stretches == [Stretch(1, 50), Stretch(11, 100)]
    with pytest.raises(TrainingError, match="has done 10 steps; a schedule of 9 has ended by then") as caught:
        resumed(tmp_path, 9).resume()
    assert "at least 10" in caught.value.hint


def test_other_rows_or_batches_are_refused_and_other_passes_are_not(tmp_path: Path) -> None:
    finished(tmp_path)
    other = [*tiny.rows(59, 3), *tiny.rows(1, 3, mark="new-")]
    for rows, changes in ((other, {}), (tiny.rows(200, 3), {}), (tiny.rows(60, 3), {"batch": 10})):
        with pytest.raises(TrainingError, match="learned from other rows or batches than steps 1 to 5") as caught:
            tiny.trainer(tmp_path, rows, **changes).resume()
        assert "start_from" in caught.value.hint
    smaller = tiny.trainer(tmp_path, tiny.rows(60, 3), pack_tokens=300)
    assert sum(len(step.packs) for step in smaller.steps) > len(smaller.steps)
    assert smaller.resume()


def test_a_checkpoint_that_does_not_say_its_plan_is_believed_and_that_is_noted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from mnemosyne.training.loop import Stretch

    trainer = finished(tmp_path)
    saved = checkpoint.newest(trainer.checkpoints)
    assert saved is not None
    older = {name: value for name, value in saved.state.items() if name not in ("plan", "stretches")}
    checkpoint.save(trainer.checkpoints, saved.step, saved.adapter, saved.optimizer, older)
    again = tiny.trainer(tmp_path, tiny.rows(60, 3))
    assert again.resume()
    assert again.stretches == [Stretch(1, 5)]
    assert "does not say what it learned from" in caplog.text


def test_a_full_disk_is_an_error_before_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mnemosyne.training import loop

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("mnemosyne.training.checkpoint.shutil.disk_usage", lambda _: usage(10**9, 10**9 - 1, 1))
    trainer = tiny.trainer(tmp_path, tiny.rows(60, 3))
    with pytest.raises(TrainingError, match=r"needs .* MB in .*; 0 MB are free") as caught:
        loop.run(trainer, None, lambda event: None)
    assert trainer.done == 0
    assert "--resume" in caught.value.hint


def test_a_disk_that_fills_up_is_noticed_before_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mnemosyne.training import loop

    usage = namedtuple("usage", "total used free")
    trainer = tiny.trainer(tmp_path, tiny.rows(60, 3))

    def fill(event: Any) -> None:
        if event.step == 2:
            monkeypatch.setattr("mnemosyne.training.checkpoint.shutil.disk_usage", lambda _: usage(10**9, 10**9 - 1, 1))

    with pytest.raises(TrainingError, match=r"needs .* MB in"):
        loop.run(trainer, None, fill)
    assert trainer.done == 2


def test_a_checkpoint_that_the_disk_does_not_take_is_an_error_and_the_one_before_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = tiny.trainer(tmp_path, tiny.rows(60, 3))
    trainer.step()
    kept = trainer.save()
    trainer.step()

    def full(*_: Any) -> None:
        raise safetensors.SafetensorError("No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(TrainingError, match="step 2 cannot be written") as caught:
        trainer.save()
    assert "--resume" in caught.value.hint
    assert list(trainer.checkpoints.iterdir()) == [kept]


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
