"""Blocks make the same set for any number of workers, go on where they were stopped, and never overlap evaluation."""

from __future__ import annotations

from collections import Counter
from functools import partial
from importlib import resources
from pathlib import Path

import pytest

from mnemosyne.databases import open_database
from mnemosyne.datasets import Example
from mnemosyne.datasets.overlap import OverlapIndex, normal_question
from mnemosyne.errors import SettingsError
from mnemosyne.lims import schema as lab_schema
from mnemosyne.lims.sets import lexicon
from mnemosyne.synthesis.block import Block, Maker, Plan
from mnemosyne.synthesis.generate import Made, Quotas, generate
from mnemosyne.synthesis.own import SchemaRecipe
from mnemosyne.synthesis.pools import Privacy, read_pools
from mnemosyne.synthesis.verify import Verifier
from mnemosyne.synthesis.world import World

from .conftest import TODAY

PATTERNS = ("count-rows", "lookup", "join-count", "group-measure", "rank-groups", "without")
PLAN = Plan(seed=5, source="trial", patterns=PATTERNS, block=10)


def open_maker(urls: tuple[str, ...], plan: Plan, protected: tuple[Example, ...] = ()) -> Maker:
    """What a worker process calls."""
    known, words = lab_schema(), lexicon()
    databases = [open_database(url) for url in urls]
    world = World(known, words, tuple(read_pools(d, known, words) for d in databases), TODAY)
    links = [lambda question: ("samples.matrix = 'Raw Milk'",) for _ in databases]
    return Maker(plan, world, Verifier(databases, known, TODAY, most=2), links, OverlapIndex(protected))


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    from mnemosyne import lims

    folder = tmp_path_factory.mktemp("populations")
    for seed in (1, 2, 3):
        lims.create(f"duckdb:///{folder / f'{seed}.duckdb'}", seed=seed, scale=0.1, today=TODAY)
    return tuple(f"duckdb:///{folder / f'{seed}.duckdb'}" for seed in (1, 2, 3))


@pytest.fixture(scope="module")
def alone(urls: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Made:
    return generate(partial(open_maker, urls, PLAN), PLAN, 20, work=tmp_path_factory.mktemp("alone"))


def test_tiers_have_their_shares_and_nothing_comes_twice(alone: Made) -> None:
    assert Counter(e.tier for e in alone.examples) == {"simple": 6, "moderate": 8, "complex": 6}
    questions = [normal_question(e.question) for e in alone.examples]
    assert len(set(questions)) == len(questions)
    assert max(Counter(e.sql for e in alone.examples).values()) <= Quotas().same_sql
    assert len({e.id for e in alone.examples}) == 20


def test_an_example_says_what_it_is(alone: Made) -> None:
    example = alone.examples[0]
    assert (example.schema, example.dialect, example.source) == ("lab", "postgres", "trial")
    assert any(tag.startswith("pattern:") for tag in example.tags)
    assert any(tag.startswith("table:") for tag in example.tags)


def test_about_half_of_the_examples_carry_hints(alone: Made) -> None:
    assert 0.25 < sum(bool(e.hints) for e in alone.examples) / 20 < 0.75


def test_two_processes_make_the_same_set(alone: Made, urls: tuple[str, ...]) -> None:
    assert generate(partial(open_maker, urls, PLAN), PLAN, 20, workers=2).examples == alone.examples


@pytest.mark.slow
def test_ray_makes_the_same_set(urls: tuple[str, ...], tmp_path: Path) -> None:
    pytest.importorskip("ray")
    text = (resources.files("mnemosyne.data") / "lims" / "lexicon.yaml").read_text("utf-8")
    files = tuple(url.removeprefix("duckdb:///") for url in urls)
    recipe = SchemaRecipe(lab_schema(), text, files, PLAN, Privacy(), TODAY)
    made = generate(recipe, PLAN, 20, workers=2, ray=True, work=tmp_path)
    assert made.examples == generate(recipe, PLAN, 20).examples
    assert len(list(tmp_path.glob("block-*.json"))) >= 2


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(SettingsError, match=r"No Ray cluster answers at 127\.0\.0\.1:9") as caught:
        generate(Repeating, PLAN, 20, ray=True)  # type: ignore[arg-type]
    assert "num_cpus" not in str(caught.value)


def test_a_stopped_run_goes_on_from_its_blocks(alone: Made, urls: tuple[str, ...], tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(kept: int, wanted: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        generate(partial(open_maker, urls, PLAN), PLAN, 20, work=tmp_path, progress=stop)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["block-00000.json"]

    def unneeded() -> Maker:
        raise AssertionError("the block that is there needs no maker")

    assert generate(unneeded, PLAN, 10, work=tmp_path).examples == alone.examples[:10]


def test_a_block_is_the_same_after_writing_and_reading(urls: tuple[str, ...]) -> None:
    block = open_maker(urls, Plan(seed=1, patterns=("count-rows",), block=5)).block(3)
    assert Block.read(block.dump()) == block


def test_progress_is_told(urls: tuple[str, ...]) -> None:
    told: list[tuple[int, int]] = []
    generate(partial(open_maker, urls, PLAN), PLAN, 10, progress=lambda kept, wanted: told.append((kept, wanted)))
    assert told[-1] == (10, 10)


def test_nothing_that_overlaps_evaluation_is_made(alone: Made, urls: tuple[str, ...]) -> None:
    protected = tuple(alone.examples[:5])
    made = generate(partial(open_maker, urls, PLAN, protected), PLAN, 10)
    assert not {e.sql for e in protected} & {e.sql for e in made.examples}
    assert any(outcome.startswith("overlaps evaluation") for outcome in made.counts)


class Repeating:
    """A maker whose world has nothing new to ask: every block is the first one again."""

    def __init__(self, examples: list[Example]) -> None:
        self.examples = examples

    def block(self, number: int) -> Block:
        return Block(number, self.examples)


def test_a_world_with_too_little_to_ask_is_exhausted_and_says_so(alone: Made) -> None:
    made = generate(lambda: Repeating(alone.examples), PLAN, 4_000)  # type: ignore[arg-type,return-value]
    assert made.exhausted
    assert made.examples == alone.examples
    assert made.counts["dropped: question twice"] > 20
