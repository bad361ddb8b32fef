"""What is asked: the laboratory's sets, Spider from its folder, and a file of one's own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from mnemosyne.datasets.jsonl import write_examples
from mnemosyne.errors import DatabaseError, EvaluationError
from mnemosyne.evaluation import benches
from mnemosyne.evaluation.benches import Bench, Where, check_bench, identity, open_bench
from mnemosyne.evaluation.laboratories import Laboratories
from mnemosyne.evaluation.ordering import order_counts


@pytest.fixture
def where(tmp_path: Path) -> Where:
    """The laboratory in SQLite, in a home of its own."""
    return Where(tmp_path / "home", engine="sqlite", mirror=False)


def test_the_laboratory_has_three_populations_and_200_questions_by_tier(where: Where) -> None:
    with open_bench("lab", where) as bench:
        tiers = [example.tier for example in bench.examples]
        assert [tiers.count(tier) for tier in ("simple", "moderate", "complex")] == [90, 71, 39]
        assert bench.populations == 3
        assert bench.engine == "sqlite"
    with open_bench("lab-unanswerable", where) as bench:
        assert bench.unanswerable
        assert len(bench.examples) == 60
        assert all(example.reason for example in bench.examples)


def test_a_limit_meets_every_part_of_the_bench(where: Where) -> None:
    with open_bench("lab", where, limit=20) as bench:
        assert len(bench.examples) == 20
        assert {example.tier for example in bench.examples} == {"simple", "moderate", "complex"}


def test_populations_are_made_once_and_carry_the_day_in_their_name(where: Where) -> None:
    with open_bench("lab-dev", where) as bench:
        [path, *_] = [Path(url.removeprefix("sqlite:///")) for url in bench.worlds["lab"]]
    made = path.stat().st_mtime_ns
    with open_bench("lab-dev", where):
        assert path.stat().st_mtime_ns == made
    assert "20260615" in path.name


# Spider ----------------------------------------------------------------------------------------------------------

SPIDER_SCHEMA = {
    "db_id": "zoo",
    "table_names_original": ["animal"],
    "table_names": ["animal"],
    "column_names_original": [[-1, "*"], [0, "id"], [0, "name"]],
    "column_names": [[-1, "*"], [0, "id"], [0, "name"]],
    "column_types": ["text", "number", "text"],
    "primary_keys": [1],
    "foreign_keys": [],
}


@pytest.fixture
def spider(tmp_path: Path) -> Path:
    """A folder like Spider's, with one database in two populations (a test suite) and three questions."""
    folder = tmp_path / "spider"
    home = folder / "database" / "zoo"
    home.mkdir(parents=True)
    for name, rows in (("zoo", "(1, 'ox')"), ("zoo_suite_1", "(1, 'ox'), (2, 'owl')")):
        connection = sqlite3.connect(home / f"{name}.sqlite")
        connection.executescript(
            f"CREATE TABLE animal (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO animal VALUES {rows}"
        )
        connection.close()
    (folder / "tables.json").write_text(json.dumps([SPIDER_SCHEMA]))
    questions = [
        {"db_id": "zoo", "question": "How many animals?", "query": "SELECT count(*) FROM animal;"},
        {"db_id": "zoo", "question": "Names in order.", "query": "SELECT name FROM animal ORDER BY name"},
    ]
    (folder / "dev.json").write_text(json.dumps(questions))
    return folder


def test_the_development_split_uses_every_database_of_a_test_suite(spider: Path, where: Where) -> None:
    with open_bench("spider-dev", Where(where.home, data=spider)) as bench:
        urls = bench.worlds["spider/zoo"]
        assert [url.rpartition("/")[2] for url in urls] == ["zoo.sqlite", "zoo_suite_1.sqlite"]
        assert bench.populations == 2
        first, second = bench.examples
        assert first.sql == "SELECT count(*) FROM animal"
        assert (order_counts(first), order_counts(second)) == (False, True)


def test_spider_needs_its_folder(where: Where) -> None:
    with pytest.raises(EvaluationError, match="needs Spider's folder"), open_bench("spider", where):
        pass


def test_a_folder_without_spider_is_named(where: Where, tmp_path: Path) -> None:
    with (
        pytest.raises(EvaluationError, match=r"holds none of train\.jsonl"),
        open_bench("spider", replace(where, data=tmp_path)),
    ):
        pass


def test_spider_is_500_questions_of_held_out_databases_always_the_same(where: Where, shared_data) -> None:  # type: ignore[no-untyped-def]
    folder = shared_data("spider_train")
    held = set(benches.held_out()["databases"])
    with (
        open_bench("spider", replace(where, data=folder)) as one,
        open_bench("spider", replace(where, data=folder)) as two,
    ):
        assert len(one.examples) == 500
        assert {example.schema.removeprefix("spider/") for example in one.examples} <= held
        assert one.fingerprint == two.fingerprint == "f97c6f640f52812a"


