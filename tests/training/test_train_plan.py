"""The order of rows: every row once, every step mixed, no answer cut."""

from __future__ import annotations

from collections import Counter

import pytest

pytest.importorskip("torch")
import tiny_training as tiny

from mnemosyne.datasets import Example
from mnemosyne.training import optimiser, plan, rows
from mnemosyne.training.packing import packed_tokens


def steps(seed: int = 0, number: int = 0) -> list[plan.Step]:
    lab = tiny.rows(300, 1, seed=1, mark="lab-")
    general = tiny.rows(100, 80, seed=2, mark="general-")
    return plan.epoch([*lab, *general], batch=32, group_size=12, pack_tokens=700, seed=seed, number=number)


def test_an_epoch_holds_every_row_once_in_steps_of_about_the_batch() -> None:
    made = steps()
    assert Counter(row.id for step in made for row in step.rows) == Counter(
        [f"lab-row-{i}" for i in range(300)] + [f"general-row-{i}" for i in range(100)]
    )
    assert all(abs(len(step.rows) - 400 / len(made)) <= 5 for step in made)


def test_every_step_mixes_schemas_in_about_the_share_that_they_have() -> None:
    for step in steps():
        assert step.schemas >= 3
        share = sum(row.schema.startswith("lab") for row in step.rows) / len(step.rows)
        assert 0.5 < share < 0.95


@pytest.mark.parametrize(
    ("sizes", "batch", "group_size"),
    [
        ((36, 4), 20, 18),
        ((60, 9, 8), 26, 24),
        ((300, *[2] * 60), 26, 24),
        ((100, 5), 20, 10),
        ((30, 40, 20, 10), 12, 4),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_large_groups_make_no_step_large_or_of_one_schema(
    sizes: tuple[int, ...], batch: int, group_size: int, seed: int
) -> None:
    data = [row for i, size in enumerate(sizes) for row in tiny.rows(size, 1, seed=i, mark=f"{i}-")]
    made = plan.epoch(data, batch=batch, group_size=group_size, pack_tokens=900, seed=seed, number=0)
    assert Counter(row.id for step in made for row in step.rows) == Counter(row.id for row in data)
    even = len(data) / len(made)
    assert len(made) == round(len(data) / batch)
    assert all(abs(len(step.rows) - even) <= 2 * (batch // 16) + 1 for step in made)
    assert min(step.schemas for step in made) >= 2
    for step in made:
        groups = [group for pack in step.packs for group in pack]
        assert max(map(len, groups)) <= group_size
        count = Counter(row.schema for row in step.rows)
        assert len(groups) == sum(-(-rows // group_size) for rows in count.values()), "no prefix more than needed"


def test_a_schema_that_is_alone_is_cut_evenly_too() -> None:
    made = plan.epoch(tiny.rows(47, 1), batch=20, group_size=18, pack_tokens=900, seed=0, number=0)
    assert [len(step.rows) for step in made] == [23, 24]


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    ids = [row.id for step in steps() for row in step.rows]
    assert ids == [row.id for step in steps() for row in step.rows]
    assert ids != [row.id for step in steps(seed=1) for row in step.rows]
    assert ids != [row.id for step in steps(number=1) for row in step.rows]


def test_a_pass_holds_at_most_the_tokens_that_are_allowed() -> None:
    for step in steps():
        for pack in step.packs:
            assert packed_tokens(pack) <= 700 or len(pack) == 1
            assert all(len({row.prefix for row in group}) == 1 for group in pack)


def test_a_row_over_the_limit_is_listed_and_left_out_whole() -> None:
    examples = [Example("short", "a", "SELECT 1", "x"), Example("long", "a" * 300, "SELECT 1", "x")]
    made = rows.tokenise(
        examples, lambda _: "CREATE TABLE t (a INT);", lambda texts: [list(map(ord, t)) for t in texts], 600
    )
    assert [row.id for row in made.rows] == ["short"]
    ((name, tokens),) = made.too_long
    assert name == "long"
    assert tokens > 600
    answer = made.rows[0].branch[made.rows[0].answer :]
    assert "".join(map(chr, answer)) == "SELECT 1<|im_end|>"


def test_the_rate_rises_then_falls_as_a_cosine_to_nothing() -> None:
    rates = [optimiser.rate(step, 100, 1e-3, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == rates[9] == pytest.approx(1e-3)
    assert rates[55] == pytest.approx(5e-4, rel=0.05)
    assert rates[99] < 1e-6
    assert rates[10:] == sorted(rates[10:], reverse=True)
