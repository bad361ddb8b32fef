"""Confidence is a number only where there are signs and coefficients, and more doubt never makes it surer."""

import json
from dataclasses import replace
from importlib import util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mnemosyne.grounding import confidence
from mnemosyne.grounding.confidence import SIGNS, Signs, probability

MODEL = "mnemosyne-1.5b"
SURE = Signs(logprobs=(-0.01,) * 40, repairs=0, empty=False)
BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def calibration() -> ModuleType:
    spec = util.spec_from_file_location("calibration", BENCHMARKS / "confidence.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_log_probabilities_there_is_no_number() -> None:
    assert probability(replace(SURE, logprobs=()), MODEL) is None


def test_inputs_stay_in_their_bounds_whatever_a_model_says() -> None:
    wild = Signs(logprobs=(-80.0, -0.0), repairs=9, empty=True)
    assert len(wild.inputs()) == len(SIGNS)
    assert all(abs(value) <= 4 for value in wild.inputs())


def test_coefficients_give_a_probability(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = dict.fromkeys(SIGNS, 0.0) | {"bias": 1.0, "mean_logprob": 1.0, "empty": -2.0}
    monkeypatch.setattr(confidence, "_coefficients", lambda model: weights)
    sure, unsure = probability(SURE, MODEL), probability(replace(SURE, logprobs=(-0.4,) * 40), MODEL)
    empty = probability(replace(SURE, empty=True), MODEL)
    assert sure is not None
    assert unsure is not None
    assert empty is not None
    assert 0 < unsure < sure < 1
    assert empty < sure


def test_what_is_shipped_says_how_it_was_made() -> None:
    file = Path(confidence.__file__).parent.parent / "data" / "grounding" / "confidence.json"
    if not file.exists():
        assert probability(SURE, MODEL) is None  # not calibrated, no number
        return
    shipped = json.loads(file.read_text())
    assert set(shipped["coefficients"]) == set(SIGNS)
    assert shipped["recipe"]["set"] == "lab-dev"
    assert shipped["reliability"]["answers"] >= 50
    assert probability(SURE, MODEL) is not None
    assert probability(SURE, "another") is None


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
