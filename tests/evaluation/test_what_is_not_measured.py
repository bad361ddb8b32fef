"""Runs that would give a wrong figure, or none, are refused in words; an interrupted one goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mnemosyne import engines
from mnemosyne.databases import Limits
from mnemosyne.datasets import Example, write_examples
from mnemosyne.engines import Completion
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.errors import DatasetError, EvaluationError
from mnemosyne.evaluation import record, running
from mnemosyne.evaluation.benches import Bench, Where, open_bench
from mnemosyne.evaluation.judging import Answer, Step, Task, judge
from mnemosyne.evaluation.predicting import Prediction, Way, read_predictions
from mnemosyne.evaluation.running import System
from mnemosyne.evaluation.scoring import abstention, cost
from mnemosyne.evaluation.workers import Workers, Worlds
from mnemosyne.results import Failure
from mnemosyne.schema import Schema
from mnemosyne.settings import Settings

LIMITS = Limits(timeout_seconds=5, max_rows=1000)


def quiet(what: str, done: int, total: int) -> None:
    """No progress bar."""


def lines(file: Path, *rows: object) -> Path:
    """A file of JSON lines."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


# Answers ---------------------------------------------------------------------------------------------------------


def test_a_run_that_was_cut_within_a_line_goes_on(
    shop_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the verb's own door, `collect`: the torn line is asked again, the whole one is not."""
    file = tmp_path / "run" / "predictions" / "model.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text('{"id": "shop-1", "sql": "SELECT 1", "seconds": 3.5}\n{"id": "shop-2", "sq')
    engine = ScriptedEngine(lambda asked: "SELECT 2")
    monkeypatch.setattr(engines, "open_engine", lambda name, settings: engine)
    system = System("model", Way(), file)
    found, wall = running.collect(system, shop_bench, Settings(), LIMITS, quiet)
    assert len(engine.prompts) == 4
    assert (found["shop-1"].sql, found["shop-2"].sql) == ("SELECT 1", "SELECT 2")
    assert wall == 0.0, "the time of a part is not the time of the run"
    assert read_predictions(file) == found


def test_a_torn_line_is_forgiven_at_the_end_only(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"id": "q1", "sql": "SELECT 1"}\n{"id": "q2", "s')
    assert list(read_predictions(file)) == ["q1"]
    file.write_text('{"id": "q1", "s\n{"id": "q2", "sql": "SELECT 1"}\n')
    with pytest.raises(DatasetError, match="line 1: not JSON"):
        read_predictions(file)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"id": "q", "sql": 5}, "`sql` must be text"),
        ({"id": "q", "query": "SELECT 1"}, "`id` and `sql` are needed"),
        ({"id": "q", "sql": "", "seconds": "fast"}, "`seconds` must be a number"),
        ({"id": "q", "sql": "", "tokens": 1.5}, "`tokens` must be a whole number"),
        ({"id": "q", "sql": "", "votes": True}, "`votes` must be a whole number"),
        ({"id": "q", "sql": "", "agreement": [1]}, "`agreement` must be a number"),
    ],
)
def test_answers_made_elsewhere_are_checked_when_they_are_read(tmp_path: Path, row: object, why: str) -> None:
    with pytest.raises(EvaluationError, match=f"line 1: {why}"):
        read_predictions(lines(tmp_path / "a.jsonl", row))


