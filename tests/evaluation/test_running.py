"""One run from start to end on real databases: self-test, answers, judging, scores, resuming, comparing."""

from __future__ import annotations

import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mnemosyne.databases import Limits
from mnemosyne.datasets import Example
from mnemosyne.engines import Completion
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.errors import EvaluationError, SettingsError
from mnemosyne.evaluation import record, running
from mnemosyne.evaluation.benches import Bench
from mnemosyne.evaluation.comparing import compare
from mnemosyne.evaluation.predicting import Prediction, Way, own_words, predict, read_predictions
from mnemosyne.evaluation.published import section
from mnemosyne.evaluation.report import write_report
from mnemosyne.evaluation.scoring import Score
from mnemosyne.evaluation.selftest import self_test
from mnemosyne.evaluation.workers import Workers
from mnemosyne.prompt import Prompt
from mnemosyne.settings import Settings

LIMITS = Limits(timeout_seconds=5, max_rows=1000)

GOOD = {
    "shop-1": "SELECT COUNT(*) FROM customers",
    "shop-2": "SELECT name FROM customers WHERE city = 'Riga'",
    "shop-3": "SELECT id, total FROM orders ORDER BY total DESC, id",
    "shop-4": "SELECT SUM(total), city FROM orders JOIN customers ON customers.id = customer_id GROUP BY city",
    "shop-5": "SELECT name FROM customers WHERE id NOT IN (SELECT customer_id FROM orders)",
}
MIXED = GOOD | {
    "shop-1": "SELECT 4",  # both populations have four customers: right, and by luck
    "shop-2": "SELECT name FROM customers WHERE id <= 2",  # right on the first population only
    "shop-3": "SELECT id, total FROM orders ORDER BY total",  # the wrong order
    "shop-4": "SELECT region, SUM(total) FROM orders GROUP BY region",  # a column that is not there
    "shop-5": "SELECT id, name FROM customers WHERE id NOT IN (SELECT customer_id FROM orders)",  # one too many
}


def quiet(what: str, done: int, total: int) -> None:
    """No progress bar."""


def from_file(folder: Path, name: str, answers: dict[str, str]) -> running.System:
    """A system whose answers were made elsewhere."""
    file = folder / f"{name}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps({"id": key, "sql": sql}) + "\n" for key, sql in answers.items()))
    return running.System(name, None, file)


def measure(bench: Bench, folder: Path, systems: list[running.System]) -> record.Record:
    """What the verb does, without a model."""
    with Workers(1) as judges:
        test = running.prepare(bench, judges, LIMITS, quiet)
        systems = running.pin(folder, bench, systems)
        answers = {system.label: read_predictions(system.file) for system in systems}
        judged = running.judge_all(bench, answers, judges, LIMITS, quiet)
    found = record.conclude(bench, systems, judged, test, seed=0, wall={})
    record.save(found, judged, folder)
    return found


def figures(found: record.Record, label: str) -> dict[str, float]:
    """Metric to percent."""
    [system] = [one for one in found["systems"] if one["label"] == label]
    return {metric: figure["value"] for metric, figure in system["figures"]["all"]["all"].items()}


# Scores --------------------------------------------------------------------------------------------------------


def test_every_metric_says_what_it_means(shop_bench: Bench, tmp_path: Path) -> None:
    found = measure(shop_bench, tmp_path / "run", [from_file(tmp_path, "mixed", MIXED)])
    assert figures(found, "mixed (file)") == {
        "EX": 40.0,  # shop-1 and shop-2
        "EX lenient": 60.0,  # and shop-5, whose extra column is forgiven
        "TS": 20.0,  # shop-2 was luck
        "EM": 0.0,
        "VLD": 80.0,
    }


def test_good_answers_written_otherwise_are_right_and_exact_match_is_not_execution(
    shop_bench: Bench, tmp_path: Path
) -> None:
    found = measure(shop_bench, tmp_path / "run", [from_file(tmp_path, "good", GOOD)])
    assert figures(found, "good (file)") | {"EM": None} == {
        "EX": 100.0, "EX lenient": 100.0, "TS": 100.0, "EM": None, "VLD": 100.0,
    }  # fmt: skip
    assert figures(found, "good (file)")["EM"] == 60.0  # not shop-3 (one key more), nor shop-5 (NOT IN for NOT EXISTS)


