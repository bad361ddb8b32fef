"""`mnemosyne ask`: SQL and table for people, files for programs, a review before anything runs."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import click
import duckdb
import pytest

from mnemosyne.engines import Completion

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

COUNT = "SELECT COUNT(*) AS n FROM clients"
NAMES = "SELECT client_id, client_name, registered_date, active, city FROM clients ORDER BY client_id LIMIT 3"


def test_the_sql_comes_before_the_table(cli: CommandLine, lab_sqlite: str) -> None:
    ran = cli("ask", "How many clients?", "--db", lab_sqlite, script=[COUNT])
    assert ran.code == 0
    words = [word for word in ran.out.split() if set(word) != {"─"}]
    assert words == ["SELECT", "COUNT(*)", "AS", "n", "FROM", "clients", "n", "40", "1", "row"]
    assert "of which the model" in ran.err


def test_csv_is_for_programs_so_the_sql_stands_aside(cli: CommandLine, lab_sqlite: str) -> None:
    ran = cli("ask", "Who?", "--db", lab_sqlite, "--format", "csv", script=[NAMES])
    rows = list(csv.reader(io.StringIO(ran.out)))
    assert rows[0] == ["client_id", "client_name", "registered_date", "active", "city"]
    assert [row[0] for row in rows[1:]] == ["1", "2", "3"]
    assert "SELECT" in ran.err


def test_json_keeps_null_and_makes_names_different(cli: CommandLine, lab_sqlite: str) -> None:
    sql = "SELECT client_id, NULL AS nothing, client_id AS nothing FROM clients ORDER BY 1 LIMIT 1"
    ran = cli("ask", "Who?", "--db", lab_sqlite, "--format", "json", script=[sql])
    assert json.loads(ran.out) == [{"client_id": 1, "nothing": None, "nothing_2": 1}]


def test_the_name_of_the_file_says_its_format(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    for name in ("r.csv", "r.json", "r.parquet"):
        ran = cli("ask", "Who?", "--db", lab_sqlite, "-o", str(tmp_path / name), script=[NAMES])
        assert ran.code == 0, ran.err
        assert ran.out == ""
        assert len(duckdb.sql(f"SELECT * FROM '{tmp_path / name}'").fetchall()) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.csv", "r.json", "r.parquet"]


def test_parquet_has_the_types_of_the_values(cli: CommandLine, lab_duckdb: str, tmp_path: Path) -> None:
    sql = "SELECT client_id, client_name, registered_date, active, client_id * 1.5 AS f, city FROM clients"
    ran = cli("ask", "Who?", "--db", lab_duckdb, "-o", str(tmp_path / "r.parquet"), script=[sql])
    assert ran.code == 0, ran.err
    types = duckdb.sql(f"SELECT * FROM '{tmp_path / 'r.parquet'}'").types
    assert [str(kind) for kind in types] == ["BIGINT", "VARCHAR", "DATE", "BOOLEAN", "DOUBLE", "VARCHAR"]


def test_parquet_of_no_rows_still_has_its_columns(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    sql = "SELECT client_id, city FROM clients WHERE client_id < 0"
    assert cli("ask", "Who?", "--db", lab_sqlite, "-o", str(tmp_path / "r.parquet"), script=[sql]).code == 0
    assert duckdb.sql(f"SELECT * FROM '{tmp_path / 'r.parquet'}'").columns == ["client_id", "city"]


def test_only_sql_runs_nothing(cli: CommandLine, lab_sqlite: str) -> None:
    ran = cli("ask", "How many clients?", "--db", lab_sqlite, "--sql-only", script=[COUNT])
    assert (ran.code, ran.out.split()) == (0, COUNT.split())


def test_explain_shows_every_attempt(cli: CommandLine, lab_sqlite: str) -> None:
    ran = cli("ask", "How many?", "--db", lab_sqlite, "--explain", script=["SELECT clint_id FROM clients", COUNT])
    assert ran.code == 0
    assert "1. draft" in ran.err
    assert "did you mean" in ran.err
    assert "2. repair" in ran.err
    assert "✓ 1 rows" in ran.err
    assert "2 attempts" in ran.err


def test_explain_says_what_the_model_was_told(cli: CommandLine, lab_sqlite: str) -> None:
    ran = cli("ask", "How many E.coli results in tap water?", "--db", lab_sqlite, "--explain", script=[COUNT, COUNT])
    assert "told beside the question: determinands.determinand_name = 'E. coli'; samples.matrix" in ran.err


def test_what_the_query_leaves_out_is_told(cli: CommandLine, lab_sqlite: str) -> None:
    ran = cli("ask", "How many clients in Ireland?", "--db", lab_sqlite, script=[COUNT, COUNT])
    assert ran.code == 0
    assert "The question says 'Ireland', and the query has no such condition: clients.country = 'Ireland'." in ran.err


def test_parquet_on_a_terminal_is_told_before_the_model_is_asked(
    cli: CommandLine, lab_sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    ran = cli("ask", "Who?", "--db", lab_sqlite, "--format", "parquet", "--yes", script=[NAMES])
    assert ran.code == 2
    assert "Parquet is not for a terminal" in ran.err
    assert not cli.engine.prompts  # type: ignore[union-attr]


def test_parquet_goes_through_a_pipe(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    piped = io.TextIOWrapper(io.BytesIO())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", piped)
        assert cli("ask", "Who?", "--db", lab_sqlite, "--format", "parquet", script=[NAMES]).code == 0
    (tmp_path / "r.parquet").write_bytes(piped.buffer.getvalue())  # type: ignore[attr-defined]
    assert len(duckdb.sql(f"SELECT * FROM '{tmp_path / 'r.parquet'}'").fetchall()) == 3


def test_votes_say_how_many_agree(cli: CommandLine, lab_sqlite: str) -> None:
    ran = cli("ask", "How many?", "--db", lab_sqlite, "--votes", "3", script=["SELECT 1", COUNT, COUNT])
    assert "40" in ran.out
    assert "67% of the candidates agree" in ran.err


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        (["DROP TABLE clients"] * 3, 3, "Not run:"),
        (["I cannot say."] * 3, 1, "without SQL"),
        ([Completion("Well, let me", finish="length")] * 3, 1, "cut"),
        (["SELECT COUNT(*) FROM clients HAVING NTILE(0) OVER () > 1"] * 3, 1, "The database stopped the query"),
    ],
)
def test_no_answer_has_its_reason_and_its_exit_code(
    script: list[str], code: int, words: str, cli: CommandLine, lab_sqlite: str
) -> None:
    ran = cli("ask", "How many clients?", "--db", lab_sqlite, script=script)
    assert ran.code == code
    assert words in ran.err
    assert not [line for line in ran.out.splitlines() if "row" in line]


def test_no_repair_asks_the_model_once(cli: CommandLine, lab_sqlite: str) -> None:
    assert cli("ask", "?", "--db", lab_sqlite, "--no-repair", script=["SELECT x FROM clients", COUNT]).code == 3


@pytest.mark.parametrize(("typed", "code", "shown"), [("y\n", 0, "40"), ("n\n", 1, "did not approve"), ("\n", 0, "40")])
def test_on_a_terminal_the_sql_is_reviewed_before_it_runs(
    typed: str, code: int, shown: str, cli: CommandLine, lab_sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(typed.encode()))
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    ran = cli("ask", "How many clients?", "--db", lab_sqlite, script=[COUNT])
    assert ran.code == code
    assert "Run it? [Y/n]" in ran.out + ran.err
    assert shown in ran.out + ran.err
    assert cli("ask", "How many clients?", "--db", lab_sqlite, "--yes", script=[COUNT]).code == 0


def test_standard_input_takes_what_a_command_line_cannot(cli: CommandLine, lab_sqlite: str) -> None:
    ran = cli("ask", "-", "--db", lab_sqlite, script=[COUNT], stdin="--How many clients \u2013 all of them?".encode())
    assert ran.code == 0
    assert cli.engine is not None
    assert "--How many clients \u2013 all of them?" in cli.engine.prompts[0].tail  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("question", "stdin", "code", "words"),
    [
        ("", None, 1, "empty"),
        ("x" * 10_000, None, 1, "10,000 characters"),
        ("a\x07b", None, 1, "control characters"),
        ("-", b"", 1, "empty"),
        ("-", b"\x7fELF\x02\x01\xff\xfe", 2, "not text in UTF-8"),
        ("-", b"SELECT\x00", 1, "control characters"),
        ("-", b"x" * 2_000_000, 2, "longer than"),
        ("caf\udce9", None, 2, "not text in UTF-8"),
    ],
)
def test_what_is_no_question_is_said_and_no_model_is_asked(
    question: str, stdin: bytes | None, code: int, words: str, cli: CommandLine, lab_sqlite: str
) -> None:
    ran = cli("ask", question, "--db", lab_sqlite, script=[COUNT], stdin=stdin)
    assert ran.code == code
    assert words in ran.err
    assert not cli.engine.prompts  # type: ignore[union-attr]
    assert cli.fetched == []


def test_a_cut_result_says_so(cli: CommandLine, lab_sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNEMOSYNE_MAX_ROWS", "5")
    sql = "SELECT sample_id FROM samples"
    table = cli("ask", "Which?", "--db", lab_sqlite, script=[sql])
    assert "5 rows, cut by the limit" in table.out
    written = cli("ask", "Which?", "--db", lab_sqlite, "--format", "csv", script=[sql])
    assert len(written.out.splitlines()) == 6
    assert "The limit cut the result after 5 rows" in written.err


def test_a_schema_that_does_not_fit_is_said_in_numbers(cli: CommandLine, lab_sqlite: str) -> None:
    from mnemosyne.engines.scripted import ScriptedEngine

    ran = cli("ask", "How many?", "--db", lab_sqlite, script=ScriptedEngine([COUNT], context=450))
    assert ran.code == 1
    assert "tokens" in ran.err


def test_a_cell_cannot_move_the_cursor(cli: CommandLine, lab_sqlite: str) -> None:
    ran = cli("ask", "?", "--db", lab_sqlite, script=["SELECT CHR(27) || '[2Jx' AS wicked FROM clients LIMIT 1"])
    assert "\x1b" not in ran.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "/nowhere/at/all.csv"], "There is no folder"),
        (["-o", "/tmp"], "is a folder"),
        (["-o", "x.csv", "--format", "table"], "A table is for the eye"),
        (["--votes", "0"], "--votes"),
        (["--sql-only", "-o", "x.sql"], "--sql-only prints SQL"),
        (["--sql-only", "--format", "json"], "--sql-only prints SQL"),
        (["--today", "yesterday"], "--today"),
    ],
)
def test_misuse_is_told_before_any_work(
    options: list[str], words: str, cli: CommandLine, lab_sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = cli("ask", "How many?", "--db", lab_sqlite, *options, script=[COUNT])
    assert ran.code == 2
    assert words in ran.err
    assert not cli.engine.prompts  # type: ignore[union-attr]
    assert not list(tmp_path.iterdir())


def test_a_wrong_database_is_told_before_weights_are_fetched(cli: CommandLine, lab_sqlite: str) -> None:
    assert cli("ask", "How many?", "--db", "sqlite:///absent.db", script=[COUNT]).code == 2
    assert cli.fetched == []
    cli("ask", "How many?", "--db", lab_sqlite, script=[COUNT])
    assert len(cli.fetched) == 1


def test_ctrl_c_ends_with_130_and_without_a_trace(cli: CommandLine, lab_sqlite: str) -> None:
    def interrupted(prompt: object) -> str:
        raise KeyboardInterrupt

    ran = cli("ask", "How many?", "--db", lab_sqlite, script=interrupted)
    assert ran.code == 130
    assert ran.err.strip().endswith("mnemosyne: interrupted.")


def test_sql_for_a_database_that_is_not_executed_is_marked_as_such(cli: CommandLine, lab_sqlite: str) -> None:
    ran = cli("ask", "Which clients?", "--db", lab_sqlite, "--sql-only", "--dialect", "tsql", script=[NAMES])
    assert ran.code == 0, ran.err
    assert "SELECT TOP 3" in " ".join(ran.out.split())
    assert "not executed here" in ran.err


def test_such_a_dialect_goes_with_sql_only(cli: CommandLine, lab_sqlite: str) -> None:
    ran = cli("ask", "Which clients?", "--db", lab_sqlite, "--dialect", "tsql", script=[NAMES])
    assert ran.code == 2
    assert "--sql-only" in ran.err


def test_sql_that_is_only_shown_is_told_of_like_one_that_ran(cli: CommandLine, lab_sqlite: str) -> None:
    ran = cli("ask", "How many clients in Ireland?", "--db", lab_sqlite, "--sql-only", script=[COUNT, COUNT])
    assert ran.code == 0
    assert ran.out.split() == COUNT.split()
    assert "understood: clients" in ran.err
    assert "The question says 'Ireland', and the query has no such condition" in ran.err


def test_what_was_understood_stands_before_the_review(
    cli: CommandLine, lab_sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda text, default: bool(click.echo("Run it?", err=True)))
    ran = cli("ask", "How many clients?", "--db", lab_sqlite, script=[COUNT])
    assert ran.code == 1
    assert ran.err.split("Run it?")[0].splitlines() == ["understood: clients"]
    assert "understood" not in ran.err.split("Run it?")[1]


def test_a_pipe_or_device_is_written_to_and_not_replaced(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    """As root, `-o /dev/null` would otherwise make a file of /dev/null."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert cli("ask", "How many?", "--db", lab_sqlite, "-o", str(pipe), script=[COUNT]).code == 0
        assert os.read(reader, 100).split() == [b"n", b"40"]
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_the_file_that_standard_output_goes_to_is_not_replaced(
    cli: CommandLine, lab_sqlite: str, tmp_path: Path
) -> None:
    with (tmp_path / "out.csv").open("w") as stream:
        stream.write("before\n")
        stream.flush()
        place = f"/dev/fd/{stream.fileno()}"
        assert cli("ask", "How many?", "--db", lab_sqlite, "-o", place, script=[COUNT]).code == 0
        stream.seek(0, os.SEEK_END)
        stream.write("after\n")
    assert (tmp_path / "out.csv").read_text().split() == ["before", "n", "40", "after"]


