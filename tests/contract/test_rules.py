"""What the schema lets happen: deletes, values, duplicates, on both databases."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from hubbub.storage.types import Json
from hubbub.tables import catalog, mcpservers, metadata, orchestration, projects, tasks

from . import ddl, document
from .document import Row
from .stories import story, within

_numbers = itertools.count()
_ENUMS = {
    (row["table"], row["column"]): [value.strip("'") for value in row.names("values")]
    for row in document.of_kind("K")
    if "values" in row.cells
}


def make(tx: Connection, table: Table, **given: object) -> object:
    """A row with whatever the table asks for, and its id where it has one."""
    values = {
        column.name: _value(tx, column)
        for column in table.columns
        if not column.nullable and column.server_default is None and column.name not in given
    }
    values |= _sense(table) | given
    tx.execute(insert(table).values(values))
    return values.get("id")


def _sense(table: Table) -> dict[str, object]:
    """What the CHECKs over several columns ask for."""
    address = f"https://example.org/{next(_numbers)}"
    match table.name:
        case "mcpservers_registry":
            return {"remote": True, "url": address}
        case "mcpservers_workload":
            return {"remote": True, "url": address, "description": "Reads files"}
        case "tools_registry" | "tools_workload":
            return {"details": {"name": "read"}}
        case _:
            return {}


def _value(tx: Connection, column: Column[Any]) -> object:
    for key in column.foreign_keys:
        return make(tx, key.column.table)
    if isinstance(column.type, Json):
        return {}
    if column.type.python_type is bool:
        return True
    if column.type.python_type is int:
        return next(_numbers) if (column.table.name, column.name) not in _ENUMS else 0
    return _ENUMS.get((column.table.name, column.name), [f"{column.name}-{next(_numbers)}"])[0]


@pytest.mark.parametrize("key", ddl.enforced_keys(), ids=lambda row: row.id)
def test_a_delete_does_what_the_contract_says_of_the_relationship(migrated: str, key: Row):
    child = metadata.tables[key["table"]]
    parent = metadata.tables[key["references"].split(".")[0]]

    def delete_the_parent(tx: Connection) -> object:
        to = make(tx, parent)
        id = make(tx, child, **{key["column"]: to})
        try:
            tx.execute(parent.delete().where(parent.c.id == to))
        except IntegrityError:
            return "RESTRICT"
        left = tx.execute(select(child.c[key["column"]]).where(child.c.id == id)).one_or_none()
        return "CASCADE" if left is None else {to: "nothing", None: "SET NULL"}[left[0]]

    assert within(migrated, delete_the_parent) == key["on delete"]


@pytest.mark.parametrize(("table", "column"), _ENUMS)
def test_an_enum_holds_nothing_but_its_values(migrated: str, table: str, column: str):
    of = metadata.tables[table]
    number = of.c[column].type.python_type is int
    values = [int(value) if number else value for value in _ENUMS[table, column]]

    def holds(tx: Connection, value: object) -> bool:
        try:
            with tx.begin_nested():
                make(tx, of, **{column: value})
        except IntegrityError as e:
            assert f"ck_{table}_{column}" in str(e)
            return False
        return True

    def try_all(tx: Connection) -> list[bool]:
        return [holds(tx, value) for value in [*values, 7 if number else "nonsense"]]

    assert within(migrated, try_all) == [*[True] * len(values), False]


@story
def test_call_records_are_given_to_the_removed_operation_before_a_definition_goes(tx):
    operations, nodes = catalog.operations, metadata.tables["call_graph_nodes"]
    gone = make(tx, operations)
    record = make(tx, nodes, operation_id=gone)
    with pytest.raises(IntegrityError), tx.begin_nested():
        tx.execute(operations.delete().where(operations.c.id == gone))
    tx.execute(update(nodes).where(nodes.c.operation_id == gone).values(operation_id="__removed__"))
    tx.execute(operations.delete().where(operations.c.id == gone))
    assert tx.scalars(select(nodes.c.operation_id).where(nodes.c.id == record)).all() == [
        "__removed__"
    ]


@story
def test_the_removed_operation_is_there_from_the_start(tx):
    operations = catalog.operations
    row = tx.execute(select(operations).where(operations.c.id == "__removed__")).one()
    assert (row.namespace, row.name, row.type) == ("system", "removed", "query")
    assert (row.input_schema, row.output_schema, row.access_control) == ({}, {}, {})


@story
def test_a_provider_offers_an_operation_actively_only_once(tx):
    offer = {
        "operation_id": make(tx, catalog.operations),
        "provider_type": "spoke",
        "provider_id": "dev",
    }
    registrations = catalog.operation_registrations
    make(tx, registrations, **offer)
    make(tx, registrations, **offer, status="inactive")
    make(tx, registrations, **offer, status="inactive")
    with pytest.raises(IntegrityError), tx.begin_nested():
        make(tx, registrations, **offer)
    make(tx, registrations, **offer | {"provider_id": "other"})


@story
def test_a_registry_server_is_known_once_by_what_identifies_it(tx):
    registry = mcpservers.mcpservers_registry
    remote = {"remote": True, "url": "https://a.example"}
    container = {"remote": False, "url": None, "package": "a/b"}
    make(tx, registry, **remote)
    make(tx, registry, **container)
    with pytest.raises(IntegrityError), tx.begin_nested():
        make(tx, registry, **remote)
    with pytest.raises(IntegrityError), tx.begin_nested():
        make(tx, registry, **container)
    # A container may be reached where another server is.
    make(tx, registry, **container | {"package": "a/c", "url": "https://a.example"})


@pytest.mark.parametrize("missing", [{"url": None}, {"remote": False, "package": None}])
@pytest.mark.parametrize("table", ["mcpservers_registry", "mcpservers_workload"])
def test_a_server_has_what_it_is_known_by(migrated: str, table: str, missing: dict[str, object]):
    def make_without(tx: Connection) -> None:
        with pytest.raises(IntegrityError), tx.begin_nested():
            make(tx, metadata.tables[table], **missing)

    within(migrated, make_without)


@story
def test_a_registry_server_goes_only_when_its_workloads_can_speak_for_themselves(tx):
    registry, workloads = mcpservers.mcpservers_registry, mcpservers.mcpservers_workload
    server = make(tx, registry)
    workload = make(tx, workloads, registry_server_id=server, description=None)
    with pytest.raises(IntegrityError), tx.begin_nested():
        tx.execute(registry.delete().where(registry.c.id == server))
    tx.execute(workloads.update().values(description="Reads files"))
    tx.execute(registry.delete().where(registry.c.id == server))
    assert tx.execute(select(workloads.c.id, workloads.c.registry_server_id)).all() == [
        (workload, None)
    ]


@story
def test_a_tool_is_named_by_its_details_and_once_in_its_server(tx):
    tools = mcpservers.tools_workload
    server = make(tx, mcpservers.mcpservers_workload)
    id = make(tx, tools, mcpserver_id=server, details={"name": "read", "description": "x"})
    make(tx, tools, details={"name": "read"})
    with pytest.raises(IntegrityError), tx.begin_nested():
        make(tx, tools, mcpserver_id=server, details={"name": "read", "description": "y"})
    with pytest.raises(IntegrityError), tx.begin_nested():
        make(tx, tools, mcpserver_id=server, details={"description": "without a name"})
    tx.execute(tools.update().where(tools.c.id == id).values(details={"name": "write"}))
    assert tx.scalars(select(tools.c.name).where(tools.c.id == id)).all() == ["write"]


@story
def test_a_task_does_not_wait_for_itself(tx):
    task = make(tx, tasks.tasks)
    with pytest.raises(IntegrityError), tx.begin_nested():
        make(tx, tasks.task_dependencies, depends_on_task_id=task, dependent_task_id=task)


@story
def test_two_events_do_not_take_the_same_place_in_a_stream(tx):
    events = orchestration.orchestration_events
    event = {
        "aggregate_kind": "thread",
        "stream_id": "t",
        "stream_version": 0,
        "event_type": "thread.created",
        "occurred_at": "2026-11-20T23:39:23.123Z",
        "actor_kind": "client",
        "payload_json": "{}",
        "metadata_json": "{}",
    }
    tx.execute(insert(events).values(event | {"sequence": 1, "event_id": "a"}))
    with pytest.raises(IntegrityError), tx.begin_nested():
        tx.execute(insert(events).values(event | {"sequence": 2, "event_id": "b"}))
    # Given no number, SQLite counts; PostgreSQL wants the writer to.
    uncounted = insert(events).values(
        event | {"sequence": None, "event_id": "c", "stream_version": 1}
    )
    if tx.dialect.name == "sqlite":
        tx.execute(uncounted)
        assert tx.scalars(select(events.c.sequence).order_by(events.c.sequence)).all() == [1, 2]
    else:
        with pytest.raises(IntegrityError), tx.begin_nested():
            tx.execute(uncounted)


@story
def test_an_update_says_when_it_was(tx):
    table = projects.projects
    id = make(tx, table, updated_at=datetime(2026, 1, 1, tzinfo=UTC))
    tx.execute(table.update().where(table.c.id == id).values(name="renamed"))
    row = tx.execute(select(table).where(table.c.id == id)).one()
    assert row.updated_at >= row.created_at > datetime(2026, 1, 1, tzinfo=UTC)
