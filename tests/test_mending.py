"""Drafts whose joins or groups are completed from the schema, without a model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mnemosyne import guard, lims
from mnemosyne.assistant import Assistant, Options
from mnemosyne.assistant.mending import group, mend
from mnemosyne.databases import Database, open_database
from mnemosyne.engines.scripted import ScriptedEngine
from mnemosyne.guard.policy import Policy, TableRule
from mnemosyne.guard.query import SafeQuery
from mnemosyne.schema import Schema

LAB = lims.schema()


@pytest.fixture
def laboratory(lab_sqlite: str) -> Iterator[Database]:
    database = open_database(lab_sqlite)
    yield database
    database.close()


@pytest.mark.parametrize(
    ("draft", "mended"),
    [
        (
            "SELECT COUNT(*) FROM results r WHERE d.category = 'Chemistry'",
            "SELECT COUNT(*) FROM results AS r JOIN determinands AS d ON r.determinand_id = d.determinand_id "
            "WHERE d.category = 'Chemistry'",
        ),
        (
            "SELECT result_id FROM results WHERE client_name = 'Cedar Foods' ORDER BY result_id",
            "SELECT results.result_id FROM results JOIN samples ON results.sample_id = samples.sample_id "
            "JOIN clients ON samples.client_id = clients.client_id WHERE clients.client_name = 'Cedar Foods' "
            "ORDER BY results.result_id",
        ),
        (
            "SELECT r.matrix, COUNT(*) AS n FROM results r JOIN determinands d ON r.determinand_id = d.determinand_id "
            "WHERE d.technique = 'ICP-MS' GROUP BY r.matrix",
            "SELECT s.matrix, COUNT(*) AS n FROM results AS r "
            "JOIN determinands AS d ON r.determinand_id = d.determinand_id "
            "JOIN samples AS s ON r.sample_id = s.sample_id JOIN methods AS m ON d.method_id = m.method_id "
            "WHERE m.technique = 'ICP-MS' GROUP BY s.matrix",
        ),
        (
            "SELECT c.city FROM clients c WHERE EXISTS (SELECT 1 FROM results r WHERE s.client_id = c.client_id)",
            "SELECT c.city FROM clients AS c WHERE EXISTS(SELECT 1 FROM results AS r "
            "JOIN samples AS s ON r.sample_id = s.sample_id WHERE s.client_id = c.client_id)",
        ),
        (
            "SELECT s.status, COUNT(*) FROM worksheet_samples ws GROUP BY s.status",
            "SELECT s.status, COUNT(*) FROM worksheet_samples AS ws JOIN samples AS s ON ws.sample_id = s.sample_id "
            "GROUP BY s.status",
        ),
        (
            "SELECT s.analyst_id FROM samples s JOIN results r ON s.sample_id = r.sample_id",
            "SELECT r.analyst_id FROM samples AS s JOIN results AS r ON s.sample_id = r.sample_id",
        ),
        (
            "SELECT client_name FROM clients WHERE EXISTS (SELECT 1 FROM samples WHERE client_id = c.client_id)",
            "SELECT client_name FROM clients WHERE EXISTS(SELECT 1 FROM samples "
            "WHERE samples.client_id = clients.client_id)",
        ),
        (
            "SELECT s.matrix FROM samples WHERE s.status = 'Reported'",
            "SELECT samples.matrix FROM samples WHERE samples.status = 'Reported'",
        ),
        (
            "WITH t AS (SELECT matrix, COUNT(*) AS n FROM results GROUP BY matrix) SELECT matrix FROM t WHERE n > 3",
            "WITH t AS (SELECT samples.matrix, COUNT(*) AS n FROM results JOIN samples ON results.sample_id = "
            "samples.sample_id GROUP BY samples.matrix) SELECT matrix FROM t WHERE n > 3",
        ),
    ],
)
def test_a_join_or_an_alias_that_only_one_way_of_keys_allows_is_added(draft: str, mended: str) -> None:
    assert isinstance(guard.check(draft, LAB), guard.Refusal)
    assert mend(draft, LAB) == mended
    assert isinstance(guard.check(mended, LAB), SafeQuery)


@pytest.mark.parametrize(
    "draft",
    [
        "SELECT client_name FROM clients WHERE matrix = 'Raw Milk'",  # a client has many samples
        "SELECT colour FROM samples",  # nobody has it
        "SELECT status, COUNT(*) FROM worksheet_samples GROUP BY status",  # of the sample, or of the worksheet?
        "SELECT sample_id, turnaround_days FROM samples",  # no way from a sample up to a method
        "SELECT x.category FROM results r",  # x is nobody's letter
        "SELECT sample_id FROM samples",  # nothing lacks
        "SELECT FROM WHERE",
        "SELECT COUNT(*) FROM clients c JOIN results r ON r.client_id = c.client_id",  # a wrong way
        "SELECT 1 FROM analysts a, samples s WHERE s.analyst_id = a.analyst_id",  # would compare a column with itself
        "SELECT 1 FROM results r JOIN samples s ON r.sample_id = s.sample_id WHERE w.status = ''",  # whose?
        "SELECT 1 FROM worksheets w JOIN analysts a ON w.analyst_id = a.analyst_id WHERE c.active",  # a client's
        "SELECT 1 FROM results r1 WHERE r1.numeric_value > r2.numeric_value",  # a self-join
        "SELECT 1 FROM results r WHERE s1.matrix = 'Raw Milk' AND s2.matrix = 'Raw Meat'",  # two samples
        "SELECT 1 FROM samples WHERE EXISTS (SELECT 1 FROM samples WHERE client_id = s.client_id)",  # which samples?
        "SELECT COUNT(*) FROM results r WHERE active",  # of the analyst, or of the client?
        "WITH samples AS (SELECT * FROM samples) SELECT 1 FROM results r WHERE s.status = 'x'",  # another samples
    ],
)
def test_what_is_not_certain_is_left_alone(draft: str) -> None:
    assert mend(draft, LAB) is None


@pytest.mark.parametrize(
    ("draft", "part"),
    [
        (
            "SELECT s.sample_id, x.n FROM samples s CROSS JOIN LATERAL "
            "(SELECT COUNT(*) AS n FROM results r WHERE r.sample_id = s.sample_id) x WHERE s.city = 'Leeds'",
            "WHERE r.sample_id = s.sample_id) AS x JOIN clients AS c",
        ),
        (
            "SELECT s.sample_id FROM samples s WHERE s.city = 'Leeds' AND EXISTS (SELECT 1 FROM results r "
            "WHERE r.sample_id = s.sample_id UNION ALL SELECT 1 FROM results q WHERE q.sample_id = s.sample_id)",
            "WHERE r.sample_id = s.sample_id UNION ALL",
        ),
        (
            "SELECT s.sample_id, r.unit FROM samples s LEFT JOIN results r ON s.sample_id = r.sample_id",
            "LEFT JOIN determinands AS d ON r.determinand_id = d.determinand_id",
        ),
        ("SELECT * FROM results WHERE category = 'Physical'", "SELECT results.* FROM results JOIN determinands"),
        (
            "SELECT city, SUM(numeric_value) AS numeric_value FROM results GROUP BY city ORDER BY numeric_value DESC",
            "ORDER BY numeric_value DESC",
        ),
        (
            "SELECT 1 FROM results r, samples s WHERE r.sample_id = s.sample_id AND d.category = 'Physical'",
            "FROM results AS r CROSS JOIN samples AS s JOIN determinands AS d",
        ),
    ],
)
def test_what_was_right_stays_as_it_was(draft: str, part: str) -> None:
    mended = mend(draft, LAB)
    assert mended is not None
    assert part in mended
    assert isinstance(guard.check(mended, LAB), SafeQuery)


def test_a_key_that_may_be_empty_is_joined_without_losing_rows() -> None:
    schema = Schema.from_ddl(
        "CREATE TABLE teams (team_id INT PRIMARY KEY, team_name TEXT);"
        "CREATE TABLE people (person_id INT PRIMARY KEY, surname TEXT, team_id INT REFERENCES teams (team_id));"
    )
    assert mend("SELECT surname, team_name FROM people", schema) == (
        "SELECT people.surname, teams.team_name FROM people LEFT JOIN teams ON people.team_id = teams.team_id"
    )


def test_two_ways_of_the_same_length_are_no_way() -> None:
    schema = Schema.from_ddl(
        "CREATE TABLE people (person_id INT PRIMARY KEY, surname TEXT);"
        "CREATE TABLE jobs (job_id INT PRIMARY KEY, asker INT REFERENCES people (person_id), "
        "doer INT REFERENCES people (person_id));"
    )
    assert mend("SELECT job_id FROM jobs WHERE surname = 'Ek'", schema) is None


def test_plain_outputs_beside_an_aggregate_are_grouped() -> None:
    assert group("SELECT matrix, status, COUNT(*) FROM samples GROUP BY matrix") == (
        "SELECT matrix, status, COUNT(*) FROM samples GROUP BY matrix, status"
    )
    assert group("SELECT matrix AS kind, COUNT(*) FROM samples") == (
        "SELECT matrix AS kind, COUNT(*) FROM samples GROUP BY matrix"
    )
    assert group("SELECT matrix, COUNT(*) FROM samples GROUP BY 1") is None
    assert group("SELECT matrix, ROW_NUMBER() OVER (ORDER BY matrix) FROM samples") is None
    assert group("SELECT matrix, COUNT(*) FILTER (WHERE status = 'x') OVER () FROM samples") is None
    assert group("SELECT client_name, MAX(registered_date) FROM clients") is None, "the client of that day, perhaps"
    assert group("SELECT status, matrix, COUNT(*) FROM samples GROUP BY ROLLUP (matrix)") is None
    inner = "SELECT matrix, (SELECT COUNT(*) FROM samples) AS total FROM samples"
    assert group(f"WITH t AS ({inner}) SELECT matrix, total, COUNT(*) FROM t GROUP BY matrix") == (
        f"WITH t AS ({inner}) SELECT matrix, total, COUNT(*) FROM t GROUP BY matrix, total"
    )


def test_the_assistant_mends_before_it_asks_again(laboratory: Database) -> None:
    engine = ScriptedEngine(["SELECT COUNT(*) FROM results WHERE category = 'Chemistry'"])
    answer = Assistant.over(engine, laboratory).ask("How many chemistry results?")
    assert answer.ok
    assert [step.kind for step in answer.steps] == ["draft", "mend"]
    assert len(engine.prompts) == 1
    assert "JOIN determinands" in answer.sql


@pytest.mark.parametrize("lab", ["lab_duckdb", "lab_sqlite"])
def test_the_assistant_completes_groups_that_the_database_or_the_guard_asks_for(
    lab: str, request: pytest.FixtureRequest
) -> None:
    engine = ScriptedEngine(["SELECT matrix, priority, COUNT(*) FROM samples GROUP BY matrix"])
    with Assistant.over(engine, open_database(request.getfixturevalue(lab))) as assistant:
        answer = assistant.ask("How many samples by matrix and priority?")
    assert [step.kind for step in answer.steps] == ["draft", "mend"]
    assert answer.result is not None
    assert len(answer.result.rows) > 9


def test_without_repairs_nothing_is_mended(laboratory: Database) -> None:
    engine = ScriptedEngine(["SELECT COUNT(*) FROM results WHERE category = 'Chemistry'"])
    answer = Assistant.over(engine, laboratory, options=Options(repairs=0)).ask("How many chemistry results?")
    assert [step.kind for step in answer.steps] == ["draft"]


def test_a_person_who_declines_the_mended_query_is_not_asked_again(laboratory: Database) -> None:
    assistant = Assistant.over(ScriptedEngine(["SELECT COUNT(*) FROM results WHERE category = 'Physical'"]), laboratory)
    asked: list[str] = []
    assistant.review = lambda query: bool(asked.append(query.sql))  # type: ignore[func-returns-value]
    answer = assistant.ask("How many physical results?")
    assert [step.kind for step in answer.steps] == ["draft", "mend"]
    assert len(asked) == 1


def test_a_hidden_column_is_denied_and_not_looked_for_elsewhere(laboratory: Database) -> None:
    hides = Policy(tables={"samples": TableRule(hidden=frozenset({"status"}))}, others=True)
    engine = ScriptedEngine(["SELECT COUNT(*) FROM samples s WHERE s.city = 'Cork' AND s.status = 'Reported'"] * 3)
    answer = Assistant.over(engine, laboratory, policy=hides).ask("How many reported ones from Cork?")
    assert not answer.ok
    assert "mend" not in [step.kind for step in answer.steps]


def test_no_join_leads_around_a_policy(laboratory: Database) -> None:
    hidden = Policy(tables={"samples": TableRule()})
    engine = ScriptedEngine(["SELECT client_name FROM samples"] * 3)
    answer = Assistant.over(engine, laboratory, policy=hidden).ask("Whose samples?")
    assert not answer.ok
    assert "mend" not in [step.kind for step in answer.steps]
