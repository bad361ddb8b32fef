"""The house stands: imports go down only, the command line is quick and documented, doors hold no SQL."""

import ast
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from mnemosyne.cli import VERBS
from mnemosyne.cli.reference import reference, setting_docs
from mnemosyne.errors import SettingsError
from mnemosyne.settings import Settings, load

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "mnemosyne"

FLOORS = {
    "errors": 0,
    "data": 0,
    "settings": 1,
    "locks": 1,
    "cluster": 1,
    "schema": 1,
    "results": 1,
    "weights": 2,
    "prompt": 2,
    "guard": 2,
    "databases": 3,
    "engines": 3,
    "datasets": 3,
    "grounding": 4,
    "synthesis": 4,
    "training": 4,
    "assistant": 5,
    "lims": 5,
    "release": 5,
    "evaluation": 6,
    "audit": 6,
    "server": 7,
    "mcp": 7,
    "ui": 8,
    "cli": 9,
}
HEAVY = {"torch", "transformers", "ray", "matplotlib", "duckdb", "xllamacpp", "rich", "sqlglot", "numpy"}


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """The rooms that a file imports, at any depth, except for type checking only."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    rooms = set()
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "mnemosyne":
            names = [f"mnemosyne.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        rooms |= {name.split(".")[1] for name in names if name.startswith("mnemosyne.")}
    return rooms & set(FLOORS)


FILES = [
    path for path in sorted(SOURCE.rglob("*.py")) if path.parent != SOURCE or path.stem not in {"__init__", "__main__"}
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_room_imports_only_lower_floors(path: Path) -> None:
    home = room(path)
    assert home in FLOORS, f"{home} has no floor: give it one"
    upward = {name for name in imported_rooms(path) if name != home and FLOORS[name] >= FLOORS[home]}
    assert not upward, f"{path.name} (floor {FLOORS[home]}) imports {sorted(upward)}"


def test_the_page_gives_every_room_its_floor() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", (ROOT / "docs" / "house.md").read_text(), re.MULTILINE)
    assert rows
    assert {name: int(floor) for floor, name in rows} == {name: FLOORS[name] for _, name in rows}
    assert [int(floor) for floor, _ in rows] == sorted(int(floor) for floor, _ in rows)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom mnemosyne.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('LOADED', *sorted(name for name in sys.modules if '.' not in name))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split("LOADED", 1)[1].split())
    assert not loaded & HEAVY


def test_help_is_there_in_less_than_three_tenths_of_a_second() -> None:
    """Of processor time, the best of five: other programs want the machine too."""

    def seconds() -> float:
        before = os.times()
        subprocess.run([sys.executable, "-m", "mnemosyne", "--help"], capture_output=True, check=True)
        after = os.times()
        spent = after.children_user - before.children_user + after.children_system - before.children_system
        return spent or after.elapsed - before.elapsed

    assert min(seconds() for _ in range(5)) < 0.3


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mnemosyne", verb, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: mnemosyne" in done.stdout


def test_a_wrong_verb_gets_the_nearest_one() -> None:
    done = subprocess.run([sys.executable, "-m", "mnemosyne", "pul"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Did you mean 'pull'?" in done.stderr


def test_the_reference_is_the_one_that_the_commands_give() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == reference(), "run: make docs"


def test_every_setting_is_documented_and_parsed() -> None:
    names = [field.name for field in fields(Settings)]
    assert list(setting_docs()) == names
    for name in names:
        assert f"MNEMOSYNE_{name.upper()}" in reference()
    assert load({"MNEMOSYNE_MAX_ROWS": "7", "MNEMOSYNE_OFFLINE": "yes"}).max_rows == 7
    with pytest.raises(SettingsError, match="MNEMOSYNE_MAXROWS is not a setting"):
        load({"MNEMOSYNE_MAXROWS": "7"})
    with pytest.raises(SettingsError, match="not a value of kind int"):
        load({"MNEMOSYNE_MAX_ROWS": "many"})


def test_doors_hold_no_sql() -> None:
    for path in (SOURCE / "cli").glob("*.py"):
        strings = [
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        if path.stem != "console":  # writes Parquet files through DuckDB
            assert not [text for text in strings if text.startswith(("SELECT ", "WITH "))], path.name


def test_every_module_says_what_it_is() -> None:
    for path in SOURCE.rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"
