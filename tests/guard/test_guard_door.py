"""`mnemosyne guard`: the safe SQL on standard output and 0, or the reason on standard error and 3."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mnemosyne import lims


@pytest.fixture(scope="session")
def ddl(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("door") / "lab.sql"
    file.write_text(lims.ddl(), encoding="utf-8")
    return str(file)


def guard(*arguments: str, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "mnemosyne", "guard", *arguments]
    return subprocess.run(command, input=text, capture_output=True, timeout=60, check=False)


def test_a_query_passes(ddl: str) -> None:
    done = guard("SELECT * FROM methods WHERE accredited", "--schema", ddl)
    assert done.returncode == 0
    assert done.stdout.decode().startswith("SELECT method_id, method_code")
    assert done.stderr == b""


def test_an_attack_is_refused_with_3_and_its_reason(ddl: str) -> None:
    done = guard("WITH x AS (DELETE FROM samples RETURNING *) SELECT * FROM x", "--schema", ddl)
    assert done.returncode == 3
    assert done.stdout == b""
    assert done.stderr.startswith(b"writes: ")


def test_a_wrong_name_is_answered_with_the_nearest_ones(ddl: str) -> None:
    done = guard("SELECT sampel_id FROM samples", "--schema", ddl)
    assert done.returncode == 3
    assert b"samples.sample_id" in done.stderr


def test_a_dash_reads_standard_input(ddl: str) -> None:
    done = guard("-", "--schema", ddl, "--dialect", "sqlite", "--today", "2026-06-15",
                 text=b"SELECT sample_id FROM samples WHERE received_date > CURRENT_DATE - 7")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().strip().endswith("WHERE received_date > DATE('2026-06-15', '-7 days')")


@pytest.mark.parametrize(
    "text",
    [b"-" * 100_000, b"\x00", b"\xff\xfe\x00S", b"SELECT 1 " * 200_000, b"", b"--drop", b"SELECT '\x00'"],
    ids=["dashes", "nul", "no text", "two megabytes", "empty", "a comment", "nul in text"],
)
def test_standard_input_may_hold_anything(text: bytes, ddl: str) -> None:
    done = guard("-", "--schema", ddl, text=text)
    assert done.returncode == 3, done.stderr
    assert b"Traceback" not in done.stderr


def test_a_query_that_begins_with_a_dash_comes_after_two(ddl: str) -> None:
    done = guard("--schema", ddl, "--", "-- a comment\nSELECT 1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == b"SELECT 1"


def test_the_dialect_is_that_of_the_database(lab_sqlite: str) -> None:
    done = guard("SELECT COUNT(*) FROM samples WHERE matrix LIKE 'Raw%'", "--db", lab_sqlite)
    assert done.returncode == 0, done.stderr
    assert b"GLOB 'Raw*'" in done.stdout


def test_a_policy_is_kept(ddl: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("tables: {samples: {}}", encoding="utf-8")
    assert guard("SELECT sample_id FROM samples", "--schema", ddl, "--policy", str(policy)).returncode == 0
    assert guard("SELECT client_id FROM clients", "--schema", ddl, "--policy", str(policy)).returncode == 3


@pytest.mark.parametrize(
    "arguments", [(), ("--schema", "nowhere.sql"), ("--schema", "a", "--db", "b"), ("--db", "sqlite:///nowhere.db")]
)
def test_misuse_is_2(arguments: tuple[str, ...]) -> None:
    done = guard("SELECT 1", *arguments)
    assert done.returncode == 2, done.stderr
    assert b"Traceback" not in done.stderr


def test_a_dialect_that_is_not_executed_is_shown_and_marked(ddl: str) -> None:
    done = guard("SELECT sample_id FROM samples LIMIT 3", "--schema", ddl, "--dialect", "tsql")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == b"SELECT TOP 3 sample_id FROM samples"
    assert b"not executed here" in done.stderr
