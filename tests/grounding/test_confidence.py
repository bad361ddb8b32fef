"""Confidence is a number only where there are signs and coefficients, and more doubt never makes it surer."""

import json
import sqlite3
import tempfile
from dataclasses import replace
from importlib import util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mnemosyne.assistant import Assistant, Options
from mnemosyne.databases import open_database
from mnemosyne.engines import Engine
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.evaluation.replaying import ReplayingEngine
from mnemosyne.grounding import confidence
from mnemosyne.grounding.confidence import SIGNS, VOTED, Signs, probability

ADAPTER = "0" * 64
SURE = Signs(logprobs=(-0.01,) * 40, repairs=0, empty=False)
SHIPPED = Path(confidence.__file__).parent.parent / "data" / "grounding" / "confidence.json"
DRAFT = "SELECT name FROM products"
BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


def calibrated() -> str:
    """The sha256 of the adapter that the shipped coefficients belong to."""
    return str(json.loads(SHIPPED.read_text())["single"][0]["recipe"]["adapter_sha256"])


@pytest.fixture(scope="module")
def calibration() -> ModuleType:
    spec = util.spec_from_file_location("calibration", BENCHMARKS / "confidence.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_log_probabilities_there_is_no_number() -> None:
    assert probability(replace(SURE, logprobs=()), calibrated()) is None


def test_inputs_stay_in_their_bounds_whatever_a_model_says() -> None:
    wild = Signs(logprobs=(-80.0, -0.0), repairs=9, empty=True)
    assert wild.names == SIGNS
    assert len(wild.inputs()) == len(SIGNS)
    voted = replace(wild, agreement=1.0)
    assert voted.names == VOTED
    assert len(voted.inputs()) == len(VOTED)
    assert all(abs(value) <= 4 for value in (*wild.inputs(), *voted.inputs()))


def test_coefficients_give_a_probability(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = dict.fromkeys(SIGNS, 0.0) | {"bias": 1.0, "mean_logprob": 1.0, "empty": -2.0}
    monkeypatch.setattr(confidence, "_coefficients", lambda adapter_sha256, voted: weights)
    sure, unsure = probability(SURE, ADAPTER), probability(replace(SURE, logprobs=(-0.4,) * 40), ADAPTER)
    empty = probability(replace(SURE, empty=True), ADAPTER)
    assert sure is not None
    assert unsure is not None
    assert empty is not None
    assert 0 < unsure < sure < 1
    assert empty < sure


def test_what_is_shipped_says_how_it_was_made() -> None:
    shipped = json.loads(SHIPPED.read_text())
    for kind, signs in (("single", SIGNS), ("voted", VOTED)):
        for fit in shipped.get(kind, []):
            assert tuple(fit["coefficients"]) == signs
            assert fit["recipe"]["set"] == "lab-dev"
            assert fit["reliability"]["answers"] >= 50
        adapters = [fit["recipe"]["adapter_sha256"] for fit in shipped.get(kind, [])]
        assert len(set(adapters)) == len(adapters), "one fit for each adapter"
        for adapter in adapters:
            voted = replace(SURE, agreement=0.9 if kind == "voted" else None)
            assert probability(voted, adapter) is not None


def test_a_vote_is_judged_by_the_coefficients_of_votes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The more candidates agree, the surer; coefficients of single drafts say nothing of votes."""
    known = {False: dict.fromkeys(SIGNS, 0.0), True: dict.fromkeys(VOTED, 0.0) | {"agreement": 1.0}}
    monkeypatch.setattr(confidence, "_coefficients", lambda adapter_sha256, voted: known[voted])
    said = {}
    for texts in ([DRAFT] * 4, [DRAFT, "SELECT 1", DRAFT, "SELECT 2"]):
        engine = ScriptedEngine(texts, adapter_sha256=ADAPTER)
        said[len(set(texts))] = told(engine, Options(votes=4))
    assert said[1] == pytest.approx(1 / (1 + np.exp(-2)))
    assert said[3] == pytest.approx(0.5)
    monkeypatch.setattr(confidence, "_coefficients", lambda adapter_sha256, voted: {} if voted else known[False])
    assert told(ScriptedEngine([DRAFT] * 4, adapter_sha256=ADAPTER), Options(votes=4)) is None
    assert told(ScriptedEngine([DRAFT], adapter_sha256=ADAPTER)) == 0.5


def test_coefficients_belong_to_an_adapters_bytes_not_to_its_name() -> None:
    """A new adapter of the old name, another adapter and a whole model have no number."""
    said = {sha256: told(ScriptedEngine([DRAFT], name="mnemosyne-1.5b", adapter_sha256=sha256))
            for sha256 in (calibrated(), ADAPTER, None)}  # fmt: skip
    assert said[calibrated()] is not None
    assert said[ADAPTER] is None
    assert said[None] is None


def test_what_stands_before_an_engine_says_which_adapter_answers() -> None:
    """Replayed drafts keep their confidence."""
    engine = ScriptedEngine([DRAFT], adapter_sha256=calibrated())
    assert told(ReplayingEngine(engine, {})) is not None


def told(engine: Engine, options: Options | None = None) -> float | None:
    """The confidence of an answer, over a table that holds one row."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.db"
        with sqlite3.connect(path) as connection:
            connection.executescript("CREATE TABLE products (name TEXT); INSERT INTO products VALUES ('kettle');")
        connection.close()
        with Assistant.over(engine, open_database(f"sqlite:///{path}"), options=options) as assistant:
            answer = assistant.ask("What are the names of the products?")
    assert not answer.problem
    return answer.confidence


def test_the_fit_finds_the_coefficients_that_made_the_answers(calibration: ModuleType) -> None:
    draw = np.random.default_rng(3)
    inputs = np.column_stack([np.ones(6000), draw.normal(size=(6000, 2))])
    truth = np.array([0.5, 2.0, -1.0])
    right = (draw.random(6000) < 1 / (1 + np.exp(-inputs @ truth))).astype(float)
    assert calibration.fit(inputs, right) == pytest.approx(truth, abs=0.15)
    report = calibration.reliability(calibration.cross_validated(inputs, right), right)
    assert report["ece"] < 0.03
    assert report["auc"] > 0.8
    assert 0 < report["accepted_at_95"] < 1


def test_answers_that_are_all_right_or_all_wrong_do_not_break_the_fit(calibration: ModuleType) -> None:
    inputs = np.ones((20, 1))
    assert np.isfinite(calibration.fit(inputs, np.ones(20))).all()
