"""Two Ray workers on this machine: the losses of one process, step for step."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray.train.torch")
pytest.importorskip("torch")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def steps(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "steps.jsonl").read_text().splitlines()]


def test_two_workers_have_the_losses_of_one_process(recipe_file: Path, small: Any, tmp_path: Path) -> None:
    from mnemosyne.settings import Settings
    from mnemosyne.training import cluster, recipe, run

    settings = Settings(home=small.home, threads=1)
    wanted = replace(recipe.load(recipe_file), pack_tokens=600, validation=None)
    prepared = run.prepare(wanted, small.folder, settings)
    assert min(len(step.packs) for step in prepared.steps) >= 2, "each worker has passes of its own"
    run.train(prepared, tmp_path / "alone", resume=False, judge=None, listen=lambda event: None)

    heard: list[Any] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapter = cluster.train(wanted, small.folder, tmp_path / "together", settings, workers=2, listen=heard.append)

    alone, together = steps(tmp_path / "alone"), steps(tmp_path / "together")
    assert [step["step"] for step in together] == [1, 2, 3]
    for one, two in zip(alone, together, strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=2e-3)
        assert two["norm"] == pytest.approx(one["norm"], rel=2e-2)
        assert two["questions"] == one["questions"]
    assert (adapter / "adapter.gguf").is_file()
    assert [asdict(event) for event in heard] == together, "each step is shown, once"


def test_lines_that_a_resumed_run_writes_anew_are_told_and_older_ones_are_not(tmp_path: Path) -> None:
    from mnemosyne.training import cluster
    from mnemosyne.training.loop import Measured, StepDone

    def line(step: int, loss: float) -> str:
        return json.dumps(asdict(StepDone(step, loss, 0.1, 1.0, 8, 100, 2, 1.0, 0.1, 1.0))) + "\n"

    file, heard = tmp_path / "steps.jsonl", []
    file.write_text(line(1, 3.0) + line(2, 2.0))
    with cluster._watching(tmp_path, heard.append):
        file.write_text(line(1, 3.0) + line(2, 1.5) + line(3, 1.0) + line(4, 1.0)[:20])
        (tmp_path / "measurements.jsonl").write_text(json.dumps(asdict(Measured(2, 1.0, 3, 4, 1.0))) + "\n")
    assert [(type(event), event.step, event.loss) for event in heard] == [
        (StepDone, 2, 1.5),
        (StepDone, 3, 1.0),
        (Measured, 2, 1.0),
    ]


def test_workers_are_seen_on_the_screen_and_have_the_threads_that_were_asked_for(
    recipe_file: Path, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from mnemosyne.cli.train import command
    from mnemosyne.training import cluster

    given: list[Any] = []
    train = cluster.train

    def noted(*arguments: Any, **named: Any) -> Path:
        given.append(arguments[3])
        return train(*arguments, **named)

    monkeypatch.setenv("MNEMOSYNE_HOME", str(small.home))
    monkeypatch.setattr(cluster, "train", noted)
    lines = (small.folder / "general.jsonl").read_text()
    (small.folder / "long.jsonl").write_text(lines.replace("All of t0?", "All of t0? " * 200))
    text = recipe_file.read_text().replace("general.jsonl", "long.jsonl")
    recipe_file.write_text(text[: text.index("validation")])
    arguments = [recipe_file, "--workers", 1, "--threads", 2, "--max-steps", 1, "--out", tmp_path / "run"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = CliRunner().invoke(command, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    assert "left out: other-0 of long.jsonl" in done.output
    assert "step 1/1  loss " in done.output
    assert given[0].threads == 2


@pytest.mark.parametrize("frame", ["trl", "grpo"])
def test_workers_are_refused_with_another_frame(frame: str, recipe_file: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from mnemosyne.cli.train import command

    text = recipe_file.read_text().replace("batch: 18", "batch: 16")
    recipe_file.write_text(text + f"frame: {frame}\nselect: loss\n")
    done = CliRunner().invoke(command, [str(recipe_file), "--workers", "2", "--out", str(tmp_path / "run")])
    assert f"--workers trains with frame shared-prefix; tiny uses {frame}." in str(done.exception)
    assert not (tmp_path / "run").exists()
