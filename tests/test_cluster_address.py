"""Each door to a Ray cluster tells at once that nothing answers, instead of letting Ray try for many minutes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mnemosyne.cluster import reach
from mnemosyne.errors import EvaluationError, SettingsError, TrainingError


@pytest.fixture
def closed() -> str:
    """An address of this machine where nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{found.getsockname()[1]}"


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ray, which must not be asked."""
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray was asked, which tries for many minutes"))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    yield
    assert not ray.is_initialized()


@pytest.mark.parametrize("form", ["{}", "ray://{}"])
def test_who_listens_is_reached_and_who_does_not_is_told(form: str, closed: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        reach(form.format(f"127.0.0.1:{server.getsockname()[1]}"))
    with pytest.raises(ConnectionError, match=r"^Connection refused$"):
        reach(form.format(closed))


@pytest.mark.parametrize("address", ["", "local", "auto"])
def test_what_names_no_port_is_left_to_ray(address: str) -> None:
    reach(address)


@pytest.mark.parametrize("address", ["127.0.0.1:99999", f"{'x' * 70}.:1", "[::1:x]:1"])
def test_what_is_no_address_is_not_there(address: str) -> None:
    with pytest.raises(ConnectionError, match=r"\w"):
        reach(address)


@pytest.mark.filterwarnings("ignore")
def test_synthesis_tells_at_once(closed: str, never: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from mnemosyne.synthesis.cluster import on_ray

    monkeypatch.setenv("RAY_ADDRESS", closed)
    recipe: Any = None
    with pytest.raises(SettingsError, match=f"No Ray cluster answers at {closed}: Connection refused") as caught:
        next(on_ray(recipe, None, 1))
    assert "RAY_ADDRESS" in caught.value.hint


@pytest.mark.filterwarnings("ignore")
def test_judging_tells_at_once(closed: str, never: None) -> None:
    from mnemosyne.evaluation.cluster import Cluster

    with pytest.raises(EvaluationError, match=f"No Ray cluster answers at {closed}: Connection refused") as caught:
        Cluster(closed)
    assert "ray start" in caught.value.hint


@pytest.mark.filterwarnings("ignore")
def test_training_tells_at_once(closed: str, never: None, tmp_path: Path) -> None:
    pytest.importorskip("ray.train.torch")
    from mnemosyne.settings import Settings
    from mnemosyne.training import cluster
    from mnemosyne.training.recipe import Recipe, Source

    recipe = Recipe("small", "base", (Source("pairs.jsonl"),))
    with pytest.raises(TrainingError, match=f"No Ray cluster answers at {closed}: Connection refused") as caught:
        cluster.train(recipe, tmp_path, tmp_path / "out", Settings(home=tmp_path), workers=1, address=closed)
    assert "ray start" in caught.value.hint
    assert not (tmp_path / "out").exists()
