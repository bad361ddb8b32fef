"""Other words for a question are kept only when the model, asked them, gives the gold's rows everywhere."""

from __future__ import annotations

from dataclasses import replace

from mnemosyne.databases import Database
from mnemosyne.datasets import Example
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.schema import Schema
from mnemosyne.synthesis.paraphrase import Outcome, Paraphraser

from .conftest import TODAY

GOLD = "SELECT COUNT(*) FROM samples WHERE matrix = 'Raw Milk'"
EXAMPLE = Example("x-1", "How many Raw Milk samples are there?", GOLD, "lab")


def outcome(laboratories: list[Database], schema: Schema, *script: str) -> Outcome:
    paraphraser = Paraphraser(ScriptedEngine(list(script)), laboratories, schema, TODAY)
    return next(paraphraser.paraphrase([EXAMPLE]))


def test_a_paraphrase_with_the_same_rows_is_kept(laboratories: list[Database], schema: Schema) -> None:
    other = "SELECT COUNT(sample_id) FROM samples WHERE matrix IN ('Raw Milk')"
    made = outcome(laboratories, schema, GOLD, "What is the number of Raw Milk samples?", other)
    assert made.example is not None
    assert (made.example.question, made.example.sql) == ("What is the number of Raw Milk samples?", GOLD)
    assert made.example.tags == ("voice:paraphrase",)


def test_a_paraphrase_that_means_something_else_is_not(laboratories: list[Database], schema: Schema) -> None:
    other = "SELECT COUNT(*) FROM samples WHERE matrix <> 'Raw Milk'"
    assert outcome(laboratories, schema, GOLD, "Count samples other than Raw Milk", other).reason == "other rows"


def test_a_lost_value_is_seen_before_the_model_is_asked_again(laboratories: list[Database], schema: Schema) -> None:
    assert outcome(laboratories, schema, GOLD, "How many milk samples do we have?").reason == "value lost"


def test_the_same_words_are_no_paraphrase(laboratories: list[Database], schema: Schema) -> None:
    assert outcome(laboratories, schema, GOLD, "Question: how many raw milk samples are there").reason == "same words"


def test_a_question_that_the_model_cannot_answer_proves_nothing(laboratories: list[Database], schema: Schema) -> None:
    assert outcome(laboratories, schema, "SELECT COUNT(*) FROM cheese").reason == "not answered"
    assert outcome(laboratories, schema, "I do not know.").reason == "not answered"


def test_a_value_that_only_the_hint_still_tells_is_lost(laboratories: list[Database], schema: Schema) -> None:
    told = replace(EXAMPLE, question="How many raw milk samples are there?", hints=("samples.matrix = 'Raw Milk'",))
    paraphraser = Paraphraser(ScriptedEngine([GOLD, "How many samples do we have?", GOLD]), laboratories, schema, TODAY)
    assert [outcome.reason for outcome in paraphraser.paraphrase([told])] == ["value lost"]


def test_no_question_comes_back_twice(laboratories: list[Database], schema: Schema) -> None:
    other = replace(EXAMPLE, id="x-2", question="Raw Milk samples, how many?")
    script = [GOLD, "Count the Raw Milk samples", GOLD, GOLD, "Count the Raw Milk samples!", GOLD]
    paraphraser = Paraphraser(ScriptedEngine(script), laboratories, schema, TODAY)
    assert [outcome.reason for outcome in paraphraser.paraphrase([EXAMPLE, other])] == ["", "same words"]
    script = [GOLD, "raw milk samples: how many", GOLD, GOLD, "Raw Milk samples in all?", GOLD]
    paraphraser = Paraphraser(ScriptedEngine(script), laboratories, schema, TODAY)
    assert [outcome.reason for outcome in paraphraser.paraphrase([EXAMPLE, other])] == ["same words", ""]
