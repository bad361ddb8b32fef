"""`make bench` runs every benchmark to its end, and leaves nothing where it was called."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import sqlglot

from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.evaluation.benches import Where, open_bench
from mnemosyne.evaluation.running import prepare
from mnemosyne.evaluation.workers import Workers

ROOT = Path(__file__).parent.parent.parent
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look for it there
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
    from mnemosyne.grounding.confidence import SIGNS, VOTED

    confidence = loaded("confidence")
    kept = tmp_path / "confidence.json"
    places = []
    known: str | None = None

    def ask(model: str, out: Path, limit: int, votes: int) -> None:
        places.append(out)
        names = SIGNS if votes == 1 else VOTED
        rows = [{"inputs": [1.0] + [n / 40] * (len(names) - 1), "right": n % 3 == 0, "model": model,
                 "adapter_sha256": known, "names": names, "votes": votes} for n in range(40)]  # fmt: skip
        out.write_text("".join(json.dumps(row) + "\n" for row in rows))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(confidence, "ask", ask)
    monkeypatch.setattr(confidence, "TARGET", kept)
    monkeypatch.setattr("sys.argv", ["confidence.py"])
    confidence.main()
    assert json.loads(capsys.readouterr().out)["single"][0]["reliability"]["answers"] == 40
    assert not list(tmp_path.iterdir())
    assert not places[0].exists()
    monkeypatch.setattr("sys.argv", ["confidence.py", "--out", "signs.jsonl"])
    confidence.main()
    monkeypatch.setattr("sys.argv", ["confidence.py", "--fit", "signs.jsonl"])
    with pytest.raises(SystemExit, match="do not say which adapter"):
        confidence.main()
    assert not kept.exists()
    known = "ab" * 32
    ask("lab", Path("signs.jsonl"), 0, 1)
    confidence.main()
    ask("lab", Path("voted.jsonl"), 0, 8)
    monkeypatch.setattr("sys.argv", ["confidence.py", "--fit", "voted.jsonl"])
    confidence.main()
    found = json.loads(kept.read_text())
    assert sorted(found) == ["single", "voted"]
    assert [one["recipe"]["adapter_sha256"] for fits in found.values() for one in fits] == [known, known]
    assert list(found["single"][0]["coefficients"]) == [*SIGNS]
    assert list(found["voted"][0]["coefficients"]) == [*VOTED]
    known = "cd" * 32
    ask("small", Path("signs.jsonl"), 0, 1)
    monkeypatch.setattr("sys.argv", ["confidence.py", "--fit", "signs.jsonl", "voted.jsonl"])
    confidence.main()
    again = json.loads(kept.read_text())
    assert [one["recipe"]["model"] for one in again["single"]] == ["lab", "small"], "an adapter's fit leaves the others"
    assert again["voted"] == found["voted"]
    monkeypatch.setattr("sys.argv", ["confidence.py", "--plot", "plot.svg"])
    confidence.main()
    drawn = Path("plot.svg").read_text()
    assert "lab" in drawn
    assert "confidence, %" in drawn


def test_judged_answers_of_another_model_are_not_added_to(tmp_path: Path) -> None:
    kept = tmp_path / "signs.jsonl"
    kept.write_text(json.dumps({"id": "lab-dev-001", "model": "mnemosyne-0.5b", "votes": 1}) + "\n")
    for model, votes in (("mnemosyne-1.5b", 1), ("mnemosyne-0.5b", 8)):
        with pytest.raises(SystemExit, match="another model or with another number of votes"):
            loaded("confidence").ask(model, kept, 150, votes)
    assert len(kept.read_text().splitlines()) == 1


def test_judging_goes_on_where_it_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A torn line is asked again, a whole one is not, and another adapter of the name is refused."""
    from mnemosyne.engines import Completion
    from mnemosyne.engines.scripted import ScriptedEngine

    confidence, kept = loaded("confidence"), tmp_path / "signs.jsonl"
    reply = Completion("SELECT COUNT(*) FROM samples", logprobs=(-0.1,) * 5)
    engine = ScriptedEngine(lambda prompt: reply, adapter_sha256="ab" * 32)
    monkeypatch.setattr("mnemosyne.engines.open_engine", lambda name, settings: engine)
    confidence.ask("lab", kept, 3, 1)
    first, *rest = kept.read_text().splitlines(keepends=True)
    assert len(rest) == 2
    kept.write_text("".join([first, rest[0][:20]]))
    asked = len(engine.prompts)
    confidence.ask("lab", kept, 3, 1)
    assert sorted(kept.read_text().splitlines()) == sorted(line.strip() for line in [first, *rest])
    assert len(engine.prompts) < 2 * asked
    monkeypatch.setattr(engine, "adapter_sha256", "cd" * 32)
    with pytest.raises(SystemExit, match="another adapter"):
        confidence.ask("lab", kept, 4, 1)


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


def test_a_catalogue_of_many_databases_answers_as_they_do(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    """Golds return the rows of their own database though tables of one name are in many of them."""
    linking = loaded("linking")
    spider = shared_data("spider_train")
    bench, owns = linking.merged(spider, tmp_path, 40)
    with Workers(1) as judges:
        found = prepare(bench, judges, linking.LIMITS, lambda *step: None)
    assert found is not None
    assert (found.golds, found.empty) == (40, ())
    with open_bench("spider", Where(tmp_path, data=spider), limit=40) as plain:
        homes = {example.id: plain.worlds[example.schema][0] for example in plain.examples}
        golds = {example.id: example.sql for example in plain.examples}
    catalogue = sqlite3.connect(tmp_path / "catalogue.sqlite")
    for example in bench.examples:
        home = sqlite3.connect(homes[example.id].removeprefix("sqlite:///"))
        assert sorted(catalogue.execute(example.sql), key=repr) == sorted(home.execute(golds[example.id]), key=repr)
        home.close()
    catalogue.close()
    arms = {name: (asked, way) for name, asked, way in linking.arms(bench, owns, 1_200)}
    for example in arms["oracle"][0].examples:
        used = {t.name.lower() for t in sqlglot.parse_one(example.sql, read="sqlite").find_all(sqlglot.exp.Table)}
        assert {t.name.lower() for t in arms["oracle"][0].schemas[example.schema].tables} == used
    assert len(bench.schemas["catalogue"].tables) > 700
    assert arms["linked"][1].label == "greedy, linked 1200"


@pytest.mark.parametrize("kind", ["bfloat16", "float32"])
def test_the_speed_benchmark_names_the_precision_that_transformers_took(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mnemosyne.settings import Settings

    class Engine(ScriptedEngine):
        def __enter__(self) -> Engine:
            return self

        def __exit__(self, *error: object) -> None:
            self.close()

    monkeypatch.setattr("mnemosyne.engines.open_engine", lambda name, chosen: Engine(lambda asked: "SELECT 1"))
    monkeypatch.setattr("mnemosyne.engines.precision.dtype", lambda: f"torch.{kind}")
    speed = loaded("speed")
    monkeypatch.setattr(speed, "ratio", lambda slow, fast: "1.00x")
    speed.bench_reference(Settings(), "x", 1)
    assert f"| one question: Transformers, {kind}, temperature 0.1 |" in capsys.readouterr().out


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
