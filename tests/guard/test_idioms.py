"""Replies in another dialect than PostgreSQL are read again; what is refused for what it does is not."""

from datetime import date

import pytest

from mnemosyne import lims
from mnemosyne.databases import open_database
from mnemosyne.guard import Refusal, SafeQuery, check, check_reply
from mnemosyne.results import Result, same

TODAY = date(2026, 6, 15)
SAME_ROWS = [
    (
        "SELECT COUNT(*) FROM samples WHERE received_date >= DATE_SUB(CURDATE(), INTERVAL 30 DAY)",
        "SELECT COUNT(*) FROM samples WHERE received_date >= CURRENT_DATE - INTERVAL '30 days'",
    ),
    (
        "SELECT COUNT(*) FROM samples WHERE received_date >= DATEADD(day, -30, GETDATE())",
        "SELECT COUNT(*) FROM samples WHERE received_date >= CURRENT_TIMESTAMP - INTERVAL '30 days'",
    ),
    (
        "SELECT DATE_FORMAT(received_date, '%Y-%m') AS month, COUNT(*) FROM samples GROUP BY month",
        "SELECT TO_CHAR(received_date, 'YYYY-MM') AS month, COUNT(*) FROM samples GROUP BY month",
    ),
    (
        "SELECT COUNT(*) FROM `samples` WHERE YEAR(received_date) = YEAR(CURDATE())",
        "SELECT COUNT(*) FROM samples WHERE EXTRACT(YEAR FROM received_date) = EXTRACT(YEAR FROM CURRENT_DATE)",
    ),
    ("SELECT TOP 5 client_name FROM clients ORDER BY 1", "SELECT client_name FROM clients ORDER BY 1 LIMIT 5"),
]


@pytest.mark.parametrize(("written", "meant"), SAME_ROWS)
def test_a_reply_in_another_dialect_returns_what_was_meant(written: str, meant: str, lab_duckdb: str) -> None:
    assert isinstance(check(written, lims.schema(), target="duckdb"), Refusal)
    database = open_database(lab_duckdb)
    results = []
    for sql in (written, meant):
        query = check_reply(sql, lims.schema(), target="duckdb", today=TODAY)
        assert isinstance(query, SafeQuery), query
        result = database.run(query)
        assert isinstance(result, Result), result
        results.append(result)
    database.close()
    assert results[0].rows
    assert same(*results)


@pytest.mark.parametrize(
    "attack",
    [
        "DROP TABLE `samples`",
        "SELECT TOP 5 * FROM samples; DROP TABLE samples",
        "SELECT LOAD_FILE('/etc/passwd')",
        "SELECT * FROM `information_schema`.`tables`",
        "SELECT * FROM OPENROWSET('SQLNCLI', 'x', 'SELECT 1')",
        "SELECT SLEEP(10), CURDATE()",
        "SELECT CURDATE() INTO OUTFILE '/tmp/x'",
        "EXEC xp_cmdshell 'dir'",
        "SELECT BENCHMARK(1000000, MD5('a')), CURDATE()",
    ],
)
def test_another_reading_lets_no_attack_through(attack: str) -> None:
    for target in ("postgres", "sqlite", "duckdb"):
        assert isinstance(check_reply(attack, lims.schema(), target=target), Refusal)  # type: ignore[arg-type]


def test_the_refusal_of_the_reading_that_went_furthest_is_told() -> None:
    wrong_name = check_reply("SELECT reported_dat FROM samples WHERE received_date < CURDATE()", lims.schema())
    assert isinstance(wrong_name, Refusal)
    assert wrong_name.code == "unknown-column"
    assert "reported_date" in wrong_name.reason
    nowhere = "SELECT foo(CURDATE()) FROM samples"
    assert check_reply(nowhere, lims.schema()) == check(nowhere, lims.schema())
