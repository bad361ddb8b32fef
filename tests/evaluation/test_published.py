"""The published figures are what their records say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mnemosyne.errors import EvaluationError
from mnemosyne.evaluation.published import BEGIN, END, publish, renewed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "results.md"


def test_the_page_of_results_is_made_from_the_records_beside_it() -> None:
    assert renewed(PAGE) == PAGE.read_text(encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run in a folder."""
    figures = {"EX": {"value": 22.5, "low": 17.0, "high": 28.5, "n": 200}}
    record = {
        "metric": "mnemosyne-ex/1", "metrics": {"EX": "right"}, "version": "1", "seed": 0,
        "made": "2026-06-15T10:00:00",
        "machine": {"system": "Linux", "processor": "AMD", "cores": 2},
        "bench": {"name": "lab", "n": 200, "fingerprint": "f", "identity": "i", "engine": "postgres",
                  "populations": 3, "today": "2026-06-15"},
        "self_test": {"engines": ["postgres"], "golds": 200, "empty": []},
        "systems": [{"label": "base (greedy)", "model": "base", "weights": {"sha256": "cc32"},
                     "figures": {"all": {"all": figures}, "tier": {"simple": figures}, "hardness": {},
                                 "tag": {"t": figures}},
                     "cost": {"refused": 1, "failed": 2, "repaired": 0, "tokens": 400}, "errors": {"join": 9}}],
        "pairs": [], "worst": [{"question": "secret"}],
    }  # fmt: skip
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def test_publishing_a_run_writes_its_figures_with_interval_recipe_and_what_is_theirs(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    page.write_text(f"# Mine\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    publish(page, [run])
    text = page.read_text()
    assert "| base (greedy) | 22.5 [17.0, 28.5] |" in text
    assert "*Mnemosyne-3B (theirs, n = 200)* | *78.0*" in text
    assert "`cc32`" in text
    assert text.startswith("# Mine")
    assert text.endswith("after\n")
    assert "\nold\n" not in text
    assert "secret" not in (tmp_path / "results" / "lab.json").read_text()
    publish(page, [])
    assert page.read_text() == text


def test_a_page_without_a_place_for_figures_is_left_alone(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    page.write_text("# Mine\n")
    with pytest.raises(EvaluationError, match="no place for figures"):
        publish(page, [run])
    assert page.read_text() == "# Mine\n"


def test_rows_of_an_earlier_run_stay_until_they_are_measured_again(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    publish(page, [run])
    later = json.loads((run / "run.json").read_text())
    later["made"] = "2026-07-01T10:00:00"
    tuned = json.loads(json.dumps(later["systems"][0])) | {"label": "tuned (greedy)", "model": "tuned"}
    later["systems"] = [tuned]
    (run / "run.json").write_text(json.dumps(later))
    publish(page, [run])
    text = page.read_text()
    assert text.index("| base (greedy)") < text.index("| tuned (greedy)")
    assert "measured earlier, 2026-06-15: base (greedy)" in text
    later["bench"]["identity"] = "another clock"
    (run / "run.json").write_text(json.dumps(later))
    publish(page, [run])
    assert "base (greedy)" not in page.read_text()
