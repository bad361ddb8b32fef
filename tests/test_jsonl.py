"""Examples survive a round trip, and a broken line is named."""

from pathlib import Path

import pytest

from mnemosyne.datasets import Example, fingerprint, read_examples, write_examples
from mnemosyne.errors import DatasetError

EXAMPLES = [
    Example("a-1", "How many samples?", "SELECT COUNT(*) FROM samples", "lab", tier="simple", tags=("table:samples",)),
    Example("a-2", "Größe über 5 µg?", "SELECT 1", "CREATE TABLE t (a INTEGER);", hints=("t.a = 5",)),
]


@pytest.mark.parametrize("name", ["set.jsonl", "set.jsonl.gz"])
def test_round_trip(tmp_path: Path, name: str) -> None:
    write_examples(tmp_path / name, EXAMPLES)
    assert read_examples(tmp_path / name) == EXAMPLES


def test_equal_examples_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        write_examples(tmp_path / name, EXAMPLES)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_fingerprint_sees_every_field_and_the_order() -> None:
    assert fingerprint(EXAMPLES) != fingerprint(EXAMPLES[::-1])
    assert fingerprint(EXAMPLES[:1]) != fingerprint([Example("a-1", "How many samples?", "SELECT 1", "lab")])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"id": "1", "question": "q", "sql": "s", "schema": "lab"}\nnonsense\n', "line 2: not JSON"),
        ("[1]\n", "line 1: not an object"),
        ('{"id": "1", "sql": "s"}\n', "question, schema missing"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "set.jsonl").write_text(text)
    with pytest.raises(DatasetError, match=words):
        read_examples(tmp_path / "set.jsonl")


def test_a_missing_or_cut_file_is_an_error_for_people(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="No such file"):
        read_examples(tmp_path / "none.jsonl")
    write_examples(tmp_path / "cut.jsonl.gz", EXAMPLES)
    whole = (tmp_path / "cut.jsonl.gz").read_bytes()
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match="cannot be read"):
        read_examples(tmp_path / "cut.jsonl.gz")
