"""Public sets are read from files and from a hub; malformed rows are counted, never fatal; golds become PostgreSQL."""

import gzip
import json
import sqlite3
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mnemosyne.datasets import Example, fingerprint, hub
from mnemosyne.datasets.overlap import OverlapIndex, normal_question
from mnemosyne.datasets.postgres import NotPostgres, to_postgres
from mnemosyne.datasets.public import Malformed, create_context, gretel, local_rows, recognised, spider, spider_schema
from mnemosyne.datasets.quality import Rules, keep
from mnemosyne.errors import DatasetError
from mnemosyne.schema import Schema

DDL = "CREATE TABLE head (age INTEGER, name VARCHAR)"
GOOD = {"question": "How many heads?", "context": DDL, "answer": "SELECT COUNT(*) FROM head;"}
BAD = [{"question": "No context", "answer": "SELECT 1"}, {**GOOD, "context": "not DDL"}, {**GOOD, "question": 7}]


def write(path: Path, rows: list[object]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_malformed_rows_are_counted_and_listed(tmp_path: Path, name: str) -> None:
    malformed = Malformed()
    found = list(create_context(local_rows(write(tmp_path / name, [*BAD, GOOD])), malformed))
    assert [example.sql for example in found] == ["SELECT COUNT(*) FROM head"]
    assert found[0].schema == Schema.from_ddl(DDL).to_ddl()
    assert malformed.count == 3
    assert malformed.listed[0] == f"{name}, line 1: needs context"


def test_bad_lines_are_counted_and_listed_and_the_rest_read(tmp_path: Path) -> None:
    malformed = Malformed()
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"nonsense\n[1]\n" + json.dumps(GOOD).encode() + b"\n\xff\n")
    assert len(list(create_context(local_rows(file, malformed), malformed))) == 1
    assert malformed.count == 3
    assert malformed.listed[:2] == [
        "rows.jsonl, line 1: not JSON (Expecting value at character 1)",
        "rows.jsonl, line 2: not an object but list",
    ]
    assert malformed.listed[2].startswith("rows.jsonl, line 4: not UTF-8")
    with pytest.raises(DatasetError, match="line 1: not JSON"):
        list(local_rows(file))


def test_rows_of_a_list_that_are_no_objects_are_counted(tmp_path: Path) -> None:
    malformed = Malformed()
    (tmp_path / "rows.json").write_text(json.dumps([7, GOOD]))
    assert len(list(local_rows(tmp_path / "rows.json", malformed))) == 1
    assert malformed.listed == ["rows.json, row 1: not an object but int"]
    with pytest.raises(DatasetError, match="row 1: not an object"):
        list(local_rows(tmp_path / "rows.json"))


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_a_row_that_is_no_text_is_counted_and_never_fatal_later(tmp_path: Path, name: str) -> None:
    malformed = Malformed()
    rows = [{**GOOD, "question": "How many \ud83d?"}, {**GOOD, "question": "How many \U0001f9a6?"}, GOOD]
    text = "\n".join(map(json.dumps, rows)) if name == "rows.jsonl" else json.dumps(rows)
    (tmp_path / name).write_text(text)
    found = list(create_context(local_rows(tmp_path / name, malformed), malformed))
    assert [example.question for example in found] == ["How many \U0001f9a6?", "How many heads?"]
    assert malformed.listed[0].endswith("half of a surrogate pair in it, which is no text")
    assert fingerprint(found)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("rows.json", b"5"),
        ("rows.json", b'{"a": 1}'),
        ("rows.json", b"nonsense"),
        ("rows.json", b"[" * 100_000),
        ("rows.json", b"\xff"),
        ("rows.parquet", b"PAR1 no Parquet at all"),
        ("rows.jsonl.gz", b"not gzip"),
        ("rows.jsonl.gz", gzip.compress(mtime=0, data=b'{"a": 1}\n')[:-9] + b"\xff" * 9),
        ("none.json", None),
        ("none.parquet", None),
        ("none.jsonl", None),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_for_people(tmp_path: Path, name: str, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(DatasetError) as caught:
        list(local_rows(tmp_path / name, Malformed()))
    assert caught.value.hint


def test_parquet_and_json_lists_are_read_too(tmp_path: Path) -> None:
    import duckdb

    write(tmp_path / "rows.jsonl", [GOOD])
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM '{tmp_path}/rows.jsonl') TO '{tmp_path}/rows.parquet'")
    (tmp_path / "rows.json").write_text(json.dumps([GOOD]))
    for name in ("rows.parquet", "rows.json"):
        assert len(list(create_context(local_rows(tmp_path / name), Malformed()))) == 1


