"""docs/contract.md and the live schema say the same, on both databases, both ways."""

from collections import Counter

import pytest
from sqlalchemy import Connection

from hubbub.storage import migrate
from hubbub.storage.migrations import HEAD
from hubbub.tables import metadata

from . import catalog, ddl, document
from .conftest import NewDatabase
from .stories import within


@pytest.fixture(scope="module")
def live(migrated: str) -> set[str]:
    return within(migrated, catalog.facts)


@pytest.fixture(scope="module")
def written(new_database: NewDatabase) -> set[str]:
    """What the contract means, told by a database that was made from it."""

    def make(connection: Connection) -> set[str]:
        for statement in ddl.statements(connection.dialect.name):
            connection.exec_driver_sql(statement)
        return catalog.facts(connection)

    return within(new_database(), make)


def test_nothing_in_the_contract_is_missing_from_the_database(written, live):
    assert sorted(written - live) == []


def test_nothing_is_in_the_database_that_the_contract_does_not_name(written, live):
    assert sorted(live - written) == []


def test_a_migration_from_nothing_equals_the_declared_tables(live, new_database):
    def make(connection: Connection) -> set[str]:
        metadata.create_all(connection)
        return catalog.facts(connection)

    assert sorted(live ^ within(new_database(), make)) == []


@pytest.mark.parametrize(
    "drift",
    [
        "CREATE TABLE extra (id TEXT)",
        "CREATE VIEW extra AS SELECT 1",
        "ALTER TABLE accounts ADD COLUMN extra TEXT",
        "ALTER TABLE accounts DROP COLUMN metadata",
        "ALTER TABLE accounts ADD COLUMN extra TEXT CHECK (extra IN ('a', 'b'))",
        "ALTER TABLE accounts ADD COLUMN extra TEXT REFERENCES accounts (id)",
        "ALTER TABLE accounts RENAME COLUMN email TO mail",
        "CREATE INDEX extra ON accounts (status)",
        "DROP INDEX idx_tasks_path",
        "DROP TABLE projection_state",
    ],
)
def test_a_difference_of_any_kind_is_seen(migrated, live, drift):
    """Guards the tests above against a catalog that does not look."""

    def change(connection: Connection) -> set[str]:
        connection.exec_driver_sql(drift)
        return catalog.facts(connection)

    assert within(migrated, change) != live


def test_a_comparison_that_sees_everything_was_made(live):
    kinds = Counter(fact.split()[0] for fact in live)
    assert kinds["table"] == len(document.of_kind("T")) - 1
    assert kinds["column"] == len(document.of_kind("C"))
    text = "\n".join(live)
    missing = [row["index"] for row in document.of_kind("I") if row["index"] not in text]
    missing += [row["check"] for row in document.of_kind("K") if row["check"] not in text]
    assert missing == []


def test_the_bookkeeping_of_migrations_is_the_only_table_outside_the_comparison(migrated):
    named = {row["table"] for row in document.of_kind("T")}
    assert named - within(migrated, catalog.tables) == {ddl.BOOKKEEPING}


def test_the_newest_revision_is_the_one_that_a_start_up_compares_with(migrated):
    assert migrate.current(migrated) == HEAD


def test_relationships_that_only_the_application_keeps_have_no_foreign_key(live):
    rows = [row for row in document.of_kind("F") if row not in ddl.enforced_keys()]
    assert [(row["table"], row["column"]) for row in rows] == [
        ("operations", "*"),
        ("operation_registrations", "provider_id"),
    ]
    references = [fact for fact in live if "foreign key" in fact.lower()]
    assert [fact for fact in references if fact.split()[1].startswith("operations.")] == []
    assert [fact for fact in references if "provider_id" in fact] == []
    assert len([f for f in references if f.startswith(("foreign", "constraint"))]) == 41


def test_every_requirement_has_a_row():
    counts = Counter(row.id.rstrip("0123456789").rstrip("-") for row in document.rows())
    orchestration = sum(counts[kind] for kind in ("W", "E", "P", "R"))
    assert (counts["W"], counts["E"], counts["P"], counts["R"]) == (4, 4, 11, 7)
    assert orchestration == 26
    assert (counts["A"], counts["FR"], counts["SC"], counts["V"]) == (4, 30, 13, 26)
    assert counts["F"] >= 39
    assert counts["I"] >= 88


def test_every_row_is_whole_and_has_an_id_of_its_own():
    rows = document.rows()
    assert [id for id, count in Counter(row.id for row in rows).items() if count > 1] == []
    may_be_empty = {"default", "key", "predicate"}
    assert [
        (row.id, column)
        for row in rows
        for column, cell in row.cells.items()
        if not cell and column not in may_be_empty
    ] == []


def test_every_row_is_either_required_or_implemented():
    """Readings are choices, not requirements, and have no status."""
    rows = [row for row in document.rows() if not row.id.startswith("Q-")]
    assert {row["status"] for row in rows} == {"required", "implemented"}
    schema = [row for kind in "TCFIK" for row in document.of_kind(kind)]
    assert {row["status"] for row in schema} == {"implemented"}


def test_every_reading_that_a_row_refers_to_is_written_down():
    text = document.PATH.read_text()
    readings = {row.id for row in document.of_kind("Q")}
    referred = {word.strip("().,") for word in text.split() if word.strip("(.,").startswith("Q-")}
    assert referred - readings == set()
