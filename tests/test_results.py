"""`same`, the only meaning of "same answer": each known fault of other evaluators, and its properties."""

from __future__ import annotations

import time
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemosyne.results import Result, Row, Value, same


def table(*rows: Row, columns: tuple[str, ...] | None = None, truncated: bool = False) -> Result:
    width = len(rows[0]) if rows else 1
    return Result(columns or tuple(f"c{i}" for i in range(width)), tuple(rows), truncated)


# Faults of other evaluators --------------------------------------------------------------------------------------


def test_values_count_and_names_do_not() -> None:
    assert not same(table((1,), columns=("n",)), table((999,), columns=("n",)))
    assert same(table((1,), columns=("n",)), table((1,), columns=("count(*)",)))


def test_duplicates_count() -> None:
    assert not same(table((1,), (1,), (2,)), table((1,), (2,), (2,)))
    assert not same(table((1,), (1,)), table((1,)))


def test_columns_may_come_in_any_order() -> None:
    assert same(table(("a", 1, None), ("b", 2, "x")), table((1, None, "a"), (2, "x", "b")))


def test_rows_stay_together() -> None:
    """Each column alone holds the right cells, yet no row is right."""
    assert not same(table((1, "a"), (2, "b")), table((1, "b"), (2, "a")))


def test_columns_matched_greedily_would_be_wrong() -> None:
    """The first two columns hold the same cells: only the second choice keeps the rows together."""
    gold = table((1, 2, "x"), (2, 1, "y"))
    assert same(gold, table((2, 1, "x"), (1, 2, "y")))
    assert not same(gold, table((2, 2, "x"), (1, 1, "y")))


def test_an_answer_column_is_used_once() -> None:
    assert not same(table((1, 1), (2, 2)), table((1, 7), (2, 8)), extra_columns=True)


def test_there_is_no_rounding_cliff() -> None:
    assert same(table((0.4999999,)), table((0.5000001,)))
    assert same(table((2.4999999,), (1.0,)), table((1,), (2.5000001,)))
    assert not same(table((0.49,)), table((0.50,)))


def test_the_type_of_a_number_does_not_count_but_text_is_no_number() -> None:
    assert same(table((1, 0)), table((1.0, False)))
    assert not same(table((1,)), table(("1",)))
    assert not same(table((1,)), table((b"1",)))


def test_null_is_only_null() -> None:
    for other in (0, "", "None", "NULL", False, float("nan")):
        assert not same(table((None,)), table((other,)))
    assert same(table((None,)), table((None,)))


def test_neighbouring_large_identifiers_differ() -> None:
    assert not same(table((10_000_001,)), table((10_000_002,)))
    assert not same(table((2**60,)), table((2**60 + 1,)))
    assert same(table((12345678.9,)), table((12345678.90001,)))


def test_a_chain_of_close_numbers_is_not_one_number() -> None:
    """Neighbours are close, the ends are not: pairs decide, not chains."""
    chain = [1.0, 1.0000009, 1.0000018]
    assert same(table(*((x,) for x in chain)), table(*((x,) for x in reversed(chain))))
    assert not same(
        table((1.0, "a"), (1.0000018, "b"), (1.0000009, "c")), table((1.0, "b"), (1.0000018, "a"), (1.0, "c"))
    )
    assert not same(
        table((1.0, 5.5), (1.0000009, 6.5), (1.0000018, 5.5)), table((1.0000018, 6.5), (1.0, 5.5), (1.0, 5.5))
    )


def test_a_chain_whose_first_pairing_must_be_revised() -> None:
    gold = table((1.0000009, 0.5), (1.0, 0.5), (1.0000018, 0.5))
    assert same(gold, table((1.0000018, 0.5), (1.0000009, 0.5), (1.0, 0.5)))


