"""The reference's way, on the same tiny GGUF: Transformers in bf16, one prompt at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mnemosyne.engines import Sampling, open_engine
from mnemosyne.engines.transformers import REFERENCE, TransformersEngine
from mnemosyne.errors import EngineError, PromptTooLong, UnknownModel, WeightsError
from mnemosyne.prompt import Prompt
from mnemosyne.settings import Settings

pytest.importorskip("transformers")
pytest.importorskip("torch")

SHORT = Sampling(max_tokens=8)


@pytest.fixture(scope="module")
def engine(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransformersEngine]:
    settings = Settings(home=tmp_path_factory.mktemp("home"), context=2048, threads=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Transformers' own
        engine = open_engine(f"transformers:{tiny}", settings)
    assert isinstance(engine, TransformersEngine)
    yield engine
    engine.close()


def test_a_gguf_answers(engine: TransformersEngine, prompt: Prompt) -> None:
    first, second = engine.complete(prompt, SHORT)[0], engine.complete(prompt, SHORT)[0]
    assert first.text == second.text
    assert first.tokens == len(first.logprobs) == 8
    assert first.finish == "length"
    assert first.prompt_tokens == engine.count_tokens(prompt.text)


def test_it_reads_the_prompt_as_llama_cpp_does(
    engine: TransformersEngine, tiny: Path, settings: Settings, prompt: Prompt
) -> None:
    pytest.importorskip("xllamacpp")
    local = open_engine(str(tiny), settings)
    try:
        [expected] = local.complete(prompt, SHORT)
    finally:
        local.close()
    [found] = engine.complete(prompt, SHORT)
    assert found.prompt_tokens == expected.prompt_tokens
    assert found.text[0] == expected.text[0]
    assert found.logprobs[0] == pytest.approx(expected.logprobs[0], abs=0.3)  # bf16 here, fp32 there


def test_the_reference_draws_at_a_tenth(engine: TransformersEngine, prompt: Prompt) -> None:
    assert (REFERENCE.temperature, REFERENCE.max_tokens) == (0.1, 256)
    warm = Sampling(n=3, temperature=1.0, max_tokens=8, seed=4)
    drawn = [completion.text for completion in engine.complete(prompt, warm)]
    assert len(set(drawn)) > 1
    assert [completion.text for completion in engine.complete(prompt, warm)] == drawn


def test_many_prompts_come_one_after_the_other(engine: TransformersEngine, prompt: Prompt) -> None:
    assert [index for index, _ in engine.complete_many([prompt, prompt], replace(SHORT, max_tokens=1))] == [0, 1]


def test_a_schema_longer_than_the_context(engine: TransformersEngine, prompt: Prompt) -> None:
    with pytest.raises(PromptTooLong, match="the context holds 2,048"):
        engine.complete(prompt, Sampling(max_tokens=2000))


def test_names_that_are_none(tiny: Path, tiny_adapter: Path, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="No model is called"):
        open_engine("transformers:nonsense", settings)
    with pytest.raises(UnknownModel, match="There is no file"):
        open_engine("transformers:~no-such-user/x.gguf", settings)
    with pytest.raises(EngineError, match="takes whole models"):
        open_engine(f"transformers:{tiny}+{tiny_adapter}", settings)
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="Transformers cannot load"):
        open_engine(f"transformers:{tmp_path / 'empty'}", settings)
