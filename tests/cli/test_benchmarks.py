"""`make bench` runs every benchmark to its end, and leaves nothing where it was called."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def required(usage: str) -> str:
    """What of argparse's usage is not in brackets: the arguments that must be given."""
    while re.search(r"\[[^\[\]]*\]", usage):
        usage = re.sub(r"\[[^\[\]]*\]", "", usage)
    return usage.split(".py", 1)[1].strip()


def test_what_must_be_given_is_seen_in_a_usage() -> None:
    assert required("usage: a.py [-h] [--fit FIT [FIT ...]] [{x,y}]") == ""
    assert required("usage: a.py [-h] --model MODEL {x,y}") == "--model MODEL {x,y}"


@pytest.mark.parametrize("file", BENCHMARKS, ids=lambda file: file.stem)
def test_a_benchmark_needs_no_argument(file: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, file, "--help"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert required(done.stdout.partition("\n\n")[0]) == ""
    assert not list(tmp_path.iterdir())


def test_the_confidence_benchmark_writes_nothing_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mnemosyne.grounding.confidence import SIGNS

    confidence = loaded("confidence")
    kept = tmp_path / "confidence.json"
    places = []
    known: str | None = None

    def ask(model: str, out: Path, limit: int) -> None:
        places.append(out)
        rows = [{"inputs": [1.0] + [n / 40] * (len(SIGNS) - 1), "right": n % 3 == 0, "model": model,
                 "adapter_sha256": known} for n in range(40)]  # fmt: skip
        out.write_text("".join(json.dumps(row) + "\n" for row in rows))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(confidence, "ask", ask)
    monkeypatch.setattr(confidence, "TARGET", kept)
    monkeypatch.setattr("sys.argv", ["confidence.py"])
    confidence.main()
    assert json.loads(capsys.readouterr().out)["reliability"]["answers"] == 40
    assert not list(tmp_path.iterdir())
    assert not places[0].exists()
    monkeypatch.setattr("sys.argv", ["confidence.py", "--out", "signs.jsonl"])
    confidence.main()
    monkeypatch.setattr("sys.argv", ["confidence.py", "--fit", "signs.jsonl"])
    with pytest.raises(SystemExit, match="do not say which adapter"):
        confidence.main()
    assert not kept.exists()
    known = "ab" * 32
    ask("lab", Path("signs.jsonl"), 0)
    confidence.main()
    assert json.loads(kept.read_text())["recipe"]["adapters"] == {known: "lab"}
    assert set(json.loads(kept.read_text())["coefficients"]) == set(SIGNS)


@pytest.mark.parametrize("there", [True, False], ids=["with Spider", "without Spider"])
def test_the_grounding_benchmark_measures_all_that_it_can(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    grounding = loaded("grounding")
    if there:
        (tmp_path / "tables.json").write_text("[]")
    done: list[str] = []
    for name in ("values", "abstain", "tables"):
        monkeypatch.setattr(grounding, name, lambda *arguments, name=name: done.append(name))
    monkeypatch.setattr("sys.argv", ["grounding.py", "--spider", str(tmp_path)])
    grounding.main()
    assert done == ["values", "abstain", "tables"][: 3 if there else 2]
    assert ("not measured" in capsys.readouterr().out) is not there


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")
def test_make_bench_runs_all_of_them_though_one_fails(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/ran\ncase $1 in *evaluate*) exit 1; esac\n')
    python.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "-o", ".venv/.dev", "bench", f"BIN={tmp_path}"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    ran = (tmp_path / "ran").read_text().splitlines()
    assert [line.split()[0] for line in ran] == [f"benchmarks/{file.name}" for file in BENCHMARKS]
    assert "benchmarks/train.py --quick" in ran
    assert [line for line in ran if "--quick" in line] == [line for line in ran if len(line.split()) > 1]
    assert done.returncode != 0
    assert "failed: benchmarks/evaluate.py" in done.stderr
