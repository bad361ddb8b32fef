"""A text that is no SQL is refused in a sentence: what is wrong, where, near what, and what to do."""

from __future__ import annotations

import re

import pytest

from mnemosyne import guard
from mnemosyne.guard import Refusal, SafeQuery
from mnemosyne.schema import Schema

MISTAKES = [
    ("SELECT COUNT(* FROM samples", "( is not closed before FROM at line 1, column 13", "Add ) before FROM"),
    (
        "SELECT sample_id FROM samples WHERE status IN ('a', 'b'",
        "the query ends before ( is closed at line 1, column 47",
        "Add )",
    ),
    ("WITH x AS (SELECT 1", "the query ends before ( is closed at line 1, column 11", "shorter"),
    (
        "SELECT sample_id\nFROM samples\nWHERE (matrix = 'Raw Milk'\nORDER BY 1",
        "( is not closed before ORDER BY at line 3, column 7",
        "before ORDER BY",
    ),
    ("SELECT sample_id FROM samples)", ") closes nothing at line 1, column 30", "Leave it out"),
    (
        "SELECT sample_id FROM samples WHERE",
        "the query ends after WHERE, where something must follow at line 1, column 31",
        "Write the whole query",
    ),
    ("SELECT sample_id FROM samples LIMIT", "the query ends after LIMIT", "Write the whole query"),
    (
        "SELECT 1 FROM samples WHERE status = 'a' AND AND TRUE",
        "a value or condition is missing at AND at line 1, column 46",
        "leave AND out",
    ),
    (
        "SELECT 1 FROM samples WHERE received_date BETWEEN '2026-01-01'",
        "BETWEEN is not complete",
        "BETWEEN low AND high",
    ),
    ("SELECT CASE WHEN status = 'x' THEN 1 FROM samples", "CASE is not closed at line 1, column 8", "END"),
    ("SELECT EXTRACT(YEAR received_date) FROM samples", "EXTRACT is not complete", "EXTRACT(YEAR FROM column)"),
    ("SELECT CAST(sample_id, TEXT) FROM samples", "CAST is not complete", "CAST(value AS type)"),
    ("WITH x AS SELECT 1 SELECT * FROM x", "( is missing before SELECT at line 1, column 11", "in brackets"),
    ("SELECT status FROM samples GROUP status", "GROUP is not followed by BY at line 1, column 34", "GROUP BY"),
    ("SELECT status FROM samples ORDER status", "ORDER is not followed by BY", "ORDER BY"),
    (
        "SELECT COUNT(*) AS count group FROM samples",
        "group is not expected there at line 1, column 26",
        'quoted: "group"',
    ),
    (
        "SELECT sample_id FROM <table>",
        "< stands where the name of a table belongs at line 1, column 23",
        "table of the schema",
    ),
    ("SELECT ... FROM samples", ". is not expected there at line 1, column 8", "no placeholder"),
    (
        "Here is the query: SELECT 1",
        "the text begins with Here, which begins no query at line 1, column 1",
        "Write only the query",
    ),
    (
        "SELECT 1; This query returns one.",
        "after the query stands text that is no SQL at line 1, column 11",
        "Write only the query",
    ),
    (
        "SELECT 1\n\nExplanation: one is returned.",
        "after the query stands text that is no SQL at line 3, column 1",
        "Write only the query",
    ),
    (
        "SELECT 1 FROM samples WHERE status = 'Pending",
        "a text in quotes is never closed at line 1, column 38",
        "Close it with '",
    ),
    (
        "SELECT 1 FROM samples WHERE sample_point = 'Farmer's tank'",
        "the quote after 'Farmer ends the text there at line 1, column 51",
        "'Farmer''s tank'",
    ),
    ('SELECT "sample_id FROM samples', "a name in quotes is never closed at line 1, column 8", 'Close it with "'),
    ("SELECT 1 /* and so on", "a comment is never closed at line 1, column 10", "Leave the comment out"),
]
INTERNALS = re.compile(
    r"sqlglot|<class|Token|\x1b|Expecting|Expected|Required keyword|Invalid expression|[A-Z]\w+Error"
)


@pytest.mark.parametrize(("sql", "reason", "hint"), MISTAKES, ids=lambda value: value[:40])
def test_a_mistake_of_a_model_is_said_in_a_sentence(sql: str, reason: str, hint: str, lab: Schema) -> None:
    verdict = guard.check_reply(sql, lab)
    assert isinstance(verdict, Refusal), verdict
    assert verdict.code == "syntax"
    assert verdict.reason.startswith(reason)
    assert hint in verdict.hint
    assert not INTERNALS.search(verdict.reason + verdict.hint)


@pytest.mark.parametrize("sql", [sql for sql, _, _ in MISTAKES])
def test_what_goes_back_to_the_model_is_short_and_names_the_place(sql: str, lab: Schema) -> None:
    verdict = guard.check_reply(sql, lab)
    assert isinstance(verdict, Refusal)
    assert len(verdict.reason) + len(verdict.hint) < 260
    assert re.fullmatch(r"line \d+, column \d+", verdict.place)
    line, column = map(int, re.findall(r"\d+", verdict.place))
    assert column <= len(sql.splitlines()[line - 1])


def test_the_nearby_text_is_quoted_and_no_more(lab: Schema) -> None:
    verdict = guard.check(
        "SELECT sample_id FROM samples WHERE status = 'Pending' AND AND matrix = 'Raw Milk' AND 1 = 1", lab
    )
    assert isinstance(verdict, Refusal)
    assert verdict.reason.endswith("near: status = 'Pending' AND AND matrix = 'Raw Milk'")


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 1; SELECT 2", "holds 2 statements"),
        ("SELECT 1; DELETE FROM samples", "holds 2 statements"),
        ("samples", "'samples' is no query"),
        ("sample_id, status", "is no query|begins no query"),
        ("I do not know", "begins with I, which begins no query"),
        ("", "no SQL in the text"),
    ],
)
def test_what_is_not_one_query_is_told_what_one_is(sql: str, words: str, lab: Schema) -> None:
    verdict = guard.check_reply(sql, lab)
    assert isinstance(verdict, Refusal)
    assert re.search(words, verdict.reason)
    assert not INTERNALS.search(verdict.reason + verdict.hint)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT `sample_id` FROM `samples`",
        "SELECT [sample_id] FROM [samples]",
        "SELECT TOP 5 sample_id FROM samples",
        "SELECT sample_id FROM samples WHERE received_date = CURDATE()",
        "SELECT sample_id AS order FROM samples",
        "SELECT sample_id, FROM samples",
    ],
)
def test_slips_that_have_one_meaning_are_read(sql: str, lab: Schema) -> None:
    assert isinstance(guard.check_reply(sql, lab), SafeQuery)


@pytest.mark.parametrize("cut", range(8, 160, 3))
def test_a_query_that_was_cut_anywhere_is_read_or_refused_without_internals(cut: int, lab: Schema) -> None:
    whole = (
        "WITH late AS (SELECT s.sample_id, CASE WHEN s.status = 'It''s late' THEN 1 ELSE 0 END AS n FROM samples s "
        "WHERE s.received_date BETWEEN DATE '2026-01-01' AND CURRENT_DATE GROUP BY 1, 2) SELECT * FROM late"
    )
    verdict = guard.check(whole[:cut], lab)
    if isinstance(verdict, Refusal):
        assert not INTERNALS.search(verdict.reason + verdict.hint), verdict
