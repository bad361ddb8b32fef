"""A tiny model with its base, an adapter, and a finished run: made once, real files all."""

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")
import tiny_qwen as tiny
from tiny_qwen import ALPHA, RANK, Tiny

from mnemosyne.release import adapters
from mnemosyne.settings import Settings
from mnemosyne.training import base
from mnemosyne.training.base import Base


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The base as GGUF and dense, and a run folder whose best adapter changes what it says."""
    folder = tmp_path_factory.mktemp("tiny")
    settings = Settings(home=folder / "home")
    dense = base.prepare(str(tiny.write_gguf(folder / "tiny.gguf")), settings)
    run = folder / "run"
    tiny.write_adapter(run / "best", tiny.random_adapter(dense.config, RANK), RANK, ALPHA, dense.name)
    (run / "best" / "step.json").write_text('{"step": 40}')
    (run / "run.json").write_text(json.dumps(record(dense)))
    return Tiny(settings, dense, run, adapters.read(str(run), settings))


def record(dense: Base) -> dict:
    """A run record as `training.record` writes it."""
    return {
        "recipe": {
            "name": "tiny-lab", "base": dense.name, "rank": RANK, "alpha": ALPHA, "learning_rate": 2e-4,
            "epochs": 1.5, "batch": 64, "targets": ["q_proj", "down_proj"], "load_in_4bit": False,
            "data": [{"path": "lab-train.jsonl.gz", "weight": 1.5, "cap": 0}], "validation": None,
        },
        "seed": 0,
        "base": {"name": dense.name, "sha256": dense.sha256},
        "data": [
            {"path": "lab-train.jsonl.gz", "fingerprint": "0123456789abcdef", "rows": 6543,
             "too_long": [["lab-9", 2311]]},
        ],
        "steps": 153,
        "questions": 9814,
        "versions": {"mnemosyne": "0.1.0", "python": "3.11.9", "torch": "2.13.0"},
        "machine": {"processor": "AMD EPYC", "cores": 2},
        "result": {
            "steps": 149, "hours": 3.2701, "peak_memory_gb": 9.87, "finished": "2026-11-24T21:00:00Z",
            "best": {"step": 40, "loss": 0.2113, "right": 51, "questions": 60, "seconds": 71.4, "best": True},
        },
    }  # fmt: skip
