"""A whole release: folder, checks, gate, card, checksums, upload."""

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import tiny_qwen as tiny
from tiny_qwen import Tiny

from mnemosyne import release
from mnemosyne.errors import ReleaseError
from mnemosyne.release import card, gates, making, parity

assert release.__doc__


@dataclass(frozen=True)
class Made:
    """A finished release."""

    folder: Path
    record: dict
    told: list[str]
    evaluation: dict


@pytest.fixture(scope="module")
def made(small: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A release of every format, measured by an evaluation in which Q4_K_M is half a point worse."""
    out, told = tmp_path_factory.mktemp("release") / "tiny-lab", []
    measured = []

    def measure(models: Mapping[str, str]) -> list[dict]:
        measured.append(evaluation(models, {"q4_k_m": 85.5}, ex=86.0))
        return measured

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity, "probes", short_probes)
        patch.setattr(parity, "TOKENS", 10)
        order = making.Order("tiny-lab", probes=2, measure=measure)
        record = making.make(small.adapter, order, out, small.settings, told.append)
    return Made(out, record, told, measured[0])


def short_probes(count: int) -> list[parity.Probe]:
    """Probes that fit the tiny model's memory; its odds are flat, so a few tokens are enough."""
    from mnemosyne import prompt

    return [
        parity.Probe(f"probe-{i}", prompt.build("CREATE TABLE samples (sample_id INTEGER);", f"How many {i}?"))
        for i in range(count)
    ]


def evaluation(models: Mapping[str, str], worse: Mapping[str, float], *, ex: float) -> dict:
    """What `mnemosyne evaluate` writes, for these files as they lie on the disk."""
    systems = []
    for form, name in models.items():
        base, _, adapter = name.partition("+")
        weights = {"sha256": making.sha256(Path(base)), "base": base}
        if adapter:
            weights["adapter_sha256"] = making.sha256(Path(adapter))
        value = worse.get(form, ex)
        figures = {
            "all": {"all": {"EX": {"value": value, "low": value - 5.25, "high": value + 4.75, "n": 150}}},
            "tier": {"simple": {"EX": {"value": 97.5, "low": 93.1, "high": 99.9, "n": 64}}},
        }
        label = f"{name} (greedy)"
        cost = {"seconds_median": 1.37}
        systems.append({"label": label, "way": "greedy", "weights": weights, "figures": figures, "cost": cost})
    return {
        "metric": "mnemosyne-ex/1", "metrics": {"EX": "right rows"}, "version": "0.1.0",
        "made": "2026-11-24T22:40:11+00:00", "seed": 0,
        "bench": {"name": "lab-dev", "n": 150, "fingerprint": "fedcba9876543210", "identity": "x", "engine": "postgres",
                  "populations": 3, "schemas": 1, "today": "2026-06-15", "unanswerable": False},
        "systems": systems,
    }  # fmt: skip


def test_a_release_holds_every_form_and_nothing_else(made: Made) -> None:
    out, record, told = made.folder, made.record, made.told
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert names == {
        "tiny-lab-adapter-f16.gguf", "tiny-lab-adapter-q8_0.gguf", "tiny-lab-bf16.gguf", "tiny-lab-q8_0.gguf",
        "tiny-lab-q4_k_m.gguf", "model.safetensors", "config.json", "generation_config.json", "tokenizer.json",
        "tokenizer_config.json", "chat_template.jinja", "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors", "Modelfile", "README.md", "release.json", "SHA256SUMS",
    }  # fmt: skip
    assert not [path for path in out.parent.iterdir() if path != out], "nothing is left beside it"
    assert json.loads((out / "release.json").read_text()) == json.loads(json.dumps(record))
    assert told[0] == "adapter"
    sizes = {form: record["files"][form]["bytes"] for form in ("q4_k_m", "q8_0", "bf16")}
    assert sizes["q4_k_m"] < sizes["q8_0"] < sizes["bf16"]


def test_the_checksums_are_those_of_sha256sum(made: Made) -> None:
    out, record = made.folder, made.record
    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=out, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()
    listed = {line.split("  ")[1]: line.split("  ")[0] for line in (out / "SHA256SUMS").read_text().splitlines()}
    for file in record["files"].values():
        assert listed[file["file"]] == file["sha256"]


def test_every_lossless_form_says_what_the_adapter_says_on_its_base(made: Made) -> None:
    record = made.record
    found = {one["form"]: one for one in record["parity"]}
    assert found.keys() == {"merged", "adapter-f16", "adapter-q8_0", "bf16", "q8_0", "q4_k_m"}
    for form in ("merged", "adapter-f16", "adapter-q8_0", "bf16"):
        assert not found[form]["faults"]
        assert found[form]["same"] + found[form]["ties"] == 2


def test_an_adapter_on_the_wrong_base_is_caught_by_parity(small: Tiny, tmp_path: Path) -> None:
    """The same matrices with another scale: what a converter that forgets alpha would write."""
    asked = short_probes(2)
    right = tmp_path / "right"
    tiny.write_adapter(right, dict(small.adapter.tensors), 32, 64.0, "base")
    tiny.write_adapter(tmp_path / "wrong", dict(small.adapter.tensors), 32, 16.0, "base")
    references = parity.from_transformers(small.base.folder, asked, adapter=right)
    answers = [one.tokens for one in parity.from_transformers(small.base.folder, asked, adapter=tmp_path / "wrong")]
    found = parity.compare("wrong", references, answers, [probe.id for probe in asked])
    with pytest.raises(ReleaseError, match="do not say the same: wrong on probe-0"):
        parity.demand([found])


def test_a_file_that_loses_more_than_a_point_stops_the_release(small: Tiny, made: Made, tmp_path: Path) -> None:
    sums = {}

    def measure(models: Mapping[str, str]) -> list[dict]:
        sums.update({form: making.sha256(Path(file)) for form, file in models.items()})
        return [evaluation(models, {"q4_k_m": 84.9}, ex=86.0)]

    order = making.Order("tiny-lab", formats=("bf16", "q4_k_m"), probes=0, measure=measure)
    with pytest.raises(ReleaseError, match=r"q4_k_m loses 1\.1 points of EX on lab-dev \(84\.9\)"):
        making.make(small.adapter, order, tmp_path / "out", small.settings, lambda what: None)
    assert not list(tmp_path.iterdir()), "nothing is left"
    before = {form: made.record["files"][form]["sha256"] for form in sums}
    assert sums == before, "the same adapter gives the same bytes, so its evaluation still counts"


def test_only_evaluations_of_exactly_these_bytes_count(small: Tiny) -> None:
    files = {"bf16": "a" * 64, "q8_0": "b" * 64}

    def system(sha256: str, value: float) -> dict:
        figures = {"all": {"all": {"EX": {"value": value, "n": 10}}}}
        return {"way": "greedy", "weights": {"sha256": sha256}, "figures": figures}

    bench = {"bench": {"name": "lab-dev"}}
    with pytest.raises(ReleaseError, match="Nobody measured q8_0 beside bf16"):
        gates.measured(files, [bench | {"systems": [system("a" * 64, 90.0), system("c" * 64, 90.0)]}])
    with pytest.raises(ReleaseError, match="Nobody measured bf16, q8_0"):
        gates.measured(files, [bench | {"systems": [system("b" * 64, 90.0)]}])
    with pytest.raises(ReleaseError, match="nothing to compare"):
        gates.measured({"q8_0": "b" * 64}, [])
    found = gates.measured(files, [bench | {"systems": [system("a" * 64, 90.0), system("b" * 64, 89.0)]}])
    assert [(one.form, one.loss) for one in found] == [("bf16", 0.0), ("q8_0", 1.0)]
    gates.demand(found)


def test_an_evaluation_without_execution_accuracy_judges_no_file_and_stands_in_the_card_once(
    small: Tiny, tmp_path: Path
) -> None:
    """Questions without an answer have no EX. What was measured and is named once more is shown once."""
    abstaining = {"ABS": {"value": 41.7, "low": 30.0, "high": 53.3, "n": 60}}
    system = {"label": "tiny (greedy)", "way": "greedy", "weights": {"sha256": "d" * 64}, "cost": {"seconds_median": 1},
              "figures": {"all": {"all": abstaining}, "tier": {}}}  # fmt: skip
    given = evaluation({}, {}, ex=0.0) | {"metrics": {"ABS": "says so"}, "systems": [system]}
    given["bench"] = given["bench"] | {"name": "lab-unanswerable"}
    order = making.Order(
        "tiny-lab",
        formats=("adapter-f16",),
        probes=0,
        measure=lambda models: [evaluation(models, {}, ex=86.0), given],
        evaluations=(given,),
    )
    record = making.make(small.adapter, order, tmp_path / "out", small.settings, lambda what: None)
    assert [(one["form"], one["bench"]) for one in record["measured"]] == [("adapter-f16", "lab-dev")]
    text = (tmp_path / "out" / "README.md").read_text()
    assert re.findall(r"^### (lab.+)$", text, re.MULTILINE) == ["lab-dev", "lab-unanswerable"]
    assert "41.7 [30.0, 53.3]" in text


def test_misuse_is_said_before_anything_is_written(small: Tiny, tmp_path: Path) -> None:
    def make(adapter, **order) -> None:
        making.make(adapter, making.Order("x", **order), tmp_path / "out", small.settings, lambda what: None)

    with pytest.raises(ReleaseError, match="No format is called 'q3_k'"):
        make(small.adapter, formats=("q3_k",))
    with pytest.raises(ReleaseError, match="does not say what its base is"):
        make(replace(small.adapter, base=""))
    with pytest.raises(ReleaseError, match="its sha256 differs"):
        make(replace(small.adapter, base_sha256="0" * 64))
    with pytest.raises(ReleaseError, match="nothing to compare"):
        make(small.adapter, formats=("q4_k_m",), measure=lambda models: [])
    for name in ("lab/model", "../model", ".model", ""):
        with pytest.raises(ReleaseError, match="cannot be the name of a model"):
            making.make(small.adapter, making.Order(name), tmp_path / "out", small.settings, lambda what: None)
    assert not list(tmp_path.iterdir())
    (tmp_path / "out").mkdir()
    with pytest.raises(ReleaseError, match="exists already"):
        make(small.adapter)


# The model card ---------------------------------------------------------------------------------------------------

NUMBER = re.compile(r"(?<![\w./:-])-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w./:])")


def numbers(value: object) -> set[float]:
    """Every number in a JSON document, also those inside texts such as dates and versions, and counts of lists."""
    if isinstance(value, Mapping):
        return set().union(*(numbers(one) for one in value.values()), *(numbers(key) for key in value))
    if isinstance(value, list | tuple):
        return {float(len(value))}.union(*(numbers(one) for one in value))
    if isinstance(value, bool) or value is None:
        return set()
    if isinstance(value, int | float):
        return {float(value), round(float(value), 1), round(float(value), 2), float(f"{value:g}")}
    words = re.sub(r"\b[0-9a-f]{16,64}\b", "", str(value))  # digits of a checksum are no figures
    return {abs(float(number)) for number in re.findall(r"\d+(?:\.\d+)?", words)}


def test_every_number_of_the_card_comes_from_the_records(made: Made, small: Tiny) -> None:
    out, record = made.folder, made.record
    text = (out / "README.md").read_text()
    known = numbers(record) | numbers(dict(small.adapter.run)) | numbers(made.evaluation)
    found = [float(number.replace(",", "")) for number in NUMBER.findall(text)]
    assert len(found) > 80
    unknown = [number for number in found if number not in known and abs(number) not in known]
    assert not unknown


def test_the_sentences_of_the_card_hold_no_figure() -> None:
    for text in (card.INTENDED, card.LIMITS, card.ETHICS):
        assert not re.search(r"\d", text)


def test_a_record_of_trls_trainers_makes_a_card(small: Tiny, made: Made, tmp_path: Path) -> None:
    """It plans no steps and counts no rows left out; the card then says neither."""
    from mnemosyne.training import recipe as recipes
    from mnemosyne.training import trl_record

    (tmp_path / "pairs.jsonl").write_text('{"id": "1", "question": "q", "sql": "SELECT 1", "schema": "own"}\n')
    (tmp_path / "r.yaml").write_text(
        "name: own\nbase: tiny\nframe: trl\nselect: loss\ndata: [{path: pairs.jsonl}]\nstart_from: runs/before\n"
    )
    out = tmp_path / "run"
    out.mkdir()
    facts = trl_record.start(recipes.load(str(tmp_path / "r.yaml")), tmp_path, out, "tiny", "0" * 64)
    trl_record.finish(out, facts, [{"step": 1, "loss": 0.5}], 0.1)
    run = json.loads((out / "run.json").read_text())
    card.check(run)
    text = card.card(made.record, run, [made.evaluation])
    assert "`pairs.jsonl`" in text
    assert "were planned" not in text
    assert "went on from the adapter `runs/before`" in text


def test_a_record_that_is_not_whole_is_said_before_the_work(small: Tiny, tmp_path: Path) -> None:
    torn = {key: value for key, value in small.adapter.run.items() if key != "machine"}
    with pytest.raises(ReleaseError, match="machine"):
        making.make(replace(small.adapter, run=torn), making.Order("x"), tmp_path / "out", small.settings, print)
    assert not list(tmp_path.iterdir())


def test_an_adapter_of_another_base_is_refused_also_when_nothing_is_merged(small: Tiny, tmp_path: Path) -> None:
    """Its file would carry the sha256 of a base that it does not fit, and pass for it."""
    tensors = {name: tensor[:, :8] if ".lora_A." in name else tensor for name, tensor in small.adapter.tensors.items()}
    wrong = replace(small.adapter, tensors=tensors, base_sha256="")
    order = making.Order("x", formats=("adapter-q8_0",), probes=0)
    with pytest.raises(ReleaseError, match="does not fit this base"):
        making.make(wrong, order, tmp_path / "out", small.settings, print)
    assert not list(tmp_path.iterdir())


def test_one_release_at_a_time_works_in_a_folder(small: Tiny, tmp_path: Path) -> None:
    from filelock import FileLock

    order = making.Order("x", formats=("adapter-q8_0",), probes=0)
    with FileLock(tmp_path / ".out.lock"), pytest.raises(ReleaseError, match="Another release"):
        making.make(small.adapter, order, tmp_path / "out", small.settings, print)
    making.make(small.adapter, order, tmp_path / "out", small.settings, lambda what: None)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_hubs_name_is_no_base(small: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="nor a GGUF file") as caught:
        making.make(
            replace(small.adapter, base="Qwen/Qwen2.5-Coder-3B"),
            making.Order("x"),
            tmp_path / "out",
            small.settings,
            print,
        )
    assert "--base FILE.gguf" in caught.value.hint


def test_the_card_follows_its_inputs(made: Made, small: Tiny) -> None:
    """Another run, another evaluation: other figures in the card, and none of the old ones."""
    record = made.record
    run = json.loads(json.dumps(dict(small.adapter.run)).replace("9814", "77777").replace("6543", "55555"))
    run["recipe"]["learning_rate"] = 3.25e-4
    bench = evaluation({"bf16": str(small.base.gguf)}, {}, ex=61.25)
    text = card.card(record, run, [bench])
    for figure in ("77,777", "55,555", "0.000325", "61.2 [56.0, 66.0]"):
        assert figure in text
    for figure in ("9,814", "6,543", "0.0002 "):
        assert figure not in text


def test_the_card_says_everything_that_it_should(made: Made) -> None:
    import yaml

    out, record = made.folder, made.record
    text = (out / "README.md").read_text()
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == [
        "Intended use", "Files", "Use", "Training data", "Hyper-parameters", "Run", "Results",
        "Checks of this release", "Limits", "Ethical considerations", "Licence", "Citation",
    ]  # fmt: skip
    header = yaml.safe_load(text.split("---")[1])
    assert header["license"] == "apache-2.0"
    values = {metric["value"] for result in header["model-index"][0]["results"] for metric in result["metrics"]}
    assert values == {86.0, 85.5}
    for file in record["files"].values():
        assert file["sha256"] in text
    assert "86.0 [80.8, 90.8]" in text
    assert "93.1, 99.9" in text


def test_an_unmeasured_release_says_so(small: Tiny) -> None:
    record = {
        "name": "x", "version": "0.1.0", "licence": "Apache-2.0", "base": {"name": "b", "sha256": "c"},
        "adapter": {"rank": 8, "alpha": 16.0, "parameters": 100, "step": None}, "files": {}, "parity": [],
        "measured": [],
    }  # fmt: skip
    text = card.card(record, {}, [])
    assert "were not measured" in text
    assert "were not compared" in text
    assert "without its run record" in text
