"""A tiny real model, its adapter, and a prompt of 385 tokens (one a byte)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mnemosyne.prompt import Prompt, build
from mnemosyne.settings import Settings

DDL = "CREATE TABLE clients (client_id INTEGER);"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("gguf")
    from tiny_model import write_model

    return write_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="session")
def tiny_adapter(tiny: Path) -> Path:
    from tiny_model import write_adapter

    sha256 = hashlib.sha256(tiny.read_bytes()).hexdigest()
    return write_adapter(tiny.with_name("adapter.gguf"), base_sha256=sha256)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a home of the test's own."""
    return Settings(home=tmp_path / "home", context=2048, threads=1)


@pytest.fixture
def prompt() -> Prompt:
    return build(DDL, "How many?")