def test_every_copy_of_spider_gives_the_same_500(where: Where, shared_data, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Spider's own file says nothing of which golds run and return rows; other copies do."""
    folder = shared_data("spider_train")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name in ("database", "tables.json"):
        (theirs / name).symlink_to(folder / name)
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    own = [{name: row[name] for name in ("db_id", "question", "query")} for row in rows]
    (theirs / "train_spider.json").write_text(json.dumps(own))
    with open_bench("spider", replace(where, data=theirs)) as bench:
        assert bench.fingerprint == "f97c6f640f52812a"
        assert not {example.id for example in bench.examples} & set(benches.held_out()["unusable"])


def test_what_a_copy_of_spider_says_of_its_golds_does_not_choose_the_questions(spider: Path, where: Where) -> None:
    rows = json.loads((spider / "dev.json").read_text())
    rows[0] |= {"exec_ok": False, "n_result_rows": None}
    (spider / "dev.json").write_text(json.dumps(rows))
    with open_bench("spider-dev", replace(where, data=spider)) as bench:
        assert [example.id for example in bench.examples] == ["spider-00000", "spider-00001"]


def test_an_engine_or_server_that_would_not_be_used_is_refused(spider: Path, where: Where) -> None:
    for asked, why in (
        (Where(where.home, engine="duckdb", data=spider), "asked on sqlite; --on duckdb would not be"),
        (Where(where.home, server="postgresql://localhost/x", data=spider), "--server would not be used"),
    ):
        with pytest.raises(EvaluationError, match=why), open_bench("spider-dev", asked):
            pass
    with open_bench("spider-dev", Where(where.home, engine="sqlite", data=spider)) as bench:
        assert bench.engine == "sqlite", "what it is asked on anyhow may be said"


# A file of one's own ------------------------------------------------------------------------------------------


def test_a_file_of_ones_own_names_its_populations(shop_bench: Bench, where: Where, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    write_examples(file, shop_bench.examples)
    with open_bench(str(file), Where(where.home, databases=shop_bench.worlds["shop"])) as bench:
        assert (bench.name, bench.engine, bench.populations) == ("mine", "sqlite", 2)
        assert bench.schemas["shop"].table("orders") is not None
    with pytest.raises(EvaluationError, match="no database is named"), open_bench(str(file), where):
        pass


def test_a_population_that_is_not_there_is_missed_before_a_model_is_fetched(shop_bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    write_examples(file, shop_bench.examples)
    check_bench(str(file), databases=shop_bench.worlds["shop"])
    with pytest.raises(DatabaseError, match=r"absent\.db"):
        check_bench(str(file), databases=[f"sqlite:///{tmp_path}/absent.db"])


def test_a_file_that_is_called_like_a_bench_of_ours_is_not_taken_for_it(
    shop_bench: Bench, where: Where, tmp_path: Path
) -> None:
    """The reference's figures stand beside `lab`, never beside somebody's lab.jsonl."""
    file = tmp_path / "lab.jsonl"
    write_examples(file, shop_bench.examples)
    with open_bench(str(file), Where(where.home, databases=shop_bench.worlds["shop"])) as bench:
        assert bench.name == "lab.jsonl"


def test_a_folder_and_a_gold_of_no_dialect_are_named_at_once(shop_bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="is a folder"):
        check_bench(str(tmp_path))
    file = tmp_path / "mine.jsonl"
    write_examples(file, [replace(shop_bench.examples[0], dialect="cobol")])
    with pytest.raises(EvaluationError, match="'cobol'"):
        check_bench(str(file), databases=shop_bench.worlds["shop"])


def test_what_is_wrong_with_a_server_is_said_in_words(tmp_path: Path, postgres_server: Callable[[str], str]) -> None:
    for server, words in (("postgresql://u@127.0.0.1:9/x", "127.0.0.1:9"), (f"sqlite:///{tmp_path}/a.db", "a.db")):
        with pytest.raises(DatabaseError, match=words):
            Laboratories(tmp_path, server).urls("postgres", date(2026, 6, 15))
    url = postgres_server("nobody_makes_databases")
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("CREATE ROLE small_reader LOGIN")
    mine = urlunsplit(urlsplit(url)._replace(netloc="small_reader@"))
    with pytest.raises(EvaluationError, match="cannot be made on") as caught:
        Laboratories(tmp_path, mine).urls("postgres", date(2026, 6, 15))
    assert "CREATEDB" in caught.value.hint


def test_a_bench_that_nobody_knows_is_an_error_with_the_names(where: Where) -> None:
    with pytest.raises(EvaluationError, match="No bench and no file") as caught, open_bench("lap", where):
        pass
    assert "lab-dev" in caught.value.hint


def test_runs_are_comparable_only_with_the_same_questions_clock_engine_and_populations(shop_bench: Bench) -> None:
    same = identity(replace(shop_bench, name="renamed"))
    assert same == identity(shop_bench)
    others = [
        replace(shop_bench, examples=shop_bench.examples[:4]),
        replace(shop_bench, today=date(2026, 6, 16)),
        replace(shop_bench, worlds={"shop": shop_bench.worlds["shop"][:1]}),
        replace(shop_bench, engine="duckdb"),
    ]
    assert len({same, *map(identity, others)}) == 5
