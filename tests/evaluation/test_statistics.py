"""Intervals and McNemar's test against values that textbooks and R print."""

from __future__ import annotations

import random

import pytest

from mnemosyne.evaluation.statistics import mcnemar, paired, share


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 5, 1.0),
        (0, 5, 0.0625),  # 2 / 2^5
        (1, 9, 0.021484375),  # R: binom.test(1, 10)$p.value
        (10, 25, 0.016670),  # R: binom.test(10, 35)$p.value
    ],
)
def test_mcnemar_is_the_exact_binomial_test(only_first: int, only_second: int, p: float) -> None:
    assert mcnemar(only_first, only_second) == pytest.approx(p, rel=1e-3)
    assert mcnemar(only_second, only_first) == mcnemar(only_first, only_second)


def test_a_share_of_half_has_the_interval_of_the_binomial() -> None:
    """Quantiles of Binomial(100, 0.5) at 2.5 % and 97.5 % are 40 and 60."""
    figure = share([True, False] * 50)
    assert figure is not None
    assert (figure.value, figure.low, figure.high, figure.n) == (50.0, 40.0, 60.0, 100)


def test_the_interval_is_the_one_of_resampled_questions() -> None:
    """The plain bootstrap, question by question, done here the slow way."""
    outcomes = [True] * 46 + [False] * 154
    draw = random.Random(1)
    means = sorted(sum(draw.choices(outcomes, k=200)) / 2 for _ in range(4000))
    figure = share(outcomes)
    assert figure is not None
    assert figure.low == pytest.approx(means[100], abs=0.6)
    assert figure.high == pytest.approx(means[3900], abs=0.6)


def test_nought_and_all_have_a_width() -> None:
    """Wilson: with none right of 10, up to 27.8 % cannot be excluded."""
    none, all_ = share([False] * 10), share([True] * 10)
    assert none is not None
    assert all_ is not None
    assert (none.low, none.high) == (0.0, pytest.approx(27.75, abs=0.01))
    assert (all_.low, all_.high) == (pytest.approx(72.25, abs=0.01), 100.0)


def test_the_share_of_nothing_is_no_figure() -> None:
    assert share([]) is None
    assert paired([], []) is None


def test_the_same_seed_gives_the_same_interval() -> None:
    outcomes = [True, False, False] * 20
    assert share(outcomes, seed=5) == share(outcomes, seed=5)


def test_a_paired_comparison_counts_the_questions_that_changed() -> None:
    first = [True] * 10 + [False] * 30 + [True] * 60
    second = [False] * 10 + [True] * 30 + [True] * 60
    found = paired(first, second)
    assert found is not None
    assert (found.only_first, found.only_second, found.difference, found.n) == (10, 30, 20.0, 100)
    assert 7 < found.low < 10 < 30 < found.high < 33
    assert found.p == mcnemar(10, 30)


def test_pairing_is_narrower_than_two_separate_intervals() -> None:
    """Two models that agree on most questions differ by little noise; separate intervals would hide that."""
    first = [True] * 50 + [False] * 50
    second = [True] * 56 + [False] * 44
    found, alone = paired(first, second), share(second)
    assert found is not None
    assert alone is not None
    assert found.low > 0
    assert found.high - found.low < alone.high - alone.low


def test_a_difference_that_never_varied_has_a_width() -> None:
    same = paired([True, False] * 20, [True, False] * 20)
    assert same is not None
    assert same.difference == 0
    assert -10 < same.low < 0 < same.high < 10
    for n, low in ((1, -59), (3, -12), (6, 22)):
        gained, lost = paired([False] * n, [True] * n), paired([True] * n, [False] * n)
        assert gained is not None
        assert lost is not None
        assert (gained.difference, gained.high, lost.difference, lost.low) == (100, 100, -100, -100)
        assert gained.low == pytest.approx(low, abs=1)
        assert lost.high == pytest.approx(-low, abs=1)
        assert (gained.low > 0) == (gained.p < 0.05)


def test_models_asked_different_questions_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="2 outcomes against 1"):
        paired([True, False], [True])
