"""The report: one page that needs nothing else, the same as Markdown, and plots for what there is to see."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mnemosyne.evaluation.record import Record
from mnemosyne.evaluation.report import write_report

pytest.importorskip("matplotlib")


def figure(value: float, n: int = 200) -> dict[str, float]:
    return {"value": value, "low": max(0.0, value - 6), "high": min(100.0, value + 6), "n": n}


def system(label: str, value: float, **changes: Any) -> dict[str, Any]:
    row = {"EX": figure(value), "EX lenient": figure(value + 2), "TS": figure(value - 4), "EM": figure(9.5),
           "VLD": figure(88)}  # fmt: skip
    cost = {
        "seconds_median": 1.25, "seconds_p95": 4.5, "seconds_quantiles": [0.1 * i for i in range(21)],
        "wall_seconds": 321.0, "tokens": 12345, "prompt_tokens": 99999, "cached_tokens": 90000, "cut": 1, "repairs": 12,
        "repaired": 9, "votes": 1, "agreement": None, "refused": 7, "failed": 3,
        "abstained": 0, "missing": 0,
    }  # fmt: skip
    return {
        "label": label, "model": label, "way": "greedy", "weights": {"sha256": "cc324af0"},
        "figures": {"all": {"all": row}, "tier": dict.fromkeys(("simple", "moderate", "complex"), row),
                    "hardness": {}, "tag": {"topic:<clients>": row}},
        "cost": cost, "errors": {"join": 40, "filter value": 12}, "reliability": [],
    } | changes  # fmt: skip


@pytest.fixture
def run() -> Record:
    """A run of two systems, with text in it that would break a page that does not escape."""
    nasty = "<script>alert('x')</script>"
    case = {
        "id": "lab-bench-007", "system": "base 1.5B (greedy)", "tier": "simple", "question": f"How many? {nasty}",
        "category": "join", "why": "", "gold": "SELECT 1 < 2", "answer": f"SELECT '{nasty}'", "population": 2,
        "gold_rows": {"columns": ["n"], "rows": [[1], [None]], "truncated": False, "seconds": 0.1},
        "answer_rows": {"columns": ["n"], "rows": [[nasty]], "truncated": True, "seconds": 0.1},
    }  # fmt: skip
    voted = [{"agreement": 45.0, "right": 20.0, "n": 30}, {"agreement": 95.0, "right": 71.0, "n": 170}]
    return {
        "metric": "mnemosyne-ex/1",
        "metrics": {"EX": "a", "EX lenient": "b", "TS": "c", "EM": "d", "VLD": "e"},
        "version": "1.0", "made": "2026-06-15T00:00:00+00:00", "seed": 0,
        "machine": {"system": "Linux", "processor": "AMD", "cores": 2, "python": "3.11"},
        "bench": {"name": "lab", "n": 200, "fingerprint": "f1", "identity": "i1", "engine": "postgres",
                  "populations": 3, "schemas": 1, "today": "2026-06-15", "unanswerable": False},
        "self_test": {"engines": ["postgres", "sqlite", "duckdb"], "golds": 200, "empty": ["lab-bench-096"]},
        "systems": [system("base 1.5B (greedy)", 22.5), system("tuned (votes 5)", 60.0, reliability=voted)],
        "pairs": [{"first": "base 1.5B (greedy)", "second": "tuned (votes 5)", "metric": "TS", "difference": 37.5,
                   "low": 30.0, "high": 45.0, "only_first": 3, "only_second": 78, "p": 1e-19, "n": 200}],
        "worst": [case],
    }  # fmt: skip


class Outline(HTMLParser):
    """What a page would load, and whether its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.loads += [str(v) for k, v in attrs if k in ("src", "href", "xlink:href") and not str(v).startswith("#")]
        if tag not in ("meta", "br", "img", "link", "use", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("use", "path"):
            assert self.open.pop() == tag


def outline(page: str) -> Outline:
    found = Outline()
    found.feed(page)
    return found


def test_the_page_loads_nothing_and_runs_nothing(run: Record, tmp_path: Path) -> None:
    write_report(run, tmp_path)
    page = (tmp_path / "report.html").read_text()
    found = outline(page)
    assert found.loads == []
    assert found.scripts == 0
    assert found.open == []
    assert "@import" not in page
    assert "url(http" not in page


def test_text_of_models_and_questions_is_shown_and_never_obeyed(run: Record, tmp_path: Path) -> None:
    write_report(run, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "&lt;script&gt;alert(" in page
    assert "<script>" not in page


def test_every_figure_stands_with_its_interval_metric_and_recipe(run: Record, tmp_path: Path) -> None:
    write_report(run, tmp_path)
    for name in ("report.html", "report.md"):
        text = re.sub(r"<[^>]+>", "", (tmp_path / name).read_text())
        for part in ("22.5 [16.5, 28.5]", "60.0 [54.0, 66.0]", "mnemosyne-ex/1", "cc324af0", "+37.5 [+30.0, +45.0]"):
            assert part in text, (name, part)


def test_figures_of_the_reference_are_marked_as_theirs(run: Record, tmp_path: Path) -> None:
    write_report(run, tmp_path)
    assert "Mnemosyne-3B (theirs)" in (tmp_path / "report.html").read_text()
    page = (tmp_path / "report.md").read_text()
    assert "*Mnemosyne-3B (theirs)* | *78.0*" in page
    assert "*Mnemosyne-3B (theirs)* | *98.9*" in page, "also by tier"


def test_greedy_and_voted_figures_have_rows_of_their_own(run: Record, tmp_path: Path) -> None:
    write_report(run, tmp_path)
    rows = [line for line in (tmp_path / "report.md").read_text().splitlines() if line.startswith("| ")]
    assert any(row.startswith("| base 1.5B (greedy) | 22.5") for row in rows)
    assert any(row.startswith("| tuned (votes 5) | 60.0") for row in rows)


def test_there_is_a_plot_for_metrics_tiers_errors_latency_and_votes(run: Record, tmp_path: Path) -> None:
    write_report(run, tmp_path)
    assert {file.stem for file in (tmp_path / "plots").iterdir()} == {
        "metrics", "tier", "errors", "latency", "reliability",
    }  # fmt: skip
    document = (tmp_path / "report.md").read_text()
    for link in re.findall(r"!\[\w+\]\((.+?)\)", document):
        assert (tmp_path / link).exists()


def test_the_same_run_gives_the_same_page(run: Record, tmp_path: Path) -> None:
    write_report(run, tmp_path / "one")
    write_report(json.loads(json.dumps(run)), tmp_path / "two")
    assert (tmp_path / "one" / "report.html").read_bytes() == (tmp_path / "two" / "report.html").read_bytes()


def test_a_run_without_votes_or_answers_has_no_empty_plots(run: Record, tmp_path: Path) -> None:
    quiet = system("file (file)", 10.0, errors={}, reliability=[])
    quiet["cost"]["seconds_quantiles"] = []
    write_report(run | {"systems": [quiet], "pairs": [], "worst": []}, tmp_path)
    assert {file.stem for file in (tmp_path / "plots").iterdir()} == {"metrics", "tier"}
