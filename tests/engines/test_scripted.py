"""The scripted engine says what it is told to, and nothing more."""

from __future__ import annotations

import pytest

from mnemosyne.engines import Completion, Sampling
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.errors import EngineError
from mnemosyne.prompt import build

PROMPT = build("CREATE TABLE t (a INTEGER);", "How many?")


def test_a_list_is_taken_in_order_one_text_a_sample() -> None:
    engine = ScriptedEngine(["SELECT 1", "SELECT 2", Completion("SELECT 3", finish="length")])
    assert [c.text for c in engine.complete(PROMPT, Sampling(n=2))] == ["SELECT 1", "SELECT 2"]
    assert engine.complete(PROMPT)[0].finish == "length"
    assert engine.prompts == [PROMPT, PROMPT]


def test_an_empty_list_is_a_model_that_is_gone() -> None:
    with pytest.raises(EngineError, match="no answer left"):
        ScriptedEngine([]).complete(PROMPT)


def test_a_function_sees_the_prompt() -> None:
    engine = ScriptedEngine(lambda prompt: prompt.tail.split("<|")[0])
    assert dict(engine.complete_many([PROMPT]))[0][0].text == "How many?"
