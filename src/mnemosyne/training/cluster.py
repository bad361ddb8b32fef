"""The same recipe on several machines or processes, through Ray Train.

Every worker reads recipe and data itself and holds the whole model; the passes of a step are shared out (`peers`).
Base weights must be resolvable on each node; the run folder and the data lie on storage that all nodes see.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mnemosyne.cluster import reach
from mnemosyne.errors import MissingExtra, TrainingError
from mnemosyne.settings import Settings
from mnemosyne.training import starting
from mnemosyne.training.live import lines
from mnemosyne.training.loop import Listen, Measured, StepDone
from mnemosyne.training.recipe import Recipe
from mnemosyne.training.selection import Judge

MakeJudge = Callable[[Recipe, Path], Judge]
"""Makes the judge on the worker that measures; importable by name, so that it travels."""


def train(
    recipe: Recipe,
    folder: Path,
    out: Path,
    settings: Settings,
    *,
    workers: int,
    address: str = "local",
    resume: bool = False,
    make_judge: MakeJudge | None = None,
    listen: Listen = lambda event: None,
) -> Path:
    """Train on `workers` Ray workers, `settings.threads` threads (else one) each; gives the folder of the best adapter.

    `listen` is told of what the first worker writes into the run folder. Raises TrainingError, MissingExtra.
    """
    need_shared_prefix(recipe)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer
    except ImportError:
        raise MissingExtra("cluster", "Training on a Ray cluster") from None
    ours = not ray.is_initialized()
    if ours:
        where: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
        try:
            reach(address)
            ray.init(address=address, log_to_driver=False, configure_logging=False, **where)
        except (ConnectionError, ValueError) as error:
            raise TrainingError(
                f"No Ray cluster answers at {address}: {error}.",
                hint="Start one with `ray start --head`, and name its address.",
            ) from None
    if recipe.start_from and not resume:  # workers have a current folder of their own
        recipe = replace(recipe, start_from=str(starting.locate(recipe.start_from, folder, settings).absolute()))
    config = {
        "recipe": recipe,
        "folder": str(folder.absolute()),
        "out": str(out.absolute()),
        "settings": settings,
        "resume": resume,
        "make_judge": make_judge,
    }
    try:
        with tempfile.TemporaryDirectory(prefix="mnemosyne-ray-") as storage, _watching(out, listen):
            trainer = TorchTrainer(
                _work,
                train_loop_config=config,
                scaling_config=ScalingConfig(num_workers=workers, resources_per_worker={"CPU": 1}),
                torch_config=TorchConfig(backend="gloo"),
                run_config=RunConfig(name="run", storage_path=storage),
            )
            trainer.fit()
    except ray.train.TrainingFailedError as error:
        raise TrainingError(
            f"Training on the cluster failed: {error}", hint="--resume goes on from the newest checkpoint."
        ) from None
    finally:
        if ours:
            ray.shutdown()
    return out / ("best" if (out / "best").is_dir() else "last")


def need_shared_prefix(recipe: Recipe) -> None:
    """Raise TrainingError when the recipe's frame is not the one that workers know."""
    if recipe.frame != "shared-prefix":
        raise TrainingError(
            f"--workers trains with frame shared-prefix; {recipe.name} uses {recipe.frame}.",
            hint="For several GPUs: accelerate launch -m mnemosyne train RECIPE.",
        )


POLL_SECONDS = 0.5
"""Between two looks into the run folder."""


@contextmanager
def _watching(out: Path, listen: Listen) -> Iterator[None]:
    """Tell `listen` of every step and measurement that is written into the run folder `out` meanwhile."""
    ended = threading.Event()
    told = {json.dumps(line) for _, line in _written(out)}

    def look() -> None:
        for kind, line in _written(out):
            if json.dumps(line) not in told:
                told.add(json.dumps(line))
                listen(kind(**line))

    def watch() -> None:
        while not ended.wait(POLL_SECONDS):
            look()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        look()


def _written(out: Path) -> list[tuple[type[StepDone | Measured], dict[str, Any]]]:
    steps = [(StepDone, line) for line in lines(out / "steps.jsonl")]
    return [*steps, *((Measured, line) for line in lines(out / "measurements.jsonl"))]


def _work(config: dict[str, Any]) -> None:
    """On a worker: join the others and train."""
    from mnemosyne.training import run
    from mnemosyne.training.peers import Peers
    from mnemosyne.training.surroundings import prepare_process

    recipe, out, settings = config["recipe"], Path(config["out"]), config["settings"]
    prepare_process(settings.threads or 1, offline=settings.offline)
    peers = Peers.joined()
    wanted = peers.first and recipe.validation and recipe.validation.database and config["make_judge"]
    judge = config["make_judge"](recipe, out) if wanted else None
    prepared = run.prepare(recipe, Path(config["folder"]), settings)
    run.train(prepared, out, resume=config["resume"], judge=judge, listen=lambda event: None, peers=peers)