def test_gretel_keeps_the_tables_of_a_context_with_inserts() -> None:
    row = {
        "sql_prompt": "Total volume?",
        "sql_context": "CREATE TABLE sales (id INT, volume INT); INSERT INTO sales VALUES (1, 2);",
        "sql": "SELECT SUM(volume) FROM sales;",
        "sql_complexity": "aggregation",
    }
    contexts: dict[str, str] = {}
    [example] = gretel([("here", row)], Malformed(), contexts=contexts)
    assert contexts == {"gretel-000000": row["sql_context"]}
    assert example.schema.startswith("CREATE TABLE sales")
    assert "INSERT" not in example.schema
    assert example.tags == ("sql_complexity:aggregation",)


def test_a_set_is_recognised_by_its_first_well_formed_row_and_no_row_is_lost() -> None:
    other = {"sql_prompt": "q", "sql_context": DDL, "sql": "SELECT 1"}
    for rows, name in (
        ([*BAD[::2], GOOD, other], "sql-create-context"),
        ([{**other, "sql": " "}, BAD[0], other, GOOD], "gretel"),
        ([BAD[0], {}], ""),
    ):
        found, again = recognised((f"row {n}", row) for n, row in enumerate(rows))
        assert found == name
        assert [row for _, row in again] == rows


@pytest.fixture
def spider_folder(tmp_path: Path) -> Path:
    rows = [
        {"db_id": "zoo", "question": "Names?", "query": 'SELECT name FROM animal WHERE kind  =  "owl" ;'},
        {"db_id": "farm", "question": "Held out?", "query": "SELECT 1"},
        {"db_id": "zoo", "question": ""},
    ]
    write(tmp_path / "train.jsonl", rows)  # type: ignore[arg-type]
    (tmp_path / "database" / "zoo").mkdir(parents=True)
    connection = sqlite3.connect(tmp_path / "database" / "zoo" / "zoo.sqlite")
    connection.execute("CREATE TABLE animal (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, age INT)")
    connection.commit()
    connection.close()
    return tmp_path


def test_whole_spider_databases_are_held_out(spider_folder: Path) -> None:
    malformed = Malformed()
    [example] = spider(spider_folder, malformed, exclude=["farm"])
    assert (example.schema, example.dialect) == ("spider/zoo", "sqlite")
    assert example.sql == 'SELECT name FROM animal WHERE kind = "owl"'
    assert malformed.count == 1
    assert spider_schema(spider_folder, "zoo").table("animal") is not None
    with pytest.raises(DatasetError, match="No such Spider database"):
        spider_schema(spider_folder, "farm")


@pytest.mark.parametrize(
    ("sqlite", "postgres"),
    [
        ('SELECT name FROM animal WHERE kind = "owl"', "SELECT name FROM animal WHERE kind = 'owl'"),
        ('SELECT "name" FROM animal ORDER BY age DESC', "SELECT name FROM animal ORDER BY age DESC"),
        ("SELECT name FROM animal ORDER BY age", "SELECT name FROM animal ORDER BY age"),
        ("SELECT name, COUNT(*) FROM animal GROUP BY id", "SELECT name, COUNT(*) FROM animal GROUP BY id, name"),
        ("SELECT kind, MAX(age) FROM animal GROUP BY kind", "SELECT kind, MAX(age) FROM animal GROUP BY kind"),
    ],
)
def test_sqlite_golds_become_postgres(spider_folder: Path, sqlite: str, postgres: str) -> None:
    assert to_postgres(sqlite, spider_schema(spider_folder, "zoo")) == postgres


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name, COUNT(*) FROM animal GROUP BY kind",
        "SELECT name, MAX(age) FROM animal",
        "SELECT FROM (",
        "SELECT 1" + "+1" * 5_000,
    ],
)
def test_what_only_sqlite_forgives_is_refused(spider_folder: Path, sql: str) -> None:
    with pytest.raises(NotPostgres):
        to_postgres(sql, spider_schema(spider_folder, "zoo"))