def test_figures_agree_with_an_independent_implementation(
    shop_bench: Bench, shops: tuple[str, str], tmp_path: Path
) -> None:
    """The answers run here with the sqlite3 module, and their rows are compared as bags, columns in every order."""
    from itertools import permutations

    def rows(url: str, sql: str) -> list[tuple[object, ...]] | None:
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        try:
            return connection.execute(sql).fetchall()
        except sqlite3.Error:
            return None
        finally:
            connection.close()

    def right(gold: Example, sql: str, url: str, *, extra: bool) -> bool:
        wanted, got = rows(url, gold.sql), rows(url, sql)
        if wanted is None or got is None:
            return False
        width = len(wanted[0])
        for places in permutations(range(len(got[0])), width):
            if not extra and len(got[0]) != width:
                continue
            picked = [tuple(row[place] for place in places) for row in got]
            if picked == wanted or ("ordered" not in gold.tags and Counter(picked) == Counter(wanted)):
                return True
        return False

    first, second = shops
    golds = {example.id: example for example in shop_bench.examples}
    answers = MIXED | {"shop-3": GOOD["shop-3"]}
    strict = [right(golds[key], sql, first, extra=False) for key, sql in answers.items()]
    everywhere = [
        one and right(golds[key], sql, second, extra=False)
        for one, (key, sql) in zip(strict, answers.items(), strict=True)
    ]
    lenient = [right(golds[key], sql, first, extra=True) for key, sql in answers.items()]
    valid = [all(rows(url, sql) is not None for url in shops) for sql in answers.values()]
    found = measure(shop_bench, tmp_path / "run", [from_file(tmp_path, "some", answers)])
    for metric, theirs in {"EX": strict, "TS": everywhere, "EX lenient": lenient, "VLD": valid}.items():
        assert figures(found, "some (file)")[metric] == 100 * sum(theirs) / len(theirs), metric


def test_an_answer_that_is_not_there_is_wrong_and_counted_as_missing(shop_bench: Bench, tmp_path: Path) -> None:
    found = measure(shop_bench, tmp_path / "run", [from_file(tmp_path, "few", {"shop-1": GOOD["shop-1"]})])
    assert figures(found, "few (file)")["EX"] == 20.0
    assert found["systems"][0]["cost"]["missing"] == 4


def test_figures_come_by_tier_hardness_and_tag_with_their_numbers(shop_bench: Bench, tmp_path: Path) -> None:
    found = measure(shop_bench, tmp_path / "run", [from_file(tmp_path, "good", GOOD)])
    by = found["systems"][0]["figures"]
    assert {name: row["EX"]["n"] for name, row in by["tier"].items()} == {"simple": 2, "moderate": 2, "complex": 1}
    assert sum(row["EX"]["n"] for row in by["hardness"].values()) == 5
    assert by["tag"]["table:customers"]["TS"]["n"] == 1


def test_wrong_answers_are_sorted_by_what_is_wrong(shop_bench: Bench, tmp_path: Path) -> None:
    found = measure(shop_bench, tmp_path / "run", [from_file(tmp_path, "mixed", MIXED)])
    assert found["systems"][0]["errors"] == {"filter": 1, "order": 1, "unknown column": 1, "extra columns": 1}
    shown = {case["id"]: case for case in found["worst"]}
    assert shown.keys() == {"shop-2", "shop-3", "shop-4", "shop-5"}
    assert shown["shop-2"]["population"] == 2
    assert shown["shop-2"]["gold_rows"]["rows"] != shown["shop-2"]["answer_rows"]["rows"]
    assert "region" in shown["shop-4"]["why"]


# Self-test -----------------------------------------------------------------------------------------------------


