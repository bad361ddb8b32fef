"""How questions are worded: plurals, noun phrases, voices that leave stored values alone."""

from __future__ import annotations

from datetime import date
from random import Random

import pytest

from mnemosyne.synthesis.phrasing import article, day, expand, listing, noun_phrase, number, plural, rank, relative
from mnemosyne.synthesis.voices import TYPO_SHARE, voice


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("sample", "samples"), ("matrix", "matrices"), ("category", "categories"),
        ("type of sample", "types of sample"),
        ("date received", "dates received"), ("status", "statuses"), ("key", "keys"), ("analysis", "analyses"),
        ("city", "cities"), ("dish", "dishes"),
    ],
)  # fmt: skip
def test_plurals(one: str, many: str) -> None:
    assert plural(one) == many


def test_templates_choose_branches_and_fill_slots() -> None:
    made = {expand("[List|Show] the {x}[|, please].", Random(seed), {"x": "names"}) for seed in range(40)}
    assert made == {"List the names.", "Show the names.", "List the names, please.", "Show the names, please."}


def test_relative_clauses_stand_last_in_a_noun_phrase() -> None:
    post = [(rank(text), text) for text in ("that failed", "from Cork", "tested in May")]
    assert noun_phrase("results", ["urgent"], post) == "urgent results from Cork tested in May that failed"
    assert relative("for clients whose city is Cork")
    assert not relative("from Cork")


def test_small_words() -> None:
    assert listing(["a", "b", "c"]) == "a, b and c"
    assert (article("E. coli result"), article("unit"), article("analyst")) == (
        "an E. coli result",
        "a unit",
        "an analyst",
    )
    assert number(3, Random(0), words=1.0) == "three"
    assert number(0.5, Random(0)) == "0.5"


def test_dates_are_never_written_in_a_form_that_two_countries_read_differently() -> None:
    written = {day(date(2025, 4, 3), Random(seed)) for seed in range(60)}
    assert written == {"2025-04-03", "3 April 2025", "3 Apr 2025", "April 3, 2025"}


def test_a_voice_leaves_stored_values_numbers_and_dates_alone() -> None:
    question = "List the results for Escherichia coli above 20 tested in March 2025."
    kept = ["Escherichia", "coli", "March", "2025", "20"]
    for seed in range(300):
        said = voice(question, Random(seed), "moderate", ["We have an audit."], ["Escherichia coli", "March"]).text
        assert all(word in said for word in kept), said


def test_about_as_many_typos_as_promised_and_each_is_tagged() -> None:
    question = "How many samples were received between January and March?"
    made = [voice(question, Random(seed), "simple", []) for seed in range(3000)]
    share = sum("voice:typo" in said.tags for said in made) / len(made)
    assert TYPO_SHARE * 0.7 < share < TYPO_SHARE * 1.3


def test_contexts_come_first_and_the_question_goes_on() -> None:
    said = {
        voice("how many samples are there?", Random(seed), "moderate", ["For the review:"]).text for seed in range(80)
    }
    assert "For the review: how many samples are there?" in said
