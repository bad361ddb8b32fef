from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from mnemosyne import lims
from mnemosyne.databases import Database, open_database
from mnemosyne.lims.sets import lexicon
from mnemosyne.schema import Schema
from mnemosyne.synthesis.pools import read_pools
from mnemosyne.synthesis.verify import Verifier
from mnemosyne.synthesis.world import World

TODAY = date(2026, 6, 15)


@pytest.fixture(scope="session")
def laboratories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Database]]:
    """Three small laboratories."""
    folder: Path = tmp_path_factory.mktemp("laboratories")
    opened = []
    for seed in (1, 2, 3):
        lims.create(f"duckdb:///{folder / f'{seed}.duckdb'}", seed=seed, scale=0.1, today=TODAY)
        opened.append(open_database(f"duckdb:///{folder / f'{seed}.duckdb'}"))
    yield opened
    for database in opened:
        database.close()


@pytest.fixture(scope="session")
def schema() -> Schema:
    return lims.schema()


@pytest.fixture(scope="session")
def world(laboratories: list[Database], schema: Schema) -> World:
    words = lexicon()
    return World(schema, words, tuple(read_pools(database, schema, words) for database in laboratories), TODAY)


@pytest.fixture(scope="session")
def verifier(laboratories: list[Database], schema: Schema) -> Verifier:
    return Verifier(laboratories, schema, TODAY)
