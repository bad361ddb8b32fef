"""What `mnemosyne models` says is here can be asked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from mnemosyne.cli import models
from mnemosyne.weights import Entry


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of weights of a catalogue that holds a base and its adapter; neither is there yet."""
    entries = {
        name: Entry(name, kind, "", f"{name}.gguf", 4, hashlib.sha256(name.encode()).hexdigest(), "MIT", 0, base)  # type: ignore[arg-type]
        for name, kind, base in (("base", "model", None), ("tool", "adapter", "base"))
    }
    monkeypatch.setenv("MNEMOSYNE_HOME", str(tmp_path))
    monkeypatch.setattr(models, "catalogue", lambda: entries)
    folder = tmp_path / "weights"
    folder.mkdir()
    return folder


def said(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, bool], dict[str, str]]:
    """Which entries are ready, and what the table's last column says of them."""
    models.command.main(["--format", "json"], standalone_mode=False)
    ready = {entry["name"]: entry["ready"] for entry in json.loads(capsys.readouterr().out)}
    models.command.main([], standalone_mode=False)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    return ready, {name: line.split("  ")[-1].strip() for name in ready for line in lines if line.startswith(name)}


def test_an_adapter_is_not_ready_without_its_base(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys) == ({"base": False, "tool": False}, {"base": "no", "tool": "no"})
    (weights / "tool.gguf").write_text("tool")
    assert said(capsys) == ({"base": False, "tool": False}, {"base": "no", "tool": "without its base"})
    (weights / "base.gguf").write_text("base")
    assert said(capsys) == ({"base": True, "tool": True}, {"base": "yes", "tool": "yes"})