def broken(bench: Bench, sql: str) -> Bench:
    """The bench with one other gold."""
    first, *rest = bench.examples
    return replace(bench, examples=(replace(first, sql=sql), *rest))


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT COUNT(*) FROM shoppers", "shop-1: refused by the guard"),
        ("SELECT a.id FROM orders a, orders b, orders c, orders d, orders e, orders f", "shop-1: more than 1000 rows"),
    ],
)
def test_a_bad_gold_stops_the_run_and_is_named(shop_bench: Bench, sql: str, why: str) -> None:
    with Workers(1) as judges, pytest.raises(EvaluationError, match=why):
        self_test(broken(shop_bench, sql), judges, LIMITS)


def test_an_ordered_gold_that_does_not_parse_is_named_too(shop_bench: Bench) -> None:
    bench = broken(shop_bench, "SELECT id FROM (customers ORDER BY")
    first, *rest = bench.examples
    bench = replace(bench, examples=(replace(first, tags=("ordered",)), *rest))
    with Workers(1) as judges, pytest.raises(EvaluationError, match=r"shop-1: does not parse: [^\x1b]+$"):
        self_test(bench, judges, LIMITS)


def test_a_gold_that_another_engine_answers_otherwise_is_named_with_the_engine(
    shop_bench: Bench, tmp_path: Path
) -> None:
    """The mirror has one customer more."""
    mirrors = tuple(f"sqlite:///{tmp_path}/{number}.sqlite" for number in (1, 2))
    for url, source in zip(mirrors, shop_bench.worlds["shop"], strict=True):
        path = Path(url.removeprefix("sqlite:///"))
        path.write_bytes(Path(source.removeprefix("sqlite:///")).read_bytes())
        with sqlite3.connect(path) as connection:
            connection.execute("INSERT INTO customers VALUES (99, 'Zoe', 'Nowhere')")
        connection.close()
    mirrored = replace(shop_bench, mirrors={"duckdb": {"shop": mirrors}})
    with Workers(1) as judges, pytest.raises(EvaluationError, match="shop-1: other rows on duckdb, population 1, 2"):
        self_test(mirrored, judges, LIMITS)


def test_golds_that_return_nothing_are_flagged_and_do_not_stop_the_run(shop_bench: Bench) -> None:
    empty = broken(shop_bench, "SELECT id FROM customers WHERE id < 0")
    with Workers(1) as judges:
        found = self_test(empty, judges, LIMITS)
    assert found.empty == ("shop-1",)
    assert found.golds == 5


def test_a_gold_whose_limit_cuts_a_tie_is_flagged_and_ex_is_also_given_without_it(
    shop_bench: Bench, tmp_path: Path
) -> None:
    """The two largest orders of the first shop are equally large: which of them comes first is chance."""
    tied = broken(shop_bench, "SELECT id FROM orders ORDER BY total DESC LIMIT 1")
    answers = {example.id: example.sql for example in tied.examples}
    answers |= {"shop-1": "SELECT id FROM orders ORDER BY total DESC, id DESC LIMIT 1"}
    found = measure(tied, tmp_path / "run", [from_file(tmp_path, "other", answers)])
    assert list(found["self_test"]["ties"]) == ["shop-1"]
    assert figures(found, "other (file)")["EX"] == 80.0, "EX is what it was"
    assert found["systems"][0]["ex_without_ties"] | {"low": 0, "high": 0} == {
        "value": 100.0, "low": 0, "high": 0, "n": 4,
    }  # fmt: skip
    line = "other (file): EX without the 1 golds whose LIMIT cuts a tie, 100.0 ["
    write_report(found, tmp_path / "run")
    for text in (
        (tmp_path / "run" / "report.html").read_text(),
        (tmp_path / "run" / "report.md").read_text(),
        section(found, "run.json"),
    ):
        assert line in text


# Answers and resuming ------------------------------------------------------------------------------------------


def scripted(answers: dict[str, str], bench: Bench) -> ScriptedEngine:
    """A model that knows the answer to each question, found by the question's text in the prompt."""
    by_question = {example.question: answers[example.id] for example in bench.examples}

    def answer(asked: Prompt) -> str:
        return next(sql for question, sql in by_question.items() if question in asked.tail)

    return ScriptedEngine(answer)


