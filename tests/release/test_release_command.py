"""`mnemosyne release` as a person calls it."""

import json
import sqlite3
from pathlib import Path

import pytest
import tiny_qwen as tiny
from tiny_qwen import Tiny

from mnemosyne.cli import main
from mnemosyne.datasets import Example, write_examples
from mnemosyne.release import making, parity
from mnemosyne.settings import Settings
from mnemosyne.weights import Model


def release(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["release", *arguments])
    return int(left.value.code or 0)


@pytest.fixture
def home(small: Tiny, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    monkeypatch.setenv("MNEMOSYNE_HOME", str(small.settings.home))
    monkeypatch.setenv("MNEMOSYNE_CONTEXT", "2048")
    return small


def test_a_run_becomes_a_measured_release(home: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """On a bench of one's own, with its database. The tiny model knows no SQL, so no file can be worse than another."""
    database = tmp_path / "lab.sqlite"
    with sqlite3.connect(database) as connection:
        connection.executescript(
            "CREATE TABLE samples (sample_id INTEGER PRIMARY KEY); INSERT INTO samples VALUES (1);"
        )
    connection.close()
    bench = tmp_path / "bench.jsonl"
    write_examples(bench, [Example("q1", "How many samples?", "SELECT COUNT(*) FROM samples", "own", "postgres")])
    out = tmp_path / "out"
    code = release(
        str(home.run), "-o", str(out), "--name", "own-model", "--formats", "adapter-f16,adapter-q8_0,q8_0,bf16",
        "--probes", "0", "--measure", str(bench), "--database", f"sqlite:///{database}",
    )  # fmt: skip
    said = capsys.readouterr()
    assert code == 0, said.err
    assert said.out.splitlines()[-1] == str(out)
    record = json.loads((out / "release.json").read_text())
    assert {one["form"] for one in record["measured"]} == {"adapter-f16", "adapter-q8_0", "q8_0", "bf16"}
    assert {(one["bench"], one["way"], one["n"]) for one in record["measured"]} == {("bench", "greedy", 1)}
    card = (out / "README.md").read_text()
    assert "# own-model" in card
    assert "### bench" in card
    assert "own-model-bf16.gguf (greedy) *" in card
    assert (tmp_path / "out-measured" / "report.html").is_file()
    assert not (out / "model.safetensors").exists(), "not asked for"
    assert "ADAPTER" not in (out / "Modelfile").read_text()


def test_an_adapter_alone_is_quick_and_says_that_it_was_not_measured(home: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("--formats", "adapter-q8_0", "--probes", "0", "--unmeasured")
    assert release(str(home.run / "best"), "--name", "only", "-o", str(out), *arguments) == 0
    assert {path.name for path in out.iterdir()} == {
        "only-adapter-q8_0.gguf", "adapter", "Modelfile", "README.md", "release.json", "SHA256SUMS",
    }  # fmt: skip
    card = (out / "README.md").read_text()
    assert "were not measured" in card
    assert "the base that was named for it" in card, "a PEFT folder does not say which file it was trained on"
    assert "ADAPTER ./only-adapter-q8_0.gguf" in (out / "Modelfile").read_text()


def test_an_adapter_without_its_run_takes_the_record_that_is_named(
    home: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out, other = tmp_path / "out", tmp_path / "other.json"
    record = json.loads((home.run / "run.json").read_text())
    arguments = ("--formats", "adapter-q8_0", "--probes", "0", "--unmeasured", "--name", "only", "-o", str(out))
    other.write_text(json.dumps(record | {"recipe": record["recipe"] | {"alpha": 1.5}}))
    assert release(str(home.run / "best"), *arguments, "--run", str(other)) == 2
    assert "its alpha is 1.5" in capsys.readouterr().err
    assert not out.exists()
    assert release(str(home.run / "best"), *arguments, "--run", str(home.run / "run.json")) == 0
    card = (out / "README.md").read_text()
    assert "without its run record" not in card
    assert "9,814 questions in 153 optimizer steps" in card
    assert "2026-11-24" in card
    other.write_text(json.dumps({key: value for key, value in record.items() if key not in ("questions", "steps")}))
    again = [*arguments[:-1], str(tmp_path / "again")]
    assert release(str(home.run / "best"), *again, "--run", str(other)) == 0, "a record of TRL's trainers"
    assert "were planned" not in (tmp_path / "again" / "README.md").read_text()


def test_a_release_without_a_measure_must_be_wanted(home: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert release(str(home.run), "-o", str(tmp_path / "out")) == 2
    assert "--unmeasured" in capsys.readouterr().err
    assert release(str(home.run)) == 2
    assert "-o DIR" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_shipping_prints_the_entry_that_it_wrote(home: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    entry = {"kind": "model", "about": "", "file": "t.gguf", "bytes": 1, "sha256": home.base.sha256, "licence": "",
             "context": 2048}  # fmt: skip
    (tmp_path / "catalogue.json").write_text(json.dumps({"tiny-base": entry}))
    arguments = ("--base", "tiny-base", "--name", "lab", "--ship", str(tmp_path))
    assert release(str(home.run), *arguments) == 2
    assert "finished release" in capsys.readouterr().err
    assert release(str(home.run), *arguments, "--unmeasured") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["lab"]["local"] == "adapters/lab-q8_0.gguf"
    assert json.loads((tmp_path / "catalogue.json").read_text())["lab"] == printed["lab"]


def test_a_finished_release_ships_the_very_file_that_was_measured(
    home: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    made, data = tmp_path / "made", tmp_path / "data"
    data.mkdir()
    arguments = ("--formats", "adapter-q8_0", "--probes", "0", "--unmeasured", "--name", "lab", "--licence", "MIT",
                 "-o", str(made))  # fmt: skip
    assert release(str(home.run), *arguments) == 0
    base = json.loads((made / "release.json").read_text())["base"]["name"]
    entry = {"kind": "model", "about": "", "file": "t.gguf", "bytes": 1, "sha256": home.base.sha256, "licence": "",
             "context": 2048}  # fmt: skip
    (data / "catalogue.json").write_text(json.dumps({base: entry}))
    capsys.readouterr()
    assert release(str(made), "--ship", str(data)) == 2
    assert "was not measured" in capsys.readouterr().err
    assert release(str(made), "--ship", str(data), "--upload", "lab/tiny") == 2
    assert "two steps" in capsys.readouterr().err
    record = json.loads((made / "release.json").read_text())
    record["measured"] = [{"form": "adapter-q8_0"}]
    (made / "release.json").write_text(json.dumps(record))
    making.write_sums(made)
    assert release(str(made), "--ship", str(data)) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["lab"]["sha256"] == record["files"]["adapter-q8_0"]["sha256"]
    assert printed["lab"]["licence"] == "MIT"
    assert (data / "adapters" / "lab-q8_0.gguf").read_bytes() == (made / "lab-adapter-q8_0.gguf").read_bytes()
    (made / "lab-adapter-q8_0.gguf").write_bytes(b"GGUF other")
    assert release(str(made), "--ship", str(data)) == 2
    assert "SHA256SUMS" in capsys.readouterr().err


def test_what_cannot_be_measured_is_said_before_the_work(
    home: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour later it would cost everything that was made."""
    monkeypatch.setattr(making, "make", lambda *arguments: pytest.fail("it began"))
    out = ("-o", str(tmp_path / "out"))
    assert release(str(home.run), *out, "--measure", "lab-dve") == 2
    assert "lab-dve" in capsys.readouterr().err
    assert release(str(home.run), "-o", str(tmp_path / "a,b"), "--measure", "lab-dev") == 2
    assert "comma" in capsys.readouterr().err
    evaluation = tmp_path / "evaluation"
    evaluation.mkdir()
    assert release(str(home.run), *out, "--unmeasured", "--evaluation", str(evaluation)) == 2
    assert "--unmeasured" in capsys.readouterr().err


def test_a_part_that_is_not_installed_is_named(
    home: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mnemosyne import errors

    monkeypatch.setattr(errors, "find_spec", lambda name: None if name == "peft" else True)
    assert release(str(home.run), "-o", str(tmp_path / "out"), "--unmeasured") == 2
    assert "pip install -e '.[release]'" in capsys.readouterr().err
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name == "matplotlib" else True)
    assert release(str(home.run), "-o", str(tmp_path / "out"), "--measure", "lab-dev") == 2
    assert "pip install -e '.[evaluate]'" in capsys.readouterr().err
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name == "torch" else True)
    with pytest.raises(SystemExit) as left:
        main(["train", "mnemosyne-0.5b", "--dry-run"])
    assert left.value.code == 2
    assert "pip install -e '.[train]'" in capsys.readouterr().err


@pytest.mark.weights
@pytest.mark.slow
def test_the_forms_of_the_half_billion_model_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real base, a small random adapter: merged, f16, Q8_0 and bf16 say what PEFT says; Q8_0 says what f16 says."""
    from mnemosyne.release import adapters
    from mnemosyne.training import base

    settings, said = Settings(), {}
    ask = parity.from_llamacpp

    def remembered(model: Model, asked: list[parity.Probe]) -> list[list[int]]:
        said[(model.adapter or model.gguf).stem] = ask(model, asked)
        return said[(model.adapter or model.gguf).stem]

    monkeypatch.setattr(parity, "from_llamacpp", remembered)
    monkeypatch.setattr(parity, "TOKENS", 16)
    dense = base.prepare("qwen2.5-coder-0.5b-instruct", settings)
    tensors = tiny.random_adapter(dense.config, 32, strength=0.02)
    folder = tiny.write_adapter(tmp_path / "adapter", tensors, 32, 64.0, dense.name)
    order = making.Order("small", formats=("adapter-f16", "adapter-q8_0", "bf16"), probes=1)
    record = making.make(adapters.read(str(folder), settings), order, tmp_path / "out", settings, lambda what: None)
    assert [one["form"] for one in record["parity"]] == ["merged", "adapter-f16", "adapter-q8_0", "bf16"]
    assert not [one for one in record["parity"] if one["faults"]]
    assert record["files"]["adapter-q8_0"]["bytes"] < 0.56 * record["files"]["adapter-f16"]["bytes"]
    assert said["small-adapter-q8_0"] == said["small-adapter-f16"]