def test_a_link_stays_and_its_file_keeps_its_permissions(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("older")
    (tmp_path / "real.csv").chmod(0o600)
    (tmp_path / "link.csv").symlink_to("real.csv")
    assert cli("ask", "How many?", "--db", lab_sqlite, "-o", str(tmp_path / "link.csv"), script=[COUNT]).code == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().split() == ["n", "40"]
    assert stat.S_IMODE((tmp_path / "real.csv").stat().st_mode) == 0o600


def test_more_columns_than_a_line_holds_are_listed_row_by_row(cli: CommandLine, lab_sqlite: str) -> None:
    columns = ", ".join(f"client_id AS column_{n}, city AS city_{n}" for n in range(20))
    ran = cli("ask", "?", "--db", lab_sqlite, script=[f"SELECT {columns} FROM clients ORDER BY client_id LIMIT 2"])
    lines = [line.split() for line in ran.out.splitlines()]
    assert [line for line in lines if line[:1] == ["column_19"]] == [["column_19", "1"], ["column_19", "2"]]
    assert ran.out.rstrip().endswith("2 rows")


def test_a_broken_database_is_told_before_weights_are_fetched(cli: CommandLine, tmp_path: Path) -> None:
    cli.weights_are_here = False
    (tmp_path / "noise.db").write_bytes(b"SQLite format 3\x00" + b"\xa5" * 5_000)
    ran = cli("ask", "How many?", "--db", str(tmp_path / "noise.db"), script=[COUNT])
    assert ran.code == 2
    assert "cannot be read as a SQLite database" in ran.err
    assert cli.fetched == []


def test_weights_are_here_when_every_part_of_a_name_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from mnemosyne.cli import downloading
    from mnemosyne.settings import Settings

    base = "qwen2.5-coder-1.5b-instruct"
    found = {base}
    monkeypatch.setattr("mnemosyne.weights.cached", lambda one, s: tmp_path if one.name in found else None)
    names = (base, f"{base}+{tmp_path / 'own.gguf'}", "mnemosyne-1.5b", "openai:http://127.0.0.1:1/v1#x")
    assert [downloading.is_here(name, Settings()) for name in names] == [True, True, False, True]
    found.add("mnemosyne-1.5b")
    assert downloading.is_here("mnemosyne-1.5b", Settings())
