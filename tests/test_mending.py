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
            "WITH t AS (SELECT matrix, COUNT(*) AS n FROM results GROUP BY matrix) SELECT matrix FROM t WHERE n > 3",
            "WITH t AS (SELECT samples.matrix, COUNT(*) AS n FROM results JOIN samples ON results.sample_id = "
            "samples.sample_id GROUP BY samples.matrix) SELECT matrix FROM t WHERE n > 3",
        ),
    ],
)
def test_a_join_that_only_one_way_of_keys_allows_is_added(draft: str, mended: str) -> None:
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
    ],
)
def test_what_is_not_certain_is_left_alone(draft: str) -> None:
    assert mend(draft, LAB) is None


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


def test_the_assistant_mends_before_it_asks_again(laboratory: Database) -> None:
    engine = ScriptedEngine(["SELECT COUNT(*) FROM results WHERE category = 'Chemistry'"])
    answer = Assistant.over(engine, laboratory).ask("How many chemistry results?")
    assert answer.ok
    assert [step.kind for step in answer.steps] == ["draft", "mend"]
    assert len(engine.prompts) == 1
    assert "JOIN determinands" in answer.sql


def test_the_assistant_completes_groups_that_the_database_asks_for(lab_duckdb: str) -> None:
    engine = ScriptedEngine(["SELECT matrix, priority, COUNT(*) FROM samples GROUP BY matrix"])
    with Assistant.over(engine, open_database(lab_duckdb)) as assistant:
        answer = assistant.ask("How many samples by matrix and priority?")
    assert [step.kind for step in answer.steps] == ["draft", "mend"]
    assert answer.result is not None
    assert len(answer.result.rows) > 9


def test_without_repairs_nothing_is_mended(laboratory: Database) -> None:
    engine = ScriptedEngine(["SELECT COUNT(*) FROM results WHERE category = 'Chemistry'"])
    answer = Assistant.over(engine, laboratory, options=Options(repairs=0)).ask("How many chemistry results?")
    assert [step.kind for step in answer.steps] == ["draft"]


def test_no_join_leads_around_a_policy(laboratory: Database) -> None:
    hidden = Policy(tables={"samples": TableRule()})
    engine = ScriptedEngine(["SELECT client_name FROM samples"] * 3)
    answer = Assistant.over(engine, laboratory, policy=hidden).ask("Whose samples?")
    assert not answer.ok
    assert "mend" not in [step.kind for step in answer.steps]