def test_every_row_left_out_is_counted_under_its_reason() -> None:
    rows = [
        Example("1", "How many?", "SELECT COUNT(*) FROM head", DDL),
        Example("2", "how many", "SELECT COUNT(*) FROM head", DDL),
        Example("3", "Fails?", "SELECT nope FROM head", DDL),
        Example("4", "Known?", "SELECT age FROM head", DDL),
        Example("5", "Long?", "SELECT age, name FROM head", DDL),
    ]
    kept, report = keep(
        rows,
        Rules(max_tokens=10),
        execute=lambda example: "does not run" if "nope" in example.sql else "",
        protected=OverlapIndex([Example("b", "KNOWN", "SELECT 2", DDL)]),
        count_tokens=lambda example: 11 if example.id == "5" else 10,
    )
    assert len(kept) == report.kept == 1
    assert dict(report.dropped) == {
        "question twice": 1,
        "does not run": 1,
        "overlaps evaluation by question": 1,
        "too long": 1,
    }
    assert len(report.listed) == 4


def test_the_cap_and_the_order_follow_the_seed() -> None:
    rows = [Example(str(n), f"q {n}", f"SELECT {n}", DDL) for n in range(50)]
    first, _ = keep(rows, Rules(cap=10, seed=1, per_skeleton=99))
    again, _ = keep(rows[::-1], Rules(cap=10, seed=1, per_skeleton=99))
    other, _ = keep(rows, Rules(cap=10, seed=2, per_skeleton=99))
    assert first == again
    assert len(first) == 10
    assert first != other


class _Hub(BaseHTTPRequestHandler):
    """The part of a model hub that streaming a file needs."""

    def __init__(self, data: bytes, *args: object) -> None:
        self.data = data
        super().__init__(*args)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self._reply(b"")

    def do_GET(self) -> None:
        self._reply(self.data)

    def _reply(self, body: bytes) -> None:
        if "/revision/" in self.path:
            self._send(json.dumps({"id": "b-mc2/sql-create-context", "sha": "a" * 40, "siblings": []}).encode())
        elif "/tree/" in self.path:
            file = {"type": "file", "path": "sql_create_context_v4.json", "size": len(self.data), "oid": "1"}
            self._send(json.dumps([file]).encode())
        elif "/resolve/" not in self.path:
            self.send_error(404)
        else:
            self._send(body, len(self.data))

    def _send(self, body: bytes, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("ETag", '"1"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub_url() -> Iterator[str]:
    data = "".join(json.dumps(GOOD) + "\n" for _ in range(5)).encode()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Hub, data))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_rows_are_streamed_from_a_hub(hub_url: str, tmp_path: Path) -> None:
    """In a process of its own, since the hub's client reads its address when it is imported."""
    import os
    import subprocess
    import sys

    code = (
        "from mnemosyne.datasets.hub import rows\nfrom mnemosyne.datasets.public import Malformed, create_context\n"
        "print(len(list(create_context(rows('sql-create-context', limit=3), Malformed()))))"
    )
    environment = {**os.environ, "HF_ENDPOINT": hub_url, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == "3", done.stderr[-2000:]


def test_a_hub_that_does_not_answer_is_said_in_words(tmp_path: Path) -> None:
    """Nobody listens there; in a process of its own for the same reason."""
    import os
    import subprocess
    import sys

    command = [sys.executable, "-m", "mnemosyne.training.general", "--hub", "gretel", "-o", str(tmp_path / "out")]
    environment = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode != 0
    assert "could not be read from the hub" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "general.jsonl.gz").exists()


@pytest.mark.parametrize("switch", ["MNEMOSYNE_OFFLINE", "HF_HUB_OFFLINE"])
def test_no_hub_is_asked_offline(switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(switch, "1")
    # An address that cannot be reached: asking it would be the other error, after seconds.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DatasetError, match="was not asked for: MNEMOSYNE_OFFLINE"):
        list(hub.rows("sql-create-context"))


def test_questions_of_every_script_are_told_apart() -> None:
    assert normal_question("Größe, über 5 µg?") == "große uber 5 μg"
    assert normal_question("Сколько проб?") == "сколько проб"
    assert normal_question("नमूने E. coli?") != normal_question("कितने E. coli?") != "e coli"
    assert normal_question("Which ⚠️ otters—over 10?") == "which otters over 10"
