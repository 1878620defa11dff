"""Calls as spans."""

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hubbub.interfaces.traces import Traces
from hubbub.kernel.errors import NotFound
from hubbub.operations.context import Caller
from hubbub.operations.recording import CallRecord


@pytest.fixture
def spans():
    exporter = InMemorySpanExporter()
    traces = Traces(exporter)

    def finished():
        traces.close()
        return {span.name: span for span in exporter.get_finished_spans()}

    return traces, finished


def record(id, operation, parent=None):
    return CallRecord(
        id=id,
        operation_id=operation,
        operation_row="row",
        caller=Caller(),
        parent_id=parent,
        input=b"{}",
        sensitive=False,
        created_ns=1_000,
    )


def ended(call, status="completed", error=None):
    call.status, call.error, call.ended_ns = status, error, 5_000
    return call


def test_a_child_points_to_its_parent_though_it_ended_first(spans):
    traces, finished = spans
    parent, child = record("a", "demo.parent"), record("b", "demo.child", parent="a")
    traces.began(parent)
    traces.began(child)
    traces.ended(ended(child))
    traces.ended(ended(parent))
    found = finished()
    assert found["demo.child"].parent.span_id == found["demo.parent"].context.span_id
    assert found["demo.child"].context.trace_id == found["demo.parent"].context.trace_id
    assert (found["demo.child"].start_time, found["demo.child"].end_time) == (1_000, 5_000)


def test_calls_that_have_nothing_to_do_with_each_other_are_two_traces(spans):
    traces, finished = spans
    for id in ("a", "b"):
        call = record(id, f"demo.{id}")
        traces.began(call)
        traces.ended(ended(call))
    found = finished()
    assert found["demo.a"].context.trace_id != found["demo.b"].context.trace_id


def test_a_failure_is_on_its_span(spans):
    traces, finished = spans
    call = record("a", "demo.fails")
    traces.began(call)
    traces.ended(ended(call, "failed", NotFound("no such thing")))
    span = finished()["demo.fails"]
    assert (span.attributes["error.type"], span.status.description) == (
        "NOT_FOUND",
        "no such thing",
    )