def test_an_interrupted_run_asks_only_what_is_left(shop_bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text('{"id": "shop-1", "sql": "SELECT 1"}\n{"id": "shop-2", "sql": "SELECT 2"}\n{"id": "shop-3", "sq')
    engine = scripted(GOOD, shop_bench)
    found = predict(engine, shop_bench, Way(), file, limits=LIMITS, progress=quiet)
    assert len(engine.prompts) == 3
    assert found["shop-1"].sql == "SELECT 1"
    assert found["shop-3"].sql == GOOD["shop-3"]
    assert read_predictions(file) == found


KILLED = """
import pickle, sys, time
from pathlib import Path
from mnemosyne.databases import Limits
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.evaluation.predicting import Way, predict

bench, answers, file = pickle.loads(Path(sys.argv[1]).read_bytes())
replies = iter(answers.values())
engine = ScriptedEngine(lambda asked: time.sleep(60) or "" if len(engine.prompts) == 3 else next(replies))
predict(engine, bench, Way(), file, limits=Limits(), progress=lambda *step: None)
"""


def test_a_run_killed_in_the_middle_ends_as_an_unbroken_one_does(shop_bench: Bench, tmp_path: Path) -> None:
    """A real process is killed with SIGKILL while its model works on the third answer."""
    file, script, argument = tmp_path / "killed.jsonl", tmp_path / "run.py", tmp_path / "bench.pickle"
    script.write_text(KILLED)
    argument.write_bytes(pickle.dumps((shop_bench, GOOD, file)))
    process = subprocess.Popen([sys.executable, str(script), str(argument)])
    end = time.monotonic() + 60
    while time.monotonic() < end and not (file.exists() and len(file.read_text().splitlines()) == 2):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(read_predictions(file)) == 2
    engine = scripted(GOOD, shop_bench)
    resumed = predict(engine, shop_bench, Way(), file, limits=LIMITS, progress=quiet)
    assert len(engine.prompts) == 3
    unbroken = predict(
        scripted(GOOD, shop_bench), shop_bench, Way(), tmp_path / "whole.jsonl", limits=LIMITS, progress=quiet
    )
    assert resumed == unbroken


def test_a_greedy_pass_runs_nothing_and_repairs_nothing(shop_bench: Bench, tmp_path: Path) -> None:
    engine = scripted(MIXED, shop_bench)
    found = predict(engine, shop_bench, Way(), tmp_path / "a.jsonl", limits=LIMITS, progress=quiet)
    assert len(engine.prompts) == 5
    assert found["shop-4"].sql == MIXED["shop-4"]
    assert all(one.repairs == 0 and one.agreement is None for one in found.values())


def test_repairing_starts_from_the_plain_drafts_and_asks_only_about_what_failed(
    shop_bench: Bench, tmp_path: Path
) -> None:
    plain = predict(scripted(MIXED, shop_bench), shop_bench, Way(), tmp_path / "a.jsonl", limits=LIMITS, progress=quiet)
    engine = scripted(GOOD, shop_bench)
    found = predict(
        engine, shop_bench, Way(repairs=2), tmp_path / "b.jsonl", limits=LIMITS, progress=quiet, drafts=plain
    )
    [asked] = engine.prompts
    assert "region" in asked.tail, "the failed draft and its error go back to the model"
    assert found["shop-4"].sql == GOOD["shop-4"]
    assert found["shop-4"].repairs == 1
    assert found["shop-3"].sql == MIXED["shop-3"], "a query that runs is not repaired"


def test_votes_say_how_many_candidates_agreed(shop_bench: Bench, tmp_path: Path) -> None:
    texts = {"shop-1": iter(["SELECT 1", "SELECT 4", "SELECT COUNT(*) FROM customers"])}
    one = replace(shop_bench, examples=shop_bench.examples[:1])
    engine = ScriptedEngine(lambda asked: next(texts["shop-1"]))
    found = predict(engine, one, Way(votes=3), tmp_path / "v.jsonl", limits=LIMITS, progress=quiet)
    assert found["shop-1"].sql == "SELECT 4"
    assert found["shop-1"].agreement == pytest.approx(2 / 3)
    assert found["shop-1"].votes == 3


def test_the_cost_of_every_draft_is_counted(shop_bench: Bench, tmp_path: Path) -> None:
    one = replace(shop_bench, examples=shop_bench.examples[:1])
    drafts = iter([Completion("SELECT nope FROM orders", 7, 90, 60), Completion(GOOD["shop-1"], 5, 110, 60)])
    engine = ScriptedEngine(lambda asked: next(drafts))
    found = predict(engine, one, Way(repairs=1), tmp_path / "c.jsonl", limits=LIMITS, progress=quiet)["shop-1"]
    assert (found.tokens, found.prompt_tokens, found.cached_tokens, found.repairs) == (12, 200, 120, 1)


def test_ways_have_names_that_cannot_be_mixed_up() -> None:
    ways = [
        Way(), Way(repairs=2), Way(grounding=True), Way(repairs=2, grounding=True), Way(votes=5), Way(abstain=True),
        Way(linked=1200), Way(grounding=True, words="1a2b3c"), Way(votes=8, repairs=2, grounding=True),
    ]  # fmt: skip
    assert [way.label for way in ways] == [
        "greedy", "greedy, repairs 2", "greedy, hints", "greedy, hints, repairs 2", "votes 5", "greedy, may abstain",
        "greedy, linked 1200", "greedy, hints, own words 1a2b3c", "votes 8, hints, repairs 2",
    ]  # fmt: skip
    assert [way.plain for way in ways] == [True, *[False] * 8]


def test_a_linked_way_shows_the_part_that_each_question_needs(shop_bench: Bench, tmp_path: Path) -> None:
    """The shop has two tables; a budget for one of them leaves the other out of the prompt."""
    seen: dict[str, str] = {}

    def write(asked: Prompt) -> str:
        [question] = [e.question for e in shop_bench.examples if e.question in asked.tail]
        seen[question] = asked.prefix
        return "SELECT 1"

    for linked in (0, 40):
        way = Way(linked=linked, grounding=True)
        file = tmp_path / f"{linked}.jsonl"
        predict(ScriptedEngine(write), shop_bench, way, file, limits=LIMITS, progress=quiet)
        shown = seen["How many customers are there?"]
        assert "CREATE TABLE customers" in shown
        assert ("CREATE TABLE orders" in shown) == (linked == 0)


def test_a_way_with_own_words_knows_them_and_is_told_apart(shop_bench: Bench, tmp_path: Path) -> None:
    house = tmp_path / "house.yaml"
    house.write_text("groups:\n- [Riga, the old town]\n")
    one = replace(shop_bench, examples=(replace(shop_bench.examples[1], question="Customers in the old town."),))
    told = []

    def write(asked: Prompt) -> str:
        told.append("Riga" in asked.tail)
        return "SELECT 1"

    settings = replace(Settings(), synonyms=str(house))
    for words in ("", own_words(settings)):
        way, file = Way(grounding=True, words=words), tmp_path / f"w{words}.jsonl"
        predict(ScriptedEngine(write), one, way, file, limits=LIMITS, progress=quiet, settings=settings)
    assert told == [False, True]
    hidden = replace(settings, exclude_values="customers.city")
    way = Way(grounding=True, words=own_words(hidden))
    predict(ScriptedEngine(write), one, way, tmp_path / "h.jsonl", limits=LIMITS, progress=quiet, settings=hidden)
    assert told == [False, True, False], "a column that is left out is not read for an evaluation either"
    assert own_words(Settings()) == "" != own_words(settings) != own_words(hidden)


def test_own_words_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.yaml"):
        own_words(replace(Settings(), synonyms=str(tmp_path / "absent.yaml")))
    with pytest.raises(SettingsError, match=r"~nobody-here/words\.yaml"):
        own_words(replace(Settings(), lexicon="~nobody-here/words.yaml"))


def test_the_same_bytes_are_other_words_as_synonyms_than_as_a_lexicon(tmp_path: Path) -> None:
    file = tmp_path / "words.yaml"
    file.write_text("{}", encoding="utf-8")
    assert own_words(Settings(synonyms=str(file))) != own_words(Settings(lexicon=str(file)))


# The folder of a run ---------------------------------------------------------------------------------------------


def test_a_folder_keeps_earlier_systems_and_compares_them(shop_bench: Bench, tmp_path: Path) -> None:
    measure(shop_bench, tmp_path / "run", [from_file(tmp_path, "mixed", MIXED)])
    found = measure(shop_bench, tmp_path / "run", [from_file(tmp_path, "good", GOOD)])
    assert [system["label"] for system in found["systems"]] == ["mixed (file)", "good (file)"]
    assert [
        (pair["metric"], pair["difference"], pair["only_second"], pair["only_first"]) for pair in found["pairs"]
    ] == [("EX", 60.0, 3, 0), ("TS", 80.0, 4, 0)]


def test_two_models_are_compared_within_each_tier_too(shop_bench: Bench, tmp_path: Path) -> None:
    systems = [from_file(tmp_path, "mixed", MIXED), from_file(tmp_path, "good", GOOD)]
    found = measure(shop_bench, tmp_path / "run", systems)
    pair = found["pairs"][1]
    assert {name: (row["only_second"], row["n"]) for name, row in pair["slices"].items()} == {
        "simple": (1, 2), "moderate": (2, 2), "complex": (1, 1),
    }  # fmt: skip
    assert list(pair["slices"]) == ["simple", "moderate", "complex"]
    assert pair["slices"]["moderate"]["p"] == 0.5
    write_report(found, tmp_path / "run")
    for text in ((tmp_path / "run" / "report.md").read_text(), section(found, "run.json")):
        assert "| moderate | +100.0 [-31.5, +100.0] | 2 | 0 | 0.5 |" in text
    assert "<td>moderate</td>" in (tmp_path / "run" / "report.html").read_text().replace(' class="text"', "")


def test_without_tiers_models_are_compared_within_each_hardness(shop_bench: Bench, tmp_path: Path) -> None:
    bare = replace(shop_bench, examples=tuple(replace(example, tier="") for example in shop_bench.examples))
    systems = [from_file(tmp_path, "mixed", MIXED), from_file(tmp_path, "good", GOOD)]
    found = measure(bare, tmp_path / "run", systems)
    by_hardness = {name: row["EX"]["n"] for name, row in found["systems"][0]["figures"]["hardness"].items()}
    assert {name: row["n"] for name, row in found["pairs"][0]["slices"].items()} == by_hardness


def test_a_folder_refuses_another_bench(shop_bench: Bench, tmp_path: Path) -> None:
    measure(shop_bench, tmp_path / "run", [from_file(tmp_path, "good", GOOD)])
    other = replace(shop_bench, examples=shop_bench.examples[:3])
    with pytest.raises(EvaluationError, match="already measures another bench"):
        measure(other, tmp_path / "run", [from_file(tmp_path, "good", GOOD)])


def test_a_folder_refuses_other_weights_of_the_same_name(shop_bench: Bench, tmp_path: Path) -> None:
    system = from_file(tmp_path, "model", GOOD)
    measure(shop_bench, tmp_path / "run", [replace(system, weights={"sha256": "aa"})])
    with pytest.raises(EvaluationError, match="other weights of model"):
        measure(shop_bench, tmp_path / "run", [replace(system, weights={"sha256": "bb"})])


def test_two_runs_are_compared_question_by_question(shop_bench: Bench, tmp_path: Path) -> None:
    measure(shop_bench, tmp_path / "one", [from_file(tmp_path, "mixed", MIXED)])
    measure(shop_bench, tmp_path / "two", [from_file(tmp_path, "good", GOOD)])
    found = compare(tmp_path / "one", tmp_path / "two")
    [pair] = found["pairs"]
    assert found["measure"] == "EX", "the figure that others print, too"
    assert pair["gained"] == ["shop-3", "shop-4", "shop-5"]
    assert pair["lost"] == []
    assert pair["p"] == 0.25
    assert {name: row["only_second"] for name, row in pair["slices"].items()} == {
        "simple": 0, "moderate": 2, "complex": 1,
    }  # fmt: skip
    everywhere = compare(tmp_path / "one", tmp_path / "two", metric="TS")
    assert everywhere["pairs"][0]["gained"] == ["shop-2", "shop-3", "shop-4", "shop-5"]
    exact = compare(tmp_path / "one", tmp_path / "two", metric="VLD")
    assert exact["pairs"][0]["gained"] == ["shop-4"]


@pytest.mark.parametrize("hurt", ["scores", "bench", "systems"])
def test_a_damaged_run_is_not_compared(shop_bench: Bench, tmp_path: Path, hurt: str) -> None:
    for name in ("one", "two"):
        measure(shop_bench, tmp_path / name, [from_file(tmp_path, "good", GOOD)])
    if hurt == "scores":
        [file] = (tmp_path / "two" / "scores").iterdir()
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        file.write_text("".join(json.dumps({"id": row["id"]}) + "\n" for row in rows))
    else:
        file = tmp_path / "two" / "run.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {hurt: {} if hurt == "bench" else [{}]}))
    with pytest.raises(EvaluationError, match="is damaged"):
        compare(tmp_path / "one", tmp_path / "two")


def test_runs_of_different_questions_or_metrics_are_not_compared(shop_bench: Bench, tmp_path: Path) -> None:
    measure(shop_bench, tmp_path / "one", [from_file(tmp_path, "good", GOOD)])
    fewer = replace(shop_bench, examples=shop_bench.examples[:3])
    measure(fewer, tmp_path / "two", [from_file(tmp_path, "good", GOOD)])
    with pytest.raises(EvaluationError, match="cannot be compared"):
        compare(tmp_path / "one", tmp_path / "two")
    with pytest.raises(EvaluationError, match="was not measured"):
        compare(tmp_path / "one", tmp_path / "one", metric="BLEU")


def test_runs_over_databases_that_have_changed_are_not_compared(shop_bench: Bench, tmp_path: Path) -> None:
    for name in ("aa", "bb"):
        measure(replace(shop_bench, contents=name), tmp_path / name, [from_file(tmp_path, "good", GOOD)])
    assert compare(tmp_path / "aa", tmp_path / "aa")["pairs"]
    with pytest.raises(EvaluationError, match="hold other rows"):
        compare(tmp_path / "aa", tmp_path / "bb")


def test_a_run_made_before_ties_dialects_and_contents_is_read_shown_and_continued(
    shop_bench: Bench, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    found = measure(shop_bench, old, [from_file(tmp_path, "mixed", MIXED), from_file(tmp_path, "good", GOOD)])
    measure(replace(shop_bench, contents="aa"), new, [from_file(tmp_path, "good", GOOD)])
    del found["self_test"]["ties"], found["bench"]["contents"]
    for system in found["systems"]:
        del system["dialect"]
    found["pairs"] = [{k: v for k, v in pair.items() if k != "slices"} for pair in found["pairs"][1:]]
    (old / "run.json").write_text(json.dumps(found))
    recipe = json.loads((old / "recipe.json").read_text())
    del recipe["contents"]
    for system in recipe["systems"]:
        del system["dialect"]
    (old / "recipe.json").write_text(json.dumps(recipe))
    assert len(compare(old, new)["pairs"]) == 2
    write_report(record.load(old), tmp_path / "again")
    assert "| model | against | TS, points | gained |" in section(record.load(old), "run.json")
    pinned = running.pin(old, replace(shop_bench, contents="aa"), [])
    assert [system.label for system in pinned] == ["mixed (file)", "good (file)"]


def test_the_record_carries_its_recipe(shop_bench: Bench, tmp_path: Path) -> None:
    system = replace(from_file(tmp_path, "model", GOOD), weights={"sha256": "aa", "adapter_sha256": "bb"})
    measure(shop_bench, tmp_path / "run", [system])
    found = json.loads((tmp_path / "run" / "run.json").read_text())
    assert found["metric"].startswith("mnemosyne-ex/")
    assert found["systems"][0]["weights"] == {"sha256": "aa", "adapter_sha256": "bb"}
    assert found["bench"]["fingerprint"] == shop_bench.fingerprint
    assert (found["bench"]["engine"], found["bench"]["today"]) == ("sqlite", "2026-06-15")
    assert found["self_test"] == {"engines": ["sqlite"], "golds": 5, "empty": [], "ties": []}
    assert found["seed"] == 0
    assert {"system", "processor", "cores", "python"} <= found["machine"].keys()
    interval = found["systems"][0]["figures"]["all"]["all"]["EX"]
    assert interval == {"value": 100.0, "low": pytest.approx(56.55, abs=0.01), "high": 100.0, "n": 5}


# Questions without an answer -----------------------------------------------------------------------------------


def abstaining(bench: Bench, predictions: dict[str, Prediction]) -> list[Score]:
    unanswerable = replace(bench, unanswerable=True)
    judged = running.judge_all(unanswerable, {"m": predictions}, Workers(1), LIMITS, quiet)
    return list(judged.scores["m"])


def test_where_there_is_no_answer_abstaining_is_right(shop_bench: Bench) -> None:
    first, second, third, fourth, fifth = abstaining(
        shop_bench,
        {
            "shop-1": Prediction("shop-1", "", refusal="abstain"),
            "shop-2": Prediction("shop-2", ""),
            "shop-3": Prediction("shop-3", "SELECT invoice FROM orders"),
            "shop-4": Prediction("shop-4", "SELECT id FROM orders"),
        },
    )
    assert [one.hit("ABS") for one in (first, second, third, fourth, fifth)] == [True, True, False, False, False]
    assert [one.hit("SAFE") for one in (first, second, third, fourth, fifth)] == [True, True, True, False, False]
    assert (third.category, fourth.category) == ("stopped", "answered")
    assert fifth.code == "missing", "a question that was never asked is not one that was declined"


def test_a_question_given_back_is_right_without_an_answer_and_wrong_with_one(shop_bench: Bench, tmp_path: Path) -> None:
    """The assistant's own word, from the question to the score; the model is not even asked."""
    invoices = Example("shop-9", "Which customers have unpaid invoices?", "", "shop", reason="There are no invoices.")
    engine = ScriptedEngine(lambda asked: "SELECT name FROM customers")
    bench = replace(shop_bench, examples=(invoices,), unanswerable=True)
    found = predict(engine, bench, Way(abstain=True), tmp_path / "a.jsonl", limits=LIMITS, progress=quiet)
    assert (found["shop-9"].sql, found["shop-9"].refusal) == ("", "abstain")
    [score] = running.judge_all(bench, {"m": found}, Workers(1), LIMITS, quiet).scores["m"]
    assert score.hit("ABS")
    answerable = replace(shop_bench, examples=(replace(shop_bench.examples[0], id="shop-9"),))
    with Workers(1) as judges:
        [score] = running.judge_all(answerable, {"m": found}, judges, LIMITS, quiet).scores["m"]
    assert (score.hit("EX"), score.code, score.category) == (False, "abstain", "abstained")


def test_another_dialect_is_wrong_of_the_model_alone_and_read_by_the_assistant(
    shop_bench: Bench, tmp_path: Path
) -> None:
    """Back-quoted names are MySQL's."""
    one = replace(shop_bench, examples=shop_bench.examples[:1])
    engine = ScriptedEngine(lambda asked: "SELECT COUNT(*) FROM `customers`")
    figures = []
    for way in (Way(), Way(repairs=1)):
        found = predict(engine, one, way, tmp_path / f"{way.repairs}.jsonl", limits=LIMITS, progress=quiet)
        with Workers(1) as judges:
            [score] = running.judge_all(one, {"m": found}, judges, LIMITS, quiet).scores["m"]
        figures.append((score.hit("EX"), found["shop-1"].repairs))
    assert figures == [(False, 0), (True, 0)]
