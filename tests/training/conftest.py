"""A tiny model and a laboratory of two tables; one thread, because threads that wait for each other cost more."""

import json
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "release"))  # tiny_qwen: a random model as a real GGUF file


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)


@dataclass(frozen=True)
class Small:
    """Everything that a run of the command needs."""

    gguf: Path
    home: Path
    folder: Path
    database: str


DDL = """CREATE TABLE clients (client_id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE samples (sample_id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients(client_id), status TEXT);"""
STATUSES = ("Received", "Tested", "Reported", "Cancelled")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A base of a million weights, 48 pairs of one schema and 6 of others, 8 for validation, and a database."""
    pytest.importorskip("gguf")
    import tiny_qwen

    folder = tmp_path_factory.mktemp("train")
    gguf = tiny_qwen.write_gguf(folder / "tiny.gguf")
    (folder / "schemas").mkdir()
    (folder / "schemas" / "mine.sql").write_text(DDL)
    pairs = [
        (f"How many {status} samples of client {n}?",
         f"SELECT COUNT(*) FROM samples WHERE status = '{status}' AND client_id = {n}")
        for n in range(14) for status in STATUSES
    ]  # fmt: skip
    rows = [
        {"id": f"mine-{i}", "question": question, "sql": sql, "schema": "mine", "source": "mine"}
        for i, (question, sql) in enumerate(pairs)
    ]
    general = [
        {"id": f"other-{i}", "question": f"All of t{i}?", "sql": f"SELECT * FROM t{i}",
         "schema": f"CREATE TABLE t{i} (a INTEGER, b TEXT);", "source": "other"}
        for i in range(6)
    ]  # fmt: skip
    for name, part in (("pairs", rows[:48]), ("valid", rows[48:]), ("general", general)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    connection = sqlite3.connect(folder / "mine.db")
    connection.executescript(DDL)
    connection.executemany("INSERT INTO clients VALUES (?, ?)", [(n, f"Client {n}") for n in range(14)])
    connection.executemany("INSERT INTO samples VALUES (?, ?, ?)", [(n, n % 14, STATUSES[n % 4]) for n in range(90)])
    connection.commit()
    connection.close()
    return Small(gguf, folder / "home", folder, f"sqlite:///{folder}/mine.db")


RECIPE = """name: tiny
base: {gguf}
data:
  - path: pairs.jsonl
  - path: general.jsonl
rank: 8
alpha: 16
learning_rate: 5e-3
batch: 18
group_size: 8
pack_tokens: 1024
max_tokens: 512
validation: {{path: valid.jsonl, questions: 4, database: "{database}", minutes: 0}}
"""


@pytest.fixture
def recipe_file(small: Small) -> Path:
    """The recipe of a run on all of this."""
    file = small.folder / "tiny.yaml"
    file.write_text(RECIPE.format(gguf=small.gguf, database=small.database))
    return file
