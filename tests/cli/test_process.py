"""The program as a process, from the question to the rows: with a model server, on a terminal, and interrupted."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Ran

COUNT = "SELECT COUNT(*) AS n FROM clients"


class ModelServer(ThreadingHTTPServer):
    """A model server that answers every chat with one text, after a while."""

    daemon_threads = True

    def __init__(self, text: str, seconds: float = 0.0) -> None:
        self.text = text
        self.seconds = seconds
        self.asked = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def model(self) -> str:
        return f"openai:http://127.0.0.1:{self.server_port}/v1#stand-in"


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer

    def do_GET(self) -> None:
        self._send({"data": [{"id": "stand-in", "meta": {"n_ctx": 4096}}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.set()
        time.sleep(self.server.seconds)
        message = {"role": "assistant", "content": self.server.text}
        self._send({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": {}})

    def _send(self, reply: dict[str, Any]) -> None:
        data = json.dumps(reply).encode()
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            self.close_connection = True  # the client has gone

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Callable[..., ModelServer]]:
    started: list[ModelServer] = []

    def start(text: str, seconds: float = 0.0) -> ModelServer:
        started.append(ModelServer(text, seconds))
        threading.Thread(target=started[-1].serve_forever, daemon=True).start()
        return started[-1]

    yield start
    for one in started:
        one.shutdown()
        one.server_close()


def test_a_pipe_gets_the_rows_and_nothing_else(
    server: Callable[..., ModelServer], shell: Callable[..., Ran], lab_duckdb: str
) -> None:
    model = server(f"```sql\n{COUNT};\n```").model
    ran = shell("ask", "-", "--db", lab_duckdb, "--model", model, "--format", "csv", stdin=b"How many clients?\n")
    assert (ran.code, ran.out.split()) == (0, ["n", "40"])
    assert "\x1b" not in ran.out + ran.err


def test_a_server_that_fails_is_said_in_a_line(shell: Callable[..., Ran], lab_sqlite: str) -> None:
    ran = shell("ask", "How many?", "--db", lab_sqlite, "--model", "openai:http://127.0.0.1:1/v1#x")
    assert ran.code == 2
    assert "Traceback" not in ran.err
    assert "127.0.0.1:1" in ran.err


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, *argv: str) -> None:
        self.parent, child = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
        command = [sys.executable, "-m", "mnemosyne", *argv]
        self.process = subprocess.Popen(
            command, stdin=child, stdout=child, stderr=child, env=environment, start_new_session=True
        )
        os.close(child)
        self.screen = ""

    def until(self, words: str, seconds: float = 60.0) -> str:
        """What has appeared, once `words` are part of it (or the program has ended)."""
        end = time.monotonic() + seconds
        while words not in self.plain and time.monotonic() < end:
            if not select.select([self.parent], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self.parent, 65536)
            except OSError:  # the program has closed its side
                break
            if not data:
                break
            self.screen += data.decode("utf-8", "replace")
        assert words in self.plain, self.plain
        return self.plain

    @property
    def plain(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.screen)

    def type(self, text: str) -> None:
        os.write(self.parent, text.encode())

    def end(self) -> int:
        code = self.process.wait(timeout=60)
        os.close(self.parent)
        return code


def test_on_a_terminal_the_sql_is_highlighted_reviewed_and_run(
    server: Callable[..., ModelServer], lab_sqlite: str
) -> None:
    terminal = Terminal("ask", "How many clients?", "--db", lab_sqlite, "--model", server(COUNT).model)
    shown = terminal.until("Run it? [Y/n]")
    assert "COUNT(*) AS n" in shown
    assert "\x1b[" in terminal.screen
    assert "40" not in shown.split("COUNT(*) AS n")[1]
    terminal.type("y\n")
    terminal.until("of which the model")
    assert re.search(r"\b40\b", terminal.plain.split("Run it?")[1])
    assert terminal.end() == 0


def test_a_query_that_is_declined_does_not_run(server: Callable[..., ModelServer], lab_sqlite: str) -> None:
    terminal = Terminal("ask", "How many clients?", "--db", lab_sqlite, "--model", server(COUNT).model)
    terminal.until("Run it? [Y/n]")
    terminal.type("n\n")
    terminal.until("did not approve")
    assert terminal.end() == 1


@pytest.mark.parametrize("verb", ["ask", "predict"])
def test_ctrl_c_while_the_model_thinks(
    verb: str, server: Callable[..., ModelServer], lab_sqlite: str, tmp_path: Any
) -> None:
    slow = server(COUNT, seconds=60.0)
    (tmp_path / "q.jsonl").write_text('{"id": 1, "question": "How many clients?"}\n')
    argv = {
        "ask": ["ask", "How many clients?"],
        "predict": ["predict", str(tmp_path / "q.jsonl"), "-o", str(tmp_path / "p.jsonl")],
    }[verb]
    process = subprocess.Popen(
        [sys.executable, "-m", "mnemosyne", *argv, "--db", lab_sqlite, "--model", slow.model],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert slow.asked.wait(60)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.decode().strip().endswith("mnemosyne: interrupted.")
    assert b"Traceback" not in err
    assert out == b""
    assert time.monotonic() - started < 20
    assert not (tmp_path / "p.jsonl").exists()
