"""The command line in this process, with a scripted model in the place of the weights."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from mnemosyne.cli import main
from mnemosyne.engines import Completion, Engine
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.prompt import Prompt

Script = list[str] | list[Completion] | Callable[[Prompt], str]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    """Its exit code."""
    out: str
    """Standard output."""
    err: str
    """Standard error."""


class CommandLine:
    """`cli("ask", "How many?", "--db", url, script=["SELECT 1"])`: the command, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd
        self.engine: Engine | None = None
        self.fetched: list[str] = []
        self.weights_are_here = True

    def __call__(self, *argv: str, script: Script | Engine = (), stdin: bytes | None = None) -> Ran:  # type: ignore[assignment]
        self.engine = ScriptedEngine(script) if isinstance(script, list | tuple) or callable(script) else script
        self._monkeypatch.setattr("mnemosyne.engines.open_engine", lambda name, settings: self.engine)
        self._monkeypatch.setattr("mnemosyne.cli.downloading.fetch", lambda name, settings: self.fetched.append(name))
        self._monkeypatch.setattr("mnemosyne.cli.downloading.is_here", lambda name, settings: self.weights_are_here)
        self._monkeypatch.setattr("mnemosyne.cli._leave", sys.exit)  # never end the process of the tests
        if stdin is not None:
            self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            main(list(argv))
        sys.stdout.flush()
        captured = self._capfd.readouterr()
        code = caught.value.code
        return Ran(code if isinstance(code, int) else 1, captured.out, captured.err)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capfd)


@pytest.fixture
def shell() -> Callable[..., Ran]:
    """`shell("ask", …)`: the command as a process of its own."""

    def run(*argv: str, stdin: bytes | None = None, **environment: str) -> Ran:
        import os

        done = subprocess.run(
            [sys.executable, "-m", "mnemosyne", *argv],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=120,
            env={**os.environ, **environment},
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