def test_answers_may_be_null_and_carry_more_than_we_read(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", {"id": "q", "sql": None, "seconds": 2, "agreement": None, "by": "me"})
    assert read_predictions(file) == {"q": Prediction("q", "", seconds=2)}


def test_answers_to_other_questions_are_no_score_of_nothing(shop_bench: Bench, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", {"id": "other-1", "sql": "SELECT 1"})
    with pytest.raises(EvaluationError, match="answers no question of shop") as caught:
        running.collect(System("a", None, file), shop_bench, Settings(), LIMITS, quiet)
    assert "'other-1'" in caught.value.hint
    assert "'shop-1'" in caught.value.hint


def test_a_question_that_was_never_asked_has_no_latency_and_is_not_refused(shop_bench: Bench) -> None:
    given = {"shop-1": Prediction("shop-1", "SELECT COUNT(*) FROM customers", seconds=4.0)}
    with Workers(1) as judges:
        scores = running.judge_all(shop_bench, {"m": given}, judges, LIMITS, quiet).scores["m"]
    found = cost(scores, 0.0)
    assert (found["missing"], found["refused"], found["seconds_median"]) == (4, 0, 4.0)


def test_silence_by_accident_is_no_abstention() -> None:
    """Neither a question that nobody asked nor one that did not fit the model counts as safe."""
    example = Example("q", "Who?", "", "shop", "postgres")
    for refusal, code, safe in (
        ("missing", "missing", False), ("too-long", "too-long", False), ("cut", "cut", False), ("", "denied", True),
    ):  # fmt: skip
        assert not abstention(example, Prediction("q", "", refusal=refusal), code).strict
        assert abstention(example, Prediction("q", "", refusal=refusal), code).lenient is safe


@pytest.mark.parametrize("abstain", [False, True])
@pytest.mark.parametrize(("tokens", "why"), [(400, "cut"), (0, "too-long")])
def test_a_reply_without_words_does_not_end_a_run_and_is_no_abstention(
    shop_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstain: bool, tokens: int, why: str
) -> None:
    """A model whose tokens went into reasoning, and a server with less context than it said."""
    reply = Completion("", tokens=tokens, prompt_tokens=tokens, finish="length")
    engine = ScriptedEngine(lambda prompt: reply)
    monkeypatch.setattr(engines, "open_engine", lambda name, settings: engine)
    way = Way(abstain=abstain)
    given, _ = running.collect(
        System("m", way, tmp_path / "m.jsonl"), shop_bench, Settings(home=tmp_path), LIMITS, quiet
    )
    assert {one.refusal for one in given.values()} == {"cut" if abstain else why}
    found = [abstention(shop_bench.examples[0], one, one.refusal) for one in given.values()]
    assert not any(score.strict or score.lenient for score in found)


# Benches ---------------------------------------------------------------------------------------------------------


def opened(file: Path, *databases: str) -> Bench:
    """A bench of one's own."""
    with open_bench(str(file), Where(file.parent, databases=databases)) as bench:
        return bench


def test_two_questions_of_one_id_are_refused(shop_bench: Bench, shops: tuple[str, str], tmp_path: Path) -> None:
    """Both would get the score of one."""
    first, second, *_ = shop_bench.examples
    write_examples(tmp_path / "twice.jsonl", [first, replace(second, id=first.id)])
    with pytest.raises(EvaluationError, match="more than one question called shop-1"):
        opened(tmp_path / "twice.jsonl", *shops)


def test_a_file_without_questions_is_refused(shops: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("\n")
    with pytest.raises(EvaluationError, match="holds no question"):
        opened(tmp_path / "none.jsonl", *shops)


def test_populations_of_two_engines_are_refused(shop_bench: Bench, shops: tuple[str, str], tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    duckdb.connect(str(tmp_path / "other.duckdb")).execute("CREATE TABLE customers (id INTEGER)").close()
    write_examples(tmp_path / "shop.jsonl", shop_bench.examples)
    with pytest.raises(EvaluationError, match="different engines: sqlite, duckdb"):
        opened(tmp_path / "shop.jsonl", shops[0], f"duckdb:///{tmp_path}/other.duckdb")


def test_a_database_for_a_bench_that_has_its_own_is_refused(shops: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="lab has databases of its own"):
        opened(Path("lab"), *shops)


def test_a_file_that_is_not_spiders_is_named(tmp_path: Path) -> None:
    (tmp_path / "dev.json").write_text('[{"question": "How many?"}]')
    with (
        pytest.raises(EvaluationError, match=r"^dev\.json, .* 1: query, db_id missing"),
        open_bench("spider-dev", Where(tmp_path, data=tmp_path)),
    ):
        pass


def test_a_file_of_questions_without_an_answer_measures_abstaining(shops: tuple[str, str], tmp_path: Path) -> None:
    invoices = Example("q1", "Which invoices are unpaid?", "", "shop", reason="There are no invoices.")
    write_examples(tmp_path / "none.jsonl", [invoices])
    assert opened(tmp_path / "none.jsonl", *shops).unanswerable


# Folders ---------------------------------------------------------------------------------------------------------


def test_ways_of_one_model_share_its_weights(shop_bench: Bench, tmp_path: Path) -> None:
    """Repairs start from the plain drafts in the folder: those of other weights would be scored as its own."""
    running.pin(tmp_path, shop_bench, [System("m", Way(), tmp_path / "a.jsonl", {"sha256": "aa"})])
    with pytest.raises(EvaluationError, match="other weights of m"):
        running.pin(tmp_path, shop_bench, [System("m", Way(repairs=2), tmp_path / "b.jsonl", {"sha256": "bb"})])


def test_another_seed_is_another_folder_where_candidates_are_drawn(shop_bench: Bench, tmp_path: Path) -> None:
    """One label, one file of answers: the second seed would be printed over the first one's answers."""

    def pin(**way: int) -> None:
        running.pin(tmp_path, shop_bench, [System("m", Way(**way), tmp_path / f"{way.get('votes', 1)}.jsonl")])

    pin(votes=3, seed=0)
    pin(votes=3, seed=0)
    with pytest.raises(EvaluationError, match=r"votes 3.* with seed 0"):
        pin(votes=3, seed=1)
    pin(seed=0)
    pin(seed=1)  # only the bootstrap's: one greedy pass draws nothing


def test_two_files_of_one_name_are_not_one_system(shop_bench: Bench, tmp_path: Path) -> None:
    files = [lines(tmp_path / name / "answers.jsonl", {"id": "shop-1", "sql": "SELECT 1"}) for name in ("a", "b")]
    with pytest.raises(EvaluationError, match="already measures answers"):
        running.pin(tmp_path / "run", shop_bench, [System("answers", None, file) for file in files])


@pytest.mark.parametrize("text", ['{"metr', '{"recipe": {}}', "[]"])
def test_what_is_no_evaluation_is_said_to_be_none(shop_bench: Bench, tmp_path: Path, text: str) -> None:
    """A damaged file, or the folder of a training run, which keeps a run.json of its own."""
    (tmp_path / "run.json").write_text(text)
    (tmp_path / "recipe.json").write_text(text)
    for read in (lambda: record.load(tmp_path), lambda: running.pin(tmp_path, shop_bench, [])):
        with pytest.raises(EvaluationError, match=r"is damaged|is not of an evaluation"):
            read()


# Judging ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def task(shop_schema: Schema, shops: tuple[str, str]) -> Callable[..., Task]:
    """A gold and one answer to it, on both shops."""

    def make(gold: str, answer: str, *, ordered: bool = False, first: str = "postgres") -> Task:
        return Task("t", gold, first, shop_schema, shops, (Answer(answer),), ordered=ordered, limits=LIMITS)

    return make


def test_what_fails_on_a_later_population_is_still_right_on_the_first(task: Callable[..., Task]) -> None:
    """The second shop is lost here; EX is about the first one."""
    count = "SELECT COUNT(*) FROM customers"
    lost: dict[Step, Failure] = {(0, 1): Failure("timeout", "too slow")}
    [verdict] = judge(task(count, count), Worlds(), lost=lost).verdicts
    assert (verdict.strict, verdict.lenient, verdict.runs) == ((True, False), (True, False), False)
    assert (verdict.code, verdict.reason) == ("timeout", "too slow")


def test_an_answer_is_named_before_it_is_read(task: Callable[..., Task]) -> None:
    """A text that ended its worker while the guard read it must not be taken for the gold before it."""
    steps: list[Step] = []
    judge(task("SELECT COUNT(*) FROM customers", "DROP TABLE customers"), Worlds(), note=steps.append)
    assert steps[-1] == (0, 0)
    lost: dict[Step, Failure] = {(0, 0): Failure("crash", "it ended the process")}
    [verdict] = judge(task("SELECT COUNT(*) FROM customers", "DROP TABLE customers"), Worlds(), lost=lost).verdicts
    assert (verdict.code, verdict.reason) == ("crash", "it ended the process")


def test_a_gold_whose_sort_key_cannot_be_shown_keeps_its_own_order(task: Callable[..., Task]) -> None:
    """SQLite knows output names inside a sort expression; a projection does not."""
    gold = "SELECT city, COUNT(*) AS n FROM customers GROUP BY city ORDER BY n + 0, city"
    answers = ("SELECT city, COUNT(*) FROM customers GROUP BY city ORDER BY 2, 1",
               "SELECT city, COUNT(*) FROM customers GROUP BY city ORDER BY 2, 1 DESC")  # fmt: skip
    found = [judge(task(gold, answer, ordered=True, first="sqlite"), Worlds()) for answer in answers]
    assert [outcome.problem for outcome in found] == ["", ""]
    assert [outcome.verdicts[0].strict[0] for outcome in found] == [True, False]


def test_an_order_by_the_number_of_a_starred_column_is_judged(task: Callable[..., Task]) -> None:
    gold = "SELECT * FROM customers ORDER BY 1"
    found = [
        judge(task(gold, f"SELECT * FROM customers ORDER BY 1{way}", ordered=True), Worlds()) for way in ("", " DESC")
    ]
    assert [outcome.verdicts[0].strict[0] for outcome in found] == [True, False]
    tied = "SELECT * FROM customers ORDER BY 3"
    answers = ("SELECT * FROM customers ORDER BY city, id DESC", "SELECT * FROM customers ORDER BY city DESC")
    found = [judge(task(tied, answer, ordered=True), Worlds()) for answer in answers]
    assert [outcome.verdicts[0].strict[0] for outcome in found] == [True, False], "equal keys may change places"


def test_the_limit_that_cut_a_gold_is_named(task: Callable[..., Task]) -> None:
    one = task("SELECT name FROM customers", "SELECT 1")
    few = replace(one, limits=Limits(max_rows=2))
    small = replace(one, limits=Limits(max_bytes=5))
    assert judge(few, Worlds()).problem == "more than 2 rows on population 1"
    assert judge(small, Worlds()).problem == "more than 5 bytes of rows on population 1"


def test_a_model_may_have_a_dollar_in_its_name() -> None:
    plots = pytest.importorskip("mnemosyne.evaluation.plots")
    pytest.importorskip("matplotlib")
    assert "a$" in plots.facets(["a$\\frac$"], ["EX"], {("a$\\frac$", "EX"): plots.Bar(50.0)}, set())