def test_a_date_is_its_midnight() -> None:
    assert same(table(("2025-01-01",)), table(("2025-01-01 00:00:00",)))
    assert same(table(("2025-01-01",)), table(("2025-01-01T00:00:00+00:00",)))
    assert same(table(("2025-01-01 10:30:00.500",)), table(("2025-01-01T10:30:00.5Z",)))
    assert not same(table(("2025-01-01",)), table(("2025-01-01 00:00:01",)))
    assert not same(table(("2025-01-01",)), table(("2025-01-02",)))


def test_a_truncated_result_is_never_the_same() -> None:
    cut = table((1,), truncated=True)
    assert not same(cut, table((1,)))
    assert not same(table((1,)), cut)
    assert not same(cut, cut)


def test_extra_columns_only_where_allowed() -> None:
    gold, wide = table(("a",), ("b",)), table((1, "a"), (2, "b"))
    assert not same(gold, wide)
    assert same(gold, wide, extra_columns=True)
    assert not same(wide, gold, extra_columns=True)


def test_extra_columns_do_not_bring_rows_back() -> None:
    assert not same(table(("a",)), table(("a", 1), ("a", 2)), extra_columns=True)


def test_empty_results_agree_only_in_width() -> None:
    empty = Result(("a",), ())
    assert same(empty, Result(("z",), ()))
    assert not same(empty, Result(("a", "b"), ()))
    assert not same(empty, table((None,)))


# Order -----------------------------------------------------------------------------------------------------------


def test_order_counts_only_where_asked() -> None:
    up, down = table((1,), (2,)), table((2,), (1,))
    assert same(up, down)
    assert not same(up, down, order_keys=[(1,), (2,)])
    assert same(up, up, order_keys=[(1,), (2,)])


def test_order_counts_only_between_keys() -> None:
    gold = table(("ann", 3), ("bob", 3), ("cy", 1))
    keys: list[Row] = [(3,), (3,), (1,)]
    assert same(gold, table(("bob", 3), ("ann", 3), ("cy", 1)), order_keys=keys)
    assert not same(gold, table(("ann", 3), ("cy", 1), ("bob", 3)), order_keys=keys)


def test_order_by_what_is_not_shown() -> None:
    gold = table(("ann",), ("bob",), ("cy",))
    assert same(gold, table(("bob",), ("ann",), ("cy",)), order_keys=[(9,), (9,), (1,)])
    assert not same(gold, table(("cy",), ("ann",), ("bob",)), order_keys=[(9,), (9,), (1,)])


def test_order_with_columns_in_another_order() -> None:
    gold = table(("ann", 2), ("bob", 1))
    assert same(gold, table((2, "ann"), (1, "bob")), order_keys=[(2,), (1,)])
    assert not same(gold, table((1, "bob"), (2, "ann")), order_keys=[(2,), (1,)])


def test_noise_in_a_key_is_a_tie_and_null_is_a_key() -> None:
    gold = table(("a",), ("b",), ("c",), ("d",))
    keys: list[Row] = [(0.1 + 0.2,), (0.3,), (None,), (None,)]
    assert same(gold, table(("b",), ("a",), ("d",), ("c",)), order_keys=keys)
    assert not same(gold, table(("c",), ("a",), ("b",), ("d",)), order_keys=keys)


def test_keys_must_be_parallel_to_the_rows() -> None:
    with pytest.raises(ValueError, match="1 order keys for 2 rows"):
        same(table((1,), (2,)), table((1,), (2,)), order_keys=[(1,)])


# Speed -----------------------------------------------------------------------------------------------------------


def test_many_equal_columns_do_not_explode() -> None:
    gold = table(*((0,) * 30 for _ in range(50)))
    started = time.perf_counter()
    assert same(gold, table(*((0,) * 30 for _ in range(49)), (0,) * 30))
    assert not same(gold, table(*((0,) * 30 for _ in range(49)), (0,) * 29 + (1,)))
    assert time.perf_counter() - started < 2


