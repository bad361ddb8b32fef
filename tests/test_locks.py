"""A lock keeps a second process out at once, and nobody once its holder is gone."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from mnemosyne import locks

BUSY = RuntimeError("at work")
HOLDS = """
import sys, time
from pathlib import Path
from mnemosyne import locks
with locks.alone(Path(sys.argv[1]), RuntimeError()):
    print("held", flush=True)
    time.sleep(600)
"""


def test_another_process_is_told_at_once_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    file = tmp_path / "folder" / ".lock"
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(file)], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            started = time.monotonic()
            with pytest.raises(RuntimeError, match="at work"), locks.alone(file, BUSY):
                pass
            assert time.monotonic() - started < 5
        finally:
            holder.kill()
    with locks.alone(file, BUSY):
        pass


def test_it_is_free_after_an_error(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), locks.alone(tmp_path / ".lock", BUSY):
            raise ZeroDivisionError
