"""`mnemosyne predict`: one line out for each line in, whatever the line is, and nothing lost on the way."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mnemosyne.prompt import Prompt

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Ran

PRODUCTS = "CREATE TABLE products (product_id INTEGER PRIMARY KEY, name TEXT, price NUMERIC)"


def reply(prompt: Prompt) -> str:
    """SQL from the last word of the question: `count clients` counts clients."""
    return "SELECT COUNT(*) FROM " + prompt.tail.split("<|")[0].splitlines()[0].split()[-1]


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def predict(cli: CommandLine, folder: Path, *options: str, script: Any = reply) -> Ran:
    return cli("predict", str(folder / "q.jsonl"), "-o", str(folder / "p.jsonl"), *options, script=script)


def test_every_line_has_its_line_in_order(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    write(
        tmp_path / "q.jsonl",
        {"id": "a", "question": "count clients"},
        "this is not JSON",
        {"id": "c", "question": ""},
        {"id": "d"},
        "",
        ["a", "list"],
        {"id": "g", "question": "count ghosts"},
        {"question": "count samples"},
        {"id": {"any": "thing"}, "question": 7},
    )
    assert predict(cli, tmp_path, "--db", lab_sqlite).code == 0
    found = read(tmp_path / "p.jsonl")
    assert [line["id"] for line in found] == ["a", 2, "c", "d", 5, 6, "g", 8, {"any": "thing"}]
    assert [line["ok"] for line in found] == [True, False, False, False, False, False, False, True, False]
    assert found[0]["sql"] == "SELECT COUNT(*) FROM clients"
    assert [line["sql"] for line in found if not line["ok"]] == [""] * 7
    assert "not a JSON object" in found[1]["problem"]
    assert "empty" in found[2]["problem"]
    assert "no text called question" in found[3]["problem"]
    assert "ghosts" in found[6]["problem"]


def test_the_keys_of_a_line_are_a_contract(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", {"id": "a", "question": "count clients"}, "broken")
    predict(cli, tmp_path, "--db", lab_sqlite, "--model", "some-model")
    whole, broken = read(tmp_path / "p.jsonl")
    assert list(whole) == [
        "id", "sql", "dialect", "ok", "problem", "written", "attempts", "agreement", "tokens", "seconds", "model",
    ]  # fmt: skip
    assert list(broken) == ["id", "sql", "ok", "problem", "model"]
    assert whole["model"] == broken["model"] == "some-model"


def test_a_lines_own_database_or_schema_wins(
    cli: CommandLine, lab_sqlite: str, lab_duckdb: str, tmp_path: Path
) -> None:
    (tmp_path / "products.sql").write_text(PRODUCTS)
    write(
        tmp_path / "q.jsonl",
        {"id": 1, "question": "count clients"},
        {"id": 2, "question": "count clients", "db": lab_duckdb},
        {"id": 3, "question": "count products", "schema": PRODUCTS},
        {"id": 4, "question": "count products", "schema": str(tmp_path / "products.sql")},
        {"id": 5, "question": "count clients", "db": "sqlite:///absent.db"},
        {"id": 6, "question": "count products", "schema": "absent.sql"},
    )
    assert predict(cli, tmp_path, "--db", lab_sqlite).code == 0
    found = read(tmp_path / "p.jsonl")
    assert [line["ok"] for line in found] == [True, True, True, True, False, False]
    assert [line.get("dialect") for line in found[:4]] == ["sqlite", "duckdb", "postgres", "postgres"]
    assert "There is no file absent.db" in found[4]["problem"]
    assert "absent.sql cannot be read" in found[5]["problem"]


def test_neither_database_nor_schema_is_a_problem_of_the_line(cli: CommandLine, tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", {"id": 1, "question": "count clients"})
    assert predict(cli, tmp_path).code == 0
    assert "neither a database nor a schema" in read(tmp_path / "p.jsonl")[0]["problem"]


@pytest.mark.parametrize(
    ("option", "problem"),
    [("--db", "There is no file absent.db."), ("--schema", "The schema absent.db cannot be read")],
)
def test_a_place_that_cannot_be_read_is_told_before_a_model_is_fetched(
    option: str, problem: str, cli: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "p.jsonl").write_text("precious\n")
    write(
        tmp_path / "q.jsonl",
        "broken",
        {"id": 1, "question": "count clients"},
        {"id": 2, "question": "count clients", "db": "sqlite:///gone.db"},
    )
    ran = predict(cli, tmp_path, option, "sqlite:///absent.db" if option == "--db" else "absent.db")
    assert ran.code == 2
    assert problem in ran.err
    assert cli.fetched == []
    assert (tmp_path / "p.jsonl").read_text() == "precious\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.jsonl", "q.jsonl"]


def test_lines_that_name_a_place_of_their_own_are_answered_although_the_given_one_is_absent(
    cli: CommandLine, lab_sqlite: str, tmp_path: Path
) -> None:
    write(
        tmp_path / "q.jsonl",
        {"id": 1, "question": "count clients"},
        {"id": 2, "question": "count clients", "db": lab_sqlite},
        {"id": 3, "question": "count products", "schema": PRODUCTS},
        {"id": 4, "question": "count samples"},
    )
    assert predict(cli, tmp_path, "--db", "sqlite:///absent.db").code == 0
    found = read(tmp_path / "p.jsonl")
    assert [(line["id"], line["ok"]) for line in found] == [(1, False), (2, True), (3, True), (4, False)]
    assert all("There is no file absent.db" in found[place]["problem"] for place in (0, 3))


def test_a_place_that_no_line_waits_for_is_not_looked_at(cli: CommandLine, tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", {"id": 1, "question": "count clients", "db": "sqlite:///gone.db"}, "broken")
    assert predict(cli, tmp_path, "--db", "sqlite:///absent.db").code == 0
    first, second = read(tmp_path / "p.jsonl")
    assert "There is no file gone.db" in first["problem"]
    assert "not a JSON object" in second["problem"]


def test_files_of_a_user_that_is_not_there_are_no_files(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    write(
        tmp_path / "q.jsonl",
        {"id": 1, "question": "count clients"},
        {"id": 2, "question": "count clients", "db": "~no-such-user/lab.db"},
        {"id": 3, "question": "count clients", "db": "sqlite:///~no-such-user/lab.db"},
        {"id": 4, "question": "count clients", "schema": "~no-such-user/lab.sql"},
    )
    assert predict(cli, tmp_path, "--db", lab_sqlite, "--model", "~no-such-user/x.gguf").code == 0
    found = read(tmp_path / "p.jsonl")
    assert [line["ok"] for line in found] == [True, False, False, False]
    assert all("~no-such-user/lab" in line["problem"] for line in found[1:])


def test_the_dialect_can_be_chosen(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", {"id": 1, "question": "?"})
    sql = "SELECT COUNT(*) FROM samples WHERE received_date >= CURRENT_DATE - INTERVAL '30 days'"
    printed = {}
    for dialect in ("postgres", "sqlite", "duckdb"):
        predict(cli, tmp_path, "--db", lab_sqlite, "--dialect", dialect, script=[sql])
        printed[dialect] = read(tmp_path / "p.jsonl")[0]
    assert "INTERVAL" in printed["postgres"]["sql"]
    assert "INTERVAL" not in printed["sqlite"]["sql"]
    assert {line["written"] for line in printed.values()} == {sql}


def test_repair_and_votes(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", {"id": 1, "question": "How many?"})
    wrong, right = "SELECT clint_id FROM clients", "SELECT COUNT(*) FROM clients"
    predict(cli, tmp_path, "--db", lab_sqlite, script=[wrong, right])
    assert read(tmp_path / "p.jsonl")[0]["attempts"] == 2
    predict(cli, tmp_path, "--db", lab_sqlite, "--no-repair", script=[wrong, right])
    assert not read(tmp_path / "p.jsonl")[0]["ok"]
    predict(cli, tmp_path, "--db", lab_sqlite, "--votes", "3", script=["SELECT 1", right, right])
    assert read(tmp_path / "p.jsonl")[0]["written"] == right


class Dies:
    """A model that answers so many questions and is then interrupted."""

    def __init__(self, answers: int) -> None:
        self.left = answers
        self.asked = 0

    def __call__(self, prompt: Prompt) -> str:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        self.asked += 1
        return reply(prompt)


def test_an_interrupted_run_goes_on_where_it_stopped(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", *({"id": n, "question": "count clients"} for n in range(10)))
    assert predict(cli, tmp_path, "--db", lab_sqlite, script=Dies(4)).code == 130
    assert not (tmp_path / "p.jsonl").exists(), "the file appears when all is done"
    [partial] = tmp_path.glob(".p.jsonl.*.partial")
    assert len(read(partial)) == 4
    with partial.open("a") as file:
        file.write('{"id": 4, "sql": "torn')
    rest = Dies(6)
    ran = predict(cli, tmp_path, "--db", lab_sqlite, script=rest)
    assert ran.code == 0
    assert "4 of 10 lines are there" in ran.err
    assert rest.asked == 6
    assert [line["id"] for line in read(tmp_path / "p.jsonl")] == list(range(10))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.jsonl", "q.jsonl"]


def test_only_the_same_run_goes_on(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", *({"id": n, "question": "count clients"} for n in range(3)))
    predict(cli, tmp_path, "--db", lab_sqlite, script=Dies(2))
    other = Dies(3)
    assert predict(cli, tmp_path, "--db", lab_sqlite, "--no-repair", script=other).code == 0
    assert other.asked == 3


@pytest.mark.parametrize("lines", [0, 1])
def test_a_file_without_questions_gives_a_file_without_answers(lines: int, cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text("\n" * lines)
    done = predict(cli, tmp_path)
    assert done.code == 0
    assert ("holds no questions" in done.err) == (lines == 0)
    assert len(read(tmp_path / "p.jsonl")) == lines


def test_an_older_output_stays_until_the_new_one_is_whole(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text("precious\n")
    write(tmp_path / "q.jsonl", {"id": 1, "question": "count clients"})
    predict(cli, tmp_path, "--db", lab_sqlite, script=Dies(0))
    assert (tmp_path / "p.jsonl").read_text() == "precious\n"


def test_a_file_that_is_no_text_still_gives_its_lines(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_bytes(b'\xff\xfe\x00\n{"id": 2, "question": "count clients"}\n')
    assert predict(cli, tmp_path, "--db", lab_sqlite).code == 0
    assert [line["ok"] for line in read(tmp_path / "p.jsonl")] == [False, True]


def test_the_settings_say_what_things_are_called_and_what_is_not_read(
    cli: CommandLine, lab_sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"nouns": ["payer"], "columns": {"client_type": {"values": {"Retailer": ["corner shop"]}}}}
    (tmp_path / "words.yaml").write_text(json.dumps({"tables": {"clients": words}}))
    write(tmp_path / "q.jsonl", {"id": "a", "question": "payers that are a corner shop in Exeter, count clients"})
    monkeypatch.setenv("MNEMOSYNE_HOME", str(tmp_path / "home"))

    def told(**settings: str) -> str:
        for name, value in settings.items():
            monkeypatch.setenv(f"MNEMOSYNE_{name.upper()}", value)
        assert predict(cli, tmp_path, "--db", lab_sqlite).code == 0
        return cli.engine.prompts[0].tail  # type: ignore[union-attr]

    assert "Retailer" not in told()
    assert "clients.client_type = 'Retailer'" in told(lexicon=str(tmp_path / "words.yaml"))
    assert "Retailer" not in told(exclude_values="clients.*")


def test_a_large_schema_is_shown_in_part_and_whole_when_that_is_wanted(
    cli: CommandLine, lab_sqlite: str, tmp_path: Path
) -> None:
    ddl = "CREATE TABLE clients (client_id INTEGER, client_name TEXT);\n"
    columns = ", ".join(f"reading_{number} NUMERIC" for number in range(40))
    ddl += "\n".join(f"CREATE TABLE machine_{number} ({columns});" for number in range(40))
    (tmp_path / "large.sql").write_text(ddl)
    write(tmp_path / "q.jsonl", {"id": "a", "question": "count clients"})

    def shown(*options: str) -> str:
        assert predict(cli, tmp_path, "--schema", str(tmp_path / "large.sql"), *options).code == 0
        return cli.engine.prompts[0].prefix  # type: ignore[union-attr]

    assert "clients" in shown()
    assert "machine_39" not in shown()
    assert "machine_39" in shown("--no-linking")


def test_the_mark_that_windows_puts_before_a_file_costs_no_question(
    cli: CommandLine, lab_sqlite: str, tmp_path: Path
) -> None:
    (tmp_path / "q.jsonl").write_bytes(b'\xef\xbb\xbf{"id": "a", "question": "count clients"}\r\n')
    assert predict(cli, tmp_path, "--db", lab_sqlite).code == 0
    assert [(line["id"], line["ok"]) for line in read(tmp_path / "p.jsonl")] == [("a", True)]


def test_a_line_that_is_not_text_is_told_and_not_asked_in_other_words(
    cli: CommandLine, lab_sqlite: str, tmp_path: Path
) -> None:
    lines = [
        '{"id": "a", "question": "how many Käse, count clients"}'.encode("latin-1"),
        rb'{"id": "b", "question": "half a sign \ud83e, count clients"}',
        rb'{"id": "\ud800", "question": "count clients"}',
        b'{"id": ' + b"1" * 5_000 + b', "question": "count clients"}',
        b'{"id": "e", "question": "count clients"}',
    ]
    (tmp_path / "q.jsonl").write_bytes(b"\n".join(lines))
    assert predict(cli, tmp_path, "--db", lab_sqlite).code == 0
    found = read(tmp_path / "p.jsonl")
    assert [line["id"] for line in found] == ["a", "b", 3, 4, "e"]
    assert [line["problem"] for line in found] == [
        "Line 1 is not text in UTF-8.",
        "Line 2 is not text in UTF-8.",
        "Line 3 is not text in UTF-8.",
        "Line 4 is not a JSON object.",
        "",
    ]
    assert len(cli.engine.prompts) == 1  # type: ignore[union-attr]


def test_a_second_process_does_not_write_into_the_same_run(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", *({"id": n, "question": "count clients"} for n in range(3)))
    inner: list[Ran] = []

    def meanwhile(prompt: Prompt) -> str:
        if not inner:
            inner.append(predict(cli, tmp_path, "--db", lab_sqlite))
        return reply(prompt)

    assert predict(cli, tmp_path, "--db", lab_sqlite, script=meanwhile).code == 0
    assert inner[0].code == 2
    assert "Another process is making" in inner[0].err
    assert [line["id"] for line in read(tmp_path / "p.jsonl")] == [0, 1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.jsonl", "q.jsonl"]


def test_a_run_whose_schema_was_edited_begins_anew(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(PRODUCTS)
    write(tmp_path / "q.jsonl", *({"id": n, "question": "count products"} for n in range(3)))
    predict(cli, tmp_path, "--schema", str(tmp_path / "schema.sql"), script=Dies(2))
    (tmp_path / "schema.sql").write_text(PRODUCTS + "; CREATE TABLE more (a INT)")
    rest = Dies(3)
    assert predict(cli, tmp_path, "--schema", str(tmp_path / "schema.sql"), script=rest).code == 0
    assert rest.asked == 3


def test_the_output_of_a_run_is_a_file(cli: CommandLine, lab_sqlite: str, tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", {"id": 1, "question": "count clients"})
    os.mkfifo(tmp_path / "p.jsonl")
    ran = predict(cli, tmp_path, "--db", lab_sqlite)
    assert ran.code == 2
    assert "is no file" in ran.err
    assert (tmp_path / "p.jsonl").is_fifo()
