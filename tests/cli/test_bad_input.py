"""Bad input, as a person meets it: the program as a process, one line that says what happened, never a trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Ran


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "empty.db").touch()
    (tmp_path / "noise.db").write_bytes(b"SQLite format 3\x00" + b"\xa5" * 5_000)
    (tmp_path / "letter.txt").write_text("Dear laboratory,\n" * 100)
    (tmp_path / "data.sql").write_text("INSERT INTO t VALUES (1);")
    (tmp_path / "open.sql").write_text("CREATE TABLE t (a INT, b TEXT DEFAULT 'x")
    (tmp_path / "fake.gguf").write_bytes(b"GGUF" + b"\x00" * 100)
    return tmp_path


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["ask", "How many?", "--db", "sqlite:///{}/absent.db"], "There is no file"),
        (["ask", "How many?", "--db", "{}/empty.db"], "is empty"),
        (["ask", "How many?", "--db", "{}/noise.db"], "cannot be read as a SQLite database"),
        (["ask", "How many?", "--db", "{}/letter.txt"], "is not a SQLite or DuckDB database"),
        (["ask", "How many?", "--db", "postgresql://u:pw@127.0.0.1:1/x?connect_timeout=2"], "does not answer"),
        (["ask", "How many?", "--db", "oracle://host/x"], "No database of kind 'oracle'"),
        (["ask", "How many?"], "Missing option '--db'"),
        (["ask", "How many?", "--db", "{lab}", "--model", "qwen2.5-coder-0.5b-instrukt"], "Did you mean qwen2.5-coder"),
        (["ask", "How many?", "--db", "{lab}", "--model", "absent.gguf"], "There is no file absent.gguf"),
        (["ask", "How many?", "--db", "{lab}", "--model", "{}/letter.txt"], "is not a GGUF file"),
        (["ask", "--How many?", "--db", "{lab}"], "No such option"),
        (["schema", "--schema", "{}/data.sql"], "holds no CREATE TABLE"),
        (["schema", "--schema", "{}/open.sql"], "never closed"),
        (["schema", "--schema", "{}/absent.sql"], "There is no file"),
        (["schema", "--schema", "{}/fake.gguf"], "cannot be read|not text|holds no CREATE TABLE"),
        (["schema"], "Give either --db URL or --schema FILE"),
        (["lims", "create", "sqlite:///{}/no/folder/lab.db"], "There is no folder"),
        (["lims", "create", "mysql://host/lab"], "is not the URL of a database that can be made"),
        (["lims", "create", "{lab}"], "exists already"),
        (["lims", "create", "sqlite:///{}/letter.txt", "--force"], "nothing was touched"),
        (["lims", "create", "sqlite:////proc/x.db", "--scale", "0.01"], "/proc/x.db cannot be written"),
        (["lims", "create", "duckdb:////proc/x.db", "--scale", "0.01"], "/proc/x.db cannot be written"),
        (["lims", "create", "postgresql://u:pw@127.0.0.1:1/x"], "No connection to the PostgreSQL server"),
        (["lims", "create", "sqlite:///{}/x.db", "--scale", "-1"], "scale"),
        (["predict", "{}/absent.jsonl", "-o", "{}/p.jsonl"], "does not exist"),
        (["pull", "gpt"], "No model is called 'gpt'"),
        (["asc"], "Did you mean 'ask'?"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else "",
)
def test_the_reason_is_said_in_a_line_and_the_exit_code_is_2(
    argv: list[str], words: str, folder: Path, lab_sqlite: str, shell: Callable[..., Ran]
) -> None:
    import re

    before = sorted(path.name for path in folder.iterdir())
    ran = shell(*(part.replace("{lab}", lab_sqlite).replace("{}", str(folder)) for part in argv))
    assert ran.code == 2, ran
    assert re.search(words if "|" in words else re.escape(words), ran.err)
    assert "Traceback" not in ran.err
    assert ":pw@" not in ran.err
    assert ran.out == ""
    assert sorted(path.name for path in folder.iterdir()) == before


def test_an_unknown_setting_is_told_with_the_known_ones(shell: Callable[..., Ran], lab_sqlite: str) -> None:
    ran = shell("ask", "How many?", "--db", lab_sqlite, MNEMOSYNE_MODLE="x")
    assert ran.code == 2
    assert "MNEMOSYNE_MODLE is not a setting" in ran.err
    assert "MNEMOSYNE_MODEL" in ran.err


def test_ctrl_c_while_waiting_for_a_question(lab_sqlite: str) -> None:
    with subprocess.Popen(
        [
            sys.executable,
            "-u",
            "-c",
            f"import mnemosyne.cli as c; print('up', flush=True); c.main({['ask', '-', '--db', lab_sqlite]!r})",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        import time

        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.decode().strip() == "mnemosyne: interrupted."


def test_a_reader_that_stops_early_is_no_error(lab_sqlite: str) -> None:
    command = (
        f"'{sys.executable}' -m mnemosyne schema --db '{lab_sqlite}' --format json | head -1; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[0] == "{"
    assert done.stdout.splitlines()[-1] in ("0", "141")  # all of it may have been written before head ends
    assert done.stderr == ""
    for argv in (["schema", "--db", lab_sqlite, "--format", "json"], ["models"], ["ask", "--help"]):
        reader, writer = os.pipe()
        os.close(reader)
        gone = subprocess.run([sys.executable, "-m", "mnemosyne", *argv], stdout=writer, stderr=-1, check=False)
        os.close(writer)
        assert (gone.returncode, gone.stderr) == (141, b""), argv
