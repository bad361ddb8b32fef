"""A question in, an answer out: drafts, repairs, votes, and what is never run."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from mnemosyne.assistant import DECLINED, Answer, Assistant, Options
from mnemosyne.databases import Database, open_database
from mnemosyne.engines import Completion
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.errors import LexiconError
from mnemosyne.guard.query import Refusal, SafeQuery
from mnemosyne.prompt import Prompt
from mnemosyne.results import Failure, Result

TODAY = date(2026, 6, 15)
COUNT = "SELECT COUNT(*) FROM samples"
WRONG_NAME = "SELECT sample_point FROM samples"


@pytest.fixture
def laboratory(lab_sqlite: str) -> Iterator[Database]:
    database = open_database(lab_sqlite)
    yield database
    database.close()


def ask(
    laboratory: Database, *answers: str | Completion, question: str = "How many samples?", **options: object
) -> Answer:
    engine = ScriptedEngine(answers)
    chosen = Options(today=TODAY, **options)  # type: ignore[arg-type]
    return Assistant.over(engine, laboratory, options=chosen).ask(question)


def test_a_good_draft_is_checked_and_run(laboratory: Database) -> None:
    answer = ask(laboratory, COUNT + ";")
    assert answer.ok
    assert answer.result is not None
    [(samples,)] = answer.result.rows
    assert isinstance(samples, int)
    assert samples >= 3000
    assert [step.kind for step in answer.steps] == ["draft"]
    assert isinstance(answer.steps[0].checked, SafeQuery)


def test_a_wrong_name_goes_back_to_the_model_with_the_nearest_one(laboratory: Database) -> None:
    engine = ScriptedEngine([WRONG_NAME, "SELECT sampling_point FROM samples"])
    answer = Assistant.over(engine, laboratory).ask("Where were samples taken?")
    assert answer.ok
    assert [step.kind for step in answer.steps] == ["draft", "repair"]
    repair = engine.prompts[1]
    assert repair.prefix == engine.prompts[0].prefix
    assert f"### Failed query:\n{WRONG_NAME}" in repair.tail
    assert "sampling_point" in repair.tail.split("### Error:")[1]


def test_what_the_database_rejects_goes_back_too(laboratory: Database) -> None:
    bad = "SELECT COUNT(*) FROM samples HAVING NTILE(0) OVER () > 1"
    answer = ask(laboratory, bad, COUNT)
    assert answer.ok
    assert answer.steps[0].problem


def test_repair_is_bounded(laboratory: Database) -> None:
    answer = ask(laboratory, *["SELECT a FROM samples", "SELECT b FROM samples", "SELECT c FROM samples"], repairs=2)
    assert len(answer.steps) == 3
    assert not answer.ok
    assert isinstance(answer.refusal, Refusal)
    assert answer.sql == ""
    assert len(ask(laboratory, WRONG_NAME, repairs=0).steps) == 1


def test_a_repair_that_repeats_what_failed_is_drawn_at_a_temperature_next(laboratory: Database) -> None:
    """A greedy model says the same to the same words. Each draw has its seed, so that the answer can be had again."""
    again = "SELECT sample_point\n  FROM samples"  # the same in another layout
    engine = ScriptedEngine([WRONG_NAME, again, WRONG_NAME, COUNT])
    assistant = Assistant.over(engine, laboratory, options=Options(today=TODAY, repairs=3, temperature=0.5, seed=11))
    answer = assistant.ask("How many samples?")
    assert answer.ok
    assert [(one.temperature, one.seed) for one in engine.samplings] == [(0, 11), (0, 11), (0.5, 12), (0.5, 13)]
    assert [step.kind for step in answer.steps] == ["draft", "repair", "repair", "repair"]


def test_repairs_that_differ_stay_greedy(laboratory: Database) -> None:
    engine = ScriptedEngine(["SELECT a FROM samples", "SELECT b FROM samples", COUNT])
    assert Assistant.over(engine, laboratory).ask("How many?").ok
    assert [one.temperature for one in engine.samplings] == [0, 0, 0]


def test_without_a_temperature_there_is_nothing_else_to_draw(laboratory: Database) -> None:
    assert len(ask(laboratory, WRONG_NAME, WRONG_NAME, repairs=5, temperature=0.0).steps) == 2


def test_what_failed_in_the_database_is_not_run_again(laboratory: Database) -> None:
    ran: list[str] = []
    bad = "SELECT COUNT(*) FROM samples HAVING NTILE(0) OVER () > 1"
    assistant = Assistant.over(ScriptedEngine([bad, bad, bad]), laboratory)
    assistant.review = lambda query: not ran.append(query.sql)  # type: ignore[func-returns-value]
    answer = assistant.ask("How many?")
    assert len(answer.steps) == 3
    assert all(step.problem == answer.steps[0].problem for step in answer.steps)
    assert len(ran) == 1


@pytest.mark.parametrize("attack", ["DROP TABLE samples", "DELETE FROM samples", "SELECT 1; DELETE FROM samples"])
def test_what_the_guard_refused_never_runs(laboratory: Database, attack: str) -> None:
    answer = ask(laboratory, attack, attack, attack)
    assert answer.result is None
    assert all(step.outcome is None for step in answer.steps)
    assert answer.problem.startswith("Not run:")
    assert ask(laboratory, COUNT).ok


@pytest.mark.parametrize("reply", ["I do not know.", "", "<|im_end|>"])
def test_a_reply_without_sql_is_a_truthful_answer(laboratory: Database, reply: str) -> None:
    answer = ask(laboratory, reply, repairs=0)
    assert not answer.ok
    assert "without SQL" in answer.problem


def test_an_answer_that_was_cut_says_so(laboratory: Database) -> None:
    assert "cut" in ask(laboratory, Completion("Well, let me think", finish="length"), repairs=0).problem


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("", "empty"),
        ("   \n", "empty"),
        ("x" * 10_000, "10,000 characters"),
        ("a\x00b", "control characters"),
        ("a \ud83e b", "halves"),
    ],
)
def test_what_is_no_question_is_never_sent(laboratory: Database, question: str, words: str) -> None:
    assert words in ask(laboratory, question=question).problem


def test_a_schema_that_does_not_fit_is_said_in_numbers(laboratory: Database) -> None:
    engine = ScriptedEngine([COUNT], context=450)
    answer = Assistant.over(engine, laboratory).ask("How many?")
    assert "tokens" in answer.problem
    assert not engine.prompts


def test_the_largest_group_of_equal_results_wins(laboratory: Database) -> None:
    other_form = "SELECT COUNT(sample_id) AS n FROM samples"
    answer = ask(laboratory, "SELECT 1", COUNT, other_form, WRONG_NAME, votes=4)
    assert answer.written == COUNT
    assert answer.agreement == 0.5
    assert [step.kind for step in answer.steps] == ["draft", "vote", "vote", "vote"]


def test_empty_and_failing_results_lose_a_vote(laboratory: Database) -> None:
    empty = "SELECT sample_id FROM samples WHERE status = 'Lost'"
    answer = ask(laboratory, empty, empty, WRONG_NAME, WRONG_NAME, COUNT, votes=5)
    assert answer.written == COUNT
    assert answer.agreement == 0.2


def test_a_vote_without_an_answer_gives_the_reason_of_its_largest_group(laboratory: Database) -> None:
    stopped = "SELECT COUNT(*) FROM samples HAVING NTILE(0) OVER () > 1"
    refused = ask(laboratory, WRONG_NAME, WRONG_NAME, stopped, votes=3, repairs=0)
    assert refused.refusal is not None
    assert refused.refusal.reason in refused.problem
    failed = ask(laboratory, stopped, stopped, WRONG_NAME, votes=3, repairs=0)
    assert failed.refusal is None
    assert "database stopped" in failed.problem


def test_a_vote_that_all_candidates_lose_is_repaired(laboratory: Database) -> None:
    answer = ask(laboratory, WRONG_NAME, WRONG_NAME, COUNT, votes=2)
    assert answer.ok
    assert [step.kind for step in answer.steps] == ["draft", "vote", "repair"]


def test_what_can_surely_be_mended_is_mended_before_it_is_counted(laboratory: Database) -> None:
    """Two candidates forget a join that the keys say; mended they are the majority."""
    forgets = "SELECT client_name FROM samples s WHERE status = 'Reported'"
    answer = ask(laboratory, COUNT, forgets, forgets, votes=3)
    assert [step.kind for step in answer.steps] == ["draft", "vote", "mend", "vote", "mend"]
    assert answer.written == answer.steps[2].sql
    assert "JOIN clients" in answer.written
    assert answer.agreement == pytest.approx(2 / 3)
    unrepaired = ask(laboratory, COUNT, forgets, forgets, votes=3, repairs=0)
    assert unrepaired.written == COUNT


def test_half_of_the_candidates_decide_where_they_agree(laboratory: Database) -> None:
    """The script has four candidates of eight: the other four could not change the answer."""
    engine = ScriptedEngine([COUNT, COUNT, "SELECT COUNT(sample_id) FROM samples", COUNT])
    answer = Assistant.over(engine, laboratory, options=Options(today=TODAY, votes=8)).ask("How many samples?")
    assert answer.written == COUNT
    assert answer.agreement == 1.0
    assert [sampling.n for sampling in engine.samplings] == [1, 3]


def test_where_they_do_not_agree_all_are_drawn_with_seeds_of_their_own(laboratory: Database) -> None:
    engine = ScriptedEngine([COUNT, COUNT, COUNT, *["SELECT 1"] * 5])
    answer = Assistant.over(engine, laboratory, options=Options(today=TODAY, votes=8, seed=9)).ask("How many samples?")
    assert answer.written == "SELECT 1"
    assert [(sampling.n, sampling.seed) for sampling in engine.samplings[1:]] == [(3, 9), (4, 12)]
    assert engine.samplings[0].temperature == 0
    assert all(sampling.temperature > 0 for sampling in engine.samplings[1:])


def test_a_candidate_that_does_all_that_is_asked_comes_before_many_that_do_not(laboratory: Database) -> None:
    question = "How many samples of drinking water are there?"
    right = "SELECT COUNT(*) FROM samples WHERE matrix = 'Drinking Water'"
    answer = ask(laboratory, COUNT, COUNT, right, COUNT, question=question, votes=4)
    assert answer.written == right
    assert answer.agreement == 0.25
    assert not answer.lacks


def test_many_questions_are_voted_on_in_windows(laboratory: Database) -> None:
    """The greedy drafts of eight questions come first, then their votes: two candidates each."""
    engine = ScriptedEngine(lambda asked: COUNT)
    assistant = Assistant.over(engine, laboratory, options=Options(today=TODAY, votes=4))
    found = dict(assistant.ask_many([f"How many samples? {number}" for number in range(10)]))
    assert sorted(found) == list(range(10))
    assert all(answer.agreement == 1.0 for answer in found.values())
    assert [sampling.n for sampling in engine.samplings] == [1] * 8 + [1] * 8 + [1] * 2 + [1] * 2
    assert [sampling.temperature > 0 for sampling in engine.samplings[:16]] == [False] * 8 + [True] * 8


def test_the_greedy_draft_wins_a_tie(laboratory: Database) -> None:
    assert ask(laboratory, "SELECT 1", COUNT, votes=2).written == "SELECT 1"


def test_a_review_that_declines_runs_nothing_and_is_not_repaired(laboratory: Database) -> None:
    seen: list[str] = []
    assistant = Assistant.over(ScriptedEngine([COUNT]), laboratory)
    assistant.review = lambda query: bool(seen.append(query.sql))
    answer = assistant.ask("How many?")
    assert seen == [COUNT]
    assert answer.problem == DECLINED
    assert answer.result is None


def test_nothing_runs_when_only_sql_is_wanted(laboratory: Database) -> None:
    answer = ask(laboratory, COUNT, run=False)
    assert answer.ok
    assert answer.sql == COUNT
    assert answer.result is None


def test_stored_values_follow_the_question(laboratory: Database) -> None:
    engine = ScriptedEngine([COUNT, COUNT, COUNT])  # the draft lacks both values, so it is asked a second time
    answer = Assistant.over(engine, laboratory).ask("How many Escherichia coli results in tap water?")
    assert answer.hints == ("determinands.determinand_name = 'E. coli'", "samples.matrix = 'Drinking Water'")
    assert "### Values:\n- determinands.determinand_name = 'E. coli'\n- samples" in engine.prompts[0].tail
    plain = Assistant.over(engine, laboratory, options=Options(grounding=False)).ask("How much E.coli in tap water?")
    assert plain.hints == ()
    assert "### Values" not in engine.prompts[-1].tail


def test_today_can_be_frozen(laboratory: Database) -> None:
    answer = ask(laboratory, "SELECT CURRENT_DATE")
    assert answer.result is not None
    assert answer.result.rows == (("2026-06-15",),)


def test_many_questions_each_get_their_answer(laboratory: Database) -> None:
    def reply(prompt: Prompt) -> str:
        return "SELECT COUNT(*) FROM " + prompt.tail.split(" ")[2].split("?")[0]

    questions = ["How many samples?", "", "How many clients?", "How many ghosts?"]
    assistant = Assistant.over(ScriptedEngine(reply), laboratory)
    answers = dict(assistant.ask_many(questions))
    assert sorted(answers) == [0, 1, 2, 3]
    assert [answers[i].ok for i in range(4)] == [True, False, True, False]
    assert isinstance(answers[2].result, Result)
    assert answers[2].result.rows == ((40,),)
    assert answers[3].refusal is not None


def test_every_step_is_told_as_it_happens(laboratory: Database) -> None:
    kinds: list[str] = []
    Assistant.over(ScriptedEngine([WRONG_NAME, COUNT]), laboratory).ask(
        "?", on_step=lambda step: kinds.append(step.kind)
    )
    assert kinds == ["draft", "repair"]


def test_a_timeout_is_an_answer_not_a_crash(laboratory: Database) -> None:
    from mnemosyne.databases import Limits

    slow = "SELECT COUNT(*) FROM results a, results b, results c, results d"
    assistant = Assistant.over(ScriptedEngine([slow]), laboratory, limits=Limits(timeout_seconds=0.2))
    assistant.options = Options(repairs=0)
    answer = assistant.ask("?")
    assert isinstance(answer.steps[0].outcome, Failure)
    assert "timeout" in answer.problem


def test_what_was_understood_is_said_in_tables_values_and_days(laboratory: Database) -> None:
    sql = "SELECT COUNT(*) FROM samples WHERE matrix = 'Raw Milk' AND received_date >= CURRENT_DATE - INTERVAL '7 days'"
    answer = ask(laboratory, sql)
    assert answer.understood is not None
    assert answer.understood.line == "samples · matrix = 'Raw Milk' · received_date from 2026-06-08"


def test_a_question_without_an_answer_is_given_back_before_the_model_is_asked(laboratory: Database) -> None:
    engine = ScriptedEngine([COUNT])
    assistant = Assistant.over(engine, laboratory, options=Options(today=TODAY, abstain=True))
    answer = assistant.ask("Which courier brought the urgent samples?")
    assert answer.abstained is not None
    assert answer.problem == "The database has nothing about 'courier'."
    assert engine.prompts == []
    assert assistant.ask("How many samples?").ok
    [(_, many)] = assistant.ask_many(["What does each test cost?"])
    assert many.abstained is not None


def test_an_empty_result_on_a_value_that_is_not_stored_is_asked_back(laboratory: Database) -> None:
    answer = ask(laboratory, "SELECT COUNT(*) FROM clients WHERE city = 'Dublyn'", abstain=True)
    assert answer.result is not None
    assert answer.abstained is not None
    assert answer.abstained.reason == "value"
    assert "clients.city = 'Dublin'" in answer.abstained.candidates
    stored = ask(laboratory, "SELECT COUNT(*) FROM clients WHERE city = 'Dublin' AND NOT active", abstain=True)
    assert stored.abstained is None
    assert ask(laboratory, "SELECT COUNT(*) FROM clients WHERE city = 'Dublyn'").abstained is None


def test_candidates_that_disagree_are_shown(laboratory: Database) -> None:
    answer = ask(laboratory, "SELECT 1", "SELECT 2", "SELECT 3", votes=3, abstain=True)
    assert answer.abstained is not None
    assert answer.abstained.reason == "votes"
    assert answer.abstained.candidates == ("SELECT 1", "SELECT 2", "SELECT 3")


def test_a_large_schema_is_narrowed_for_the_prompt_and_not_for_the_guard(laboratory: Database) -> None:
    engine = ScriptedEngine(lambda prompt: "SELECT COUNT(*) FROM worksheets")
    options = Options(today=TODAY, whole_tokens=100, linked_tokens=300)
    answer = Assistant.over(engine, laboratory, options=options).ask("How many clients are there in each city?")
    assert "clients" in answer.tables
    assert "CREATE TABLE clients" in engine.prompts[0].prefix
    assert len(answer.tables) < 8
    assert engine.prompts[0].prefix.count("CREATE TABLE") == len(answer.tables)
    assert answer.ok
    whole = Assistant.over(engine, laboratory, options=Options(today=TODAY, whole_tokens=100, linking=False))
    assert whole.ask("How many?").tables == ()


def test_the_last_repair_sees_more_of_a_large_schema(laboratory: Database) -> None:
    replies = iter(("SELECT no_such FROM clients", "SELECT none_such FROM clients", "SELECT COUNT(*) FROM worksheets"))
    engine = ScriptedEngine(lambda prompt: next(replies))
    options = Options(today=TODAY, whole_tokens=100, linked_tokens=150, wide_tokens=500)
    answer = Assistant.over(engine, laboratory, options=options).ask("How many clients are there in each city?")
    assert [step.kind for step in answer.steps] == ["draft", "repair", "repair"]
    first, second, last = (prompt.prefix.count("CREATE TABLE") for prompt in engine.prompts)
    assert first == second < last == len(answer.tables)
    assert answer.ok
    assert not any(prompt.lasting for prompt in engine.prompts), "a part is chosen for one question"


def test_a_whole_schema_lasts(laboratory: Database) -> None:
    engine = ScriptedEngine(lambda prompt: "SELECT no_such FROM clients")
    Assistant.over(engine, laboratory, options=Options(today=TODAY)).ask("How many clients are there in each city?")
    assert len(engine.prompts) > 1
    assert all(prompt.lasting for prompt in engine.prompts)


def test_a_wide_part_that_does_not_fit_leaves_the_small_one(laboratory: Database) -> None:
    options = Options(today=TODAY, whole_tokens=100, linked_tokens=150, wide_tokens=500, repairs=1)
    shown = []
    for context in (4_096, options.max_tokens + 200):
        engine = ScriptedEngine(lambda prompt: "SELECT no_such FROM clients", context=context)
        answer = Assistant.over(engine, laboratory, options=options).ask("How many clients are there in each city?")
        shown.append([prompt.prefix.count("CREATE TABLE") for prompt in engine.prompts])
        assert len(answer.tables) == shown[-1][-1], "the tables of an answer are those that its last draft was shown"
    [[first, last], [small, again]] = shown
    assert small == again == first < last


def test_a_model_that_repeats_itself_is_shown_more_greedily_whatever_the_temperature(laboratory: Database) -> None:
    for temperature in (0.0, 0.7):
        engine = ScriptedEngine(lambda prompt: "SELECT no_such FROM clients")
        options = Options(
            today=TODAY, whole_tokens=100, linked_tokens=150, wide_tokens=500, repairs=3, temperature=temperature
        )
        Assistant.over(engine, laboratory, options=options).ask("How many clients are there in each city?")
        assert engine.prompts[-1].prefix.count("CREATE TABLE") > engine.prompts[0].prefix.count("CREATE TABLE")
        assert engine.samplings[-1].temperature == 0
        assert len(engine.prompts) == (3 if temperature == 0 else 4)


def test_sql_for_a_schema_knows_the_lexicon_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mnemosyne import generate_sql

    engine = ScriptedEngine(lambda prompt: "SELECT COUNT(*) FROM t_anim")
    monkeypatch.setattr("mnemosyne.engines.open_engine", lambda name, settings: engine)
    words = {"nouns": ["cow"], "columns": {"breed": {"values": {"Holstein": ["black and white"]}}}}
    (tmp_path / "words.yaml").write_text(json.dumps({"tables": {"t_anim": words}}))
    monkeypatch.setenv("MNEMOSYNE_LEXICON", str(tmp_path / "words.yaml"))
    with pytest.raises(LexiconError, match="t_anim"):
        generate_sql("CREATE TABLE products (name TEXT);", "How many?")
    assert engine.prompts == []
    assert generate_sql("CREATE TABLE t_anim (breed TEXT);", "How many cows?") == "SELECT COUNT(*) FROM t_anim"