def test_columns_that_are_permutations_of_each_other_do_not_explode() -> None:
    vectors = list(permutations(range(5)))[:24]
    gold = table(*zip(*vectors, strict=True))
    other = table(*zip(*list(permutations(range(5)))[-24:], strict=True))
    started = time.perf_counter()
    assert not same(gold, other)
    assert time.perf_counter() - started < 10


def test_ten_thousand_rows_take_less_than_a_second() -> None:
    rows = [(i, f"s{i % 97}", i / 7) for i in range(10_000)]
    started = time.perf_counter()
    assert same(table(*rows), table(*((c * 1.0000000001, a, b) for a, b, c in reversed(rows))))
    assert time.perf_counter() - started < 2


# Properties ------------------------------------------------------------------------------------------------------

cells: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.sampled_from([0.5, 0.4999999, 0.5000001, 1e-12, float("nan"), float("inf")]),
    st.floats(allow_nan=False, width=32),
    st.sampled_from(["", "a", "1", "2025-01-01", "2025-01-01 00:00:00"]),
    st.text(max_size=3),
    st.binary(max_size=2),
)


@st.composite
def results(draw: st.DrawFn) -> Result:
    width = draw(st.integers(1, 5))
    return Result(
        tuple(f"c{i}" for i in range(width)),
        tuple(draw(st.lists(st.tuples(*[cells] * width), max_size=8))),
    )


@given(results())
def test_same_is_reflexive(result: Result) -> None:
    copy = Result(result.columns, tuple(tuple(row) for row in result.rows))
    assert same(result, copy)
    assert same(result, copy, order_keys=result.rows)


@given(results(), results())
def test_same_is_symmetric(a: Result, b: Result) -> None:
    assert same(a, b) == same(b, a)


@given(results(), st.randoms(use_true_random=False), st.floats(-1e-13, 1e-13))
def test_rows_and_columns_may_be_permuted_and_numbers_may_be_noisy(result: Result, random, noise: float) -> None:  # type: ignore[no-untyped-def]
    columns = random.sample(range(len(result.columns)), len(result.columns))
    rows = random.sample(result.rows, len(result.rows))
    noisy = tuple(tuple(_noisy(row[c], noise) for c in columns) for row in rows)
    assert same(result, Result(tuple("x" * len(columns)), noisy))


def _noisy(value: Value, noise: float) -> Value:
    return value * (1 + noise) if isinstance(value, float) else value


@given(results().filter(lambda r: bool(r.rows)), st.data())
def test_one_changed_cell_is_caught(result: Result, data: st.DataObject) -> None:
    i = data.draw(st.integers(0, len(result.rows) - 1))
    j = data.draw(st.integers(0, len(result.columns) - 1))
    rows = [list(row) for row in result.rows]
    rows[i][j] = "a cell that occurs nowhere else"
    changed = Result(result.columns, tuple(tuple(row) for row in rows))
    assert not same(result, changed)
    assert not same(changed, result)


@settings(max_examples=300)
@given(st.data())
def test_same_agrees_with_brute_force(data: st.DataObject) -> None:
    """Every column order and every row order, for cells where near-misses are frequent."""
    width, height = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 4))
    few = st.sampled_from([0, 1, "a", None, 1.0, 0.5, 0.5000004, 0.5000008])
    rows = st.lists(st.tuples(*[few] * width), min_size=height, max_size=height)
    a, b = data.draw(rows), data.draw(rows)
    assert same(table(*a), table(*b)) == brute_force(a, b, width)


def brute_force(gold: list[Row], answer: list[Row], width: int) -> bool:
    def equal(x: Value, y: Value) -> bool:
        numbers = isinstance(x, (int, float)) and isinstance(y, (int, float))
        return abs(x - y) <= 1e-6 * max(abs(x), abs(y)) if numbers else x == y  # type: ignore[operator,arg-type]

    return any(
        all(equal(x, row[c]) for ours, row in zip(gold, order, strict=True) for x, c in zip(ours, columns, strict=True))
        for columns in permutations(range(width))
        for order in permutations(answer)
    )
