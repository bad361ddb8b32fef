"""What a person sees: numbers with all their digits, on terminals of every encoding."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mnemosyne.cli.console import show

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Ran

POSIX = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (33150.25, "33150.25"),
        (123456.7, "123456.7"),
        (999999.6, "999999.6"),
        (1234567.891, "1234567.891"),
        (0.30000000000000004, "0.3"),
        (2.675, "2.675"),
        (1 / 3, "0.333333333333333"),
        (5.0, "5"),
        (-0.0, "0"),
        (-12.5, "-12.5"),
        (0.000001, "0.000001"),
        (0.0000123, "0.0000123"),
        (1.5e-7, "1.5e-07"),
        (123456789012345.6, "123456789012346"),
        (99999999999999.5, "99999999999999.5"),
        (999999999999999.9, "1000000000000000"),
        (9007199254740991.0, "9007199254740991"),
        (1e20, "1e+20"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (100.0, "100"),
        (1234567, "1234567"),
    ],
)
def test_a_number_is_shown_with_its_digits_and_without_noise(value: float, shown: str) -> None:
    assert show(value) == shown


def test_any_number_is_shown_to_fifteen_digits_and_written_out_where_that_is_short() -> None:
    chance = random.Random(1)
    for _ in range(2_000):
        [value] = struct.unpack("d", chance.randbytes(8))
        decimal = round(chance.uniform(-1e6, 1e6), chance.randrange(5))
        for number in (value, decimal):
            if number == number:
                assert float(show(number)) == float(f"{number:.15g}") or number.is_integer()
        assert float(show(decimal)) == decimal
        assert "e" not in show(decimal) or abs(decimal) < 1e-6


def test_the_table_of_an_answer_keeps_the_digits(cli: CommandLine, lab_sqlite: str) -> None:
    sql = "SELECT 33150.25 AS a, 123456.7 AS b, 999999.6 AS c, 0.1 + 0.2 AS d FROM clients LIMIT 1"
    ran = cli("ask", "How much?", "--db", lab_sqlite, script=[sql])
    assert ran.out.splitlines()[-3].split() == ["33150.25", "123456.7", "999999.6", "0.3"]


@pytest.mark.parametrize("terminal", [POSIX, {"PYTHONIOENCODING": "latin-1"}], ids=["posix", "latin-1"])
def test_a_terminal_without_utf_8_gets_plainer_signs(
    terminal: dict[str, str], shell: Callable[..., Ran], tmp_path: Path
) -> None:
    ran = shell("models", **terminal, MNEMOSYNE_HOME=str(tmp_path))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.isascii()
    assert "qwen2.5-coder-0.5b-instruct" in ran.out
    assert "\\u" not in ran.out


def test_a_value_that_a_terminal_cannot_show_is_not_turned_into_another(
    shell: Callable[..., Ran], tmp_path: Path
) -> None:
    (tmp_path / "lab.sql").write_text("CREATE TABLE t (ort TEXT CHECK (ort IN ('Łask')));", encoding="utf-8")
    query = "SELECT ort FROM t WHERE ort = 'Łask'"
    ran = shell("guard", query, "--schema", str(tmp_path / "lab.sql"), PYTHONIOENCODING="latin-1")
    assert ran.code == 0
    assert "Traceback" not in ran.err
    assert r"\u0141" in ran.out
