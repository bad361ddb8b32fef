"""The same recipe on several machines or processes, through Ray Train.

Every worker reads recipe and data itself and holds the whole model; the passes of a step are shared out (`peers`).
Base weights must be resolvable on each node; the run folder and the data lie on storage that all nodes see.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mnemosyne.errors import MissingExtra, TrainingError
from mnemosyne.settings import Settings
from mnemosyne.training import starting
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
) -> Path:
    """Train on `workers` Ray workers; gives the folder of the best adapter. Raises TrainingError, MissingExtra."""
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
            ray.init(address=address, log_to_driver=False, configure_logging=False, **where)
        except (ConnectionError, ValueError) as error:
            raise TrainingError(f"No Ray cluster answers at {address}: {error}.") from None
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
        with tempfile.TemporaryDirectory(prefix="mnemosyne-ray-") as storage:
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
