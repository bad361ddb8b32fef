"""Examples survive a round trip, and a broken line is named."""

from pathlib import Path

import pytest

from mnemosyne.datasets import Example, fingerprint, read_examples, write_examples
from mnemosyne.datasets.jsonl import try_lines
from mnemosyne.errors import DatasetError

EXAMPLES = [
    Example("a-1", "How many samples?", "SELECT COUNT(*) FROM samples", "lab", tier="simple", tags=("table:samples",)),
    Example("a-2", "Größe über 5 µg?", "SELECT 1", "CREATE TABLE t (a INTEGER);", hints=("t.a = 5",)),
]


PAIR = '{"id": "1", "question": "q", "schema": "lab", %s}\n'


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
        (PAIR % '"sql": 5', "line 1: 'sql' must be text, not a number"),
        (PAIR % '"sql": null', "line 1: 'sql' must be text, not null"),
        (PAIR % '"tier": ["simple"]', "line 1: 'tier' must be text, not a list"),
        (PAIR % '"tags": "abc"', "line 1: 'tags' must be a list of texts, not text"),
        (PAIR % '"tags": 5', "line 1: 'tags' must be a list of texts, not a number"),
        (PAIR % '"hints": ["a", 1]', "line 1: 'hints' must be a list of texts, not a list with other things"),
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


def test_a_bad_line_does_not_end_the_reading(tmp_path: Path) -> None:
    lines = [b'{"a": 1}', b"nonsense", b"", b"[1]", '{"a": "Grüße"}'.encode("latin-1"), b'{"a": 2}']
    (tmp_path / "set.jsonl").write_bytes(b"\n".join(lines) + b"\n" + b"[" * 100_000 + b"\n" + b"1" * 5_000)
    found = dict(try_lines(tmp_path / "set.jsonl"))
    assert (found[1], found[6]) == ({"a": 1}, {"a": 2})
    assert found[2] == "not JSON (Expecting value at character 1)"
    assert found[4] == "not an object but list"
    assert str(found[5]).startswith("not UTF-8 (")
    assert str(found[7]).startswith("not JSON (")
    assert str(found[8]).startswith("not JSON (")
