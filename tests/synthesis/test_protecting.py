"""`mnemosyne synth --protect`: a person's own evaluation questions stay out of what is trained on."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.synthesis.test_own import TODAY, zoo

from mnemosyne.cli import group
from mnemosyne.datasets import Example, read_examples
from mnemosyne.datasets.overlap import OverlapIndex
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.errors import DatasetError
from mnemosyne.synthesis import own
from mnemosyne.synthesis.generate import Made


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{zoo(tmp_path_factory.mktemp('zoo') / 'zoo.db')}"


def written(path: Path, *pairs: dict[str, str]) -> Path:
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    return path


def made(url: str, folder: Path, *more: object) -> list[Example]:
    command = ["synth", "--db", url, "-o", str(folder), "-n", "12", "--today", "2026-06-15", *map(str, more)]
    done = CliRunner().invoke(group, command)
    assert done.exit_code == 0, done.output
    return read_examples(folder / "pairs.jsonl.gz")


def test_protected_questions_and_forms_are_not_made(url: str, tmp_path: Path) -> None:
    before = made(url, tmp_path / "out")
    blocks = {path.name for path in (tmp_path / "out" / "work").glob("*/blocks-*")}
    first = written(tmp_path / "first.jsonl", {"question": before[0].question.upper()})
    second = written(tmp_path / "second.jsonl", {"question": "Something else?", "sql": before[1].sql})
    after = made(url, tmp_path / "out", "--protect", first, "--protect", second)
    assert len({path.name for path in (tmp_path / "out" / "work").glob("*/blocks-*")} - blocks) == 1
    protected = OverlapIndex([Example("1", before[0].question, "", ""), Example("2", "else", before[1].sql, "")])
    assert protected.reason(before[0])
    assert protected.reason(before[1]) == "form"
    assert not [example for example in after if protected.reason(example)]
    report = (tmp_path / "out" / "report.md").read_text()
    assert "Kept apart from 2 protected pairs." in report
    assert "overlaps evaluation by" in report


def test_a_changed_file_makes_blocks_anew_and_without_one_the_old_ones_count(url: str, tmp_path: Path) -> None:
    def marks() -> set[str]:
        return {path.name for path in (tmp_path / "out" / "work").glob("*/blocks-*")}

    file = tmp_path / "mine.jsonl"
    order = own.Order(url, tmp_path / "out", 4, today=TODAY)
    plain = own.synthesise(order).examples
    before = marks()
    for number, question in enumerate(("How many keepers are there?", "How many lynxes are there?"), 1):
        own.synthesise(order, protect=[written(file, {"question": question})])
        assert len(marks() - before) == number
        own.synthesise(order, protect=[file])
        assert len(marks() - before) == number
    assert own.synthesise(order).examples == plain
    assert len(marks() - before) == 2


def test_a_written_pair_that_is_near_a_protected_one_does_not_pass(url: str, tmp_path: Path) -> None:
    sql = "SELECT name FROM animals WHERE species = 'Otter' AND weight > 10"
    pairs = written(
        tmp_path / "mine.jsonl",
        {"question": "Which otters are heavy?", "sql": sql},
        {"question": "otters over ten kilos by name", "sql": sql},
        {"question": "Which animals are otters?", "sql": "SELECT name FROM animals WHERE species = 'Otter'"},
    )
    protect = written(tmp_path / "eval.jsonl", {"question": "which otters are heavy", "sql": sql})
    command = ["synth", "--db", url, "-o", str(tmp_path / "out"), "--today", "2026-06-15", "--check", str(pairs)]
    done = CliRunner().invoke(group, [*command, "--protect", str(protect)])
    assert "too near a question that is kept for evaluation (question)" in done.output
    assert "too near a question that is kept for evaluation (form)" in done.output
    (passed,) = read_examples(tmp_path / "out" / "checked.jsonl.gz")
    assert passed.question == "Which animals are otters?"


def test_a_paraphrase_that_is_a_protected_question_is_not_kept(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gold = "SELECT COUNT(*) FROM animals WHERE species = 'Otter'"
    pair = Example("x-1", "How many Otter animals are there?", gold, "own")
    order = own.Order(url, tmp_path / "out", today=date(2026, 6, 15))
    file = written(tmp_path / "eval.jsonl", {"question": "What is the number of Otter animals?"})
    script = [gold, "What is the number of Otter animals?", gold]
    monkeypatch.setattr("mnemosyne.engines.open_engine", lambda name, settings: ScriptedEngine(list(script)))
    assert own.reword(order, Made([pair]), "any") == (1, 1)
    assert own.reword(order, Made([pair]), "any", [file]) == (0, 1)
    assert not read_examples(tmp_path / "out" / "paraphrases.jsonl.gz")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no pair, so it would protect nothing"),
        ('{"sql": "SELECT 1"}\n', "line 1: question missing"),
        ('{"question": "How many?", "sql": 7}\n', "line 1: question missing, or question or sql not text"),
        ('{"question": "How many?", "dialect": "mysql"}\n', "line 1: 'mysql' is no dialect"),
        ("nonsense\n", "line 1: not JSON"),
    ],
)
def test_a_file_that_would_protect_less_than_it_says_is_an_error(url: str, tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "eval.jsonl"
    file.write_text(text)
    for run in (
        lambda: own.synthesise(own.Order(url, tmp_path / "out", 4), protect=[file]),
        lambda: list(own.check(own.Order(url, tmp_path / "out"), file, protect=[file])),
    ):
        with pytest.raises(DatasetError, match=why) as caught:
            run()
        assert caught.value.hint
    assert not (tmp_path / "out").exists()
