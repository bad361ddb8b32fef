"""`mnemosyne lims create`: the laboratory from the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine


def test_a_laboratory_is_made_and_counted(cli: CommandLine, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/lab.db"
    ran = cli("lims", "create", url, "--seed", "7", "--today", "2026-06-15")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()[:8]] == [
        "clients", "analysts", "methods", "determinands", "samples", "results", "worksheets", "worksheet_samples",
    ]  # fmt: skip
    assert f"--db {url}" in ran.out
    again = cli("lims", "create", url)
    assert again.code == 2
    assert "--force" in again.err
    assert cli("lims", "create", url, "--force", "--quiet", "--scale", "0.01").out == ""


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_a_disk_that_fills_up_is_said_in_a_line_and_nothing_stays(engine: str, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk."""
    program = f"ulimit -f 200; exec '{sys.executable}' -m mnemosyne lims create {engine}:///{tmp_path}/lab.db -q"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert f"{tmp_path}/lab.db cannot be written: " in done.stderr
    assert "Is there room on the disk" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_same_seed_and_day_give_the_same_file_content(cli: CommandLine, tmp_path: Path) -> None:
    import sqlite3

    dumps = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        cli("lims", "create", f"sqlite:///{tmp_path}/{name}.db", "--seed", seed, "--today", "2026-06-15", "-q")
        connection = sqlite3.connect(tmp_path / f"{name}.db")
        dumps.append("\n".join(line for line in connection.iterdump() if "sqlite_stat" not in line))
        connection.close()
    assert dumps[0] == dumps[1]
    assert dumps[0] != dumps[2]
