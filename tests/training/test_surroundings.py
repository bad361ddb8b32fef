"""The process that trains asks the model hub for nothing that is here, and keeps its buffers while a step lasts."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


@pytest.fixture
def hub() -> Iterator[tuple[str, list[str]]]:
    """A stand-in for the model hub that has nothing: its address, and the paths that it was asked for."""
    asked: list[str] = []

    class Empty(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Empty)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def train(folder: Path, hub: str, base: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`mnemosyne train` of a small recipe on `base`, in a process of its own."""
    (folder / "rows.jsonl").write_text(
        '{"id": "1", "question": "all of it", "sql": "SELECT a FROM t", "schema": "t", "dialect": "postgres"}\n'
    )
    (folder / "schemas").mkdir(exist_ok=True)
    (folder / "schemas" / "t.sql").write_text("CREATE TABLE t (a INTEGER);\n")
    (folder / "recipe.yaml").write_text(
        f"name: small\nbase: {base}\ndata:\n  - {{path: rows.jsonl}}\nframe: trl\nselect: loss\nmax_steps: 1\n"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return subprocess.run(
        [sys.executable, "-m", "mnemosyne", "train", str(folder / "recipe.yaml"), "--out", str(folder / "run")],
        env={**kept, "HF_ENDPOINT": hub, "HF_HOME": str(folder / "hf"), **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_base_on_the_hub_is_asked_for_and_its_absence_told(tmp_path: Path, hub: tuple[str, list[str]]) -> None:
    address, asked = hub
    done = train(tmp_path, address, "acme/tiny-coder")
    assert any("acme/tiny-coder" in path for path in asked)
    assert done.returncode == 2
    assert "The base acme/tiny-coder cannot be loaded" in done.stderr
    assert "Traceback" not in done.stderr


def test_offline_means_offline(tmp_path: Path, hub: tuple[str, list[str]]) -> None:
    address, asked = hub
    done = train(tmp_path, address, "acme/tiny-coder", MNEMOSYNE_OFFLINE="1")
    assert not asked
    assert done.returncode == 2
    assert "The base acme/tiny-coder cannot be loaded" in done.stderr


FREED = """
import ctypes, os
from mnemosyne.training.surroundings import give_back_memory, hold_memory

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
size = 64 << 20


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def kept():
    before = resident()
    buffer = libc.malloc(ctypes.c_size_t(size))
    ctypes.memset(buffer, 1, size)
    libc.free(buffer)
    return resident() - before


start = resident()
print(kept() > size / 2)
hold_memory()
print(kept() > size / 2)
give_back_memory()
print(resident() - start > size / 2)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_a_freed_buffer_is_held_until_memory_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["False", "True", "False"]


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    from mnemosyne.training import surroundings

    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("mnemosyne.training.surroundings.ctypes.CDLL", lambda _: pytest.fail("the C library was asked"))
    surroundings.hold_memory()
