"""Calls as OpenTelemetry spans, one a call, joined as the calls were.

A span is made when its call has ended, with the times that the call's record has. Its ids follow
from the calls' ids, so that a child may end before its parent and still point to it.
"""

import hashlib
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags

from hubbub import __version__
from hubbub.operations.recording import CallRecord

SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


class _Ids(IdGenerator):
    """The ids of the span that is being made."""

    trace_id = 0
    span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class Traces:
    """A `Recorder` that exports calls."""

    behind = False

    def __init__(self, exporter: SpanExporter) -> None:
        self._ids = _Ids()
        resource = Resource.create({"service.name": "hubbub", "service.version": __version__})
        self._provider = TracerProvider(resource=resource, id_generator=self._ids)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("hubbub.calls", __version__)
        self._trace_of: dict[str, int] = {}  # of calls in flight

    def began(self, call: CallRecord) -> None:
        above = self._trace_of.get(call.parent_id or "")
        self._trace_of[call.id] = above if above is not None else _number(call.id, 16)

    def ended(self, call: CallRecord) -> None:
        trace_id = self._trace_of.pop(call.id)
        self._ids.trace_id, self._ids.span_id = trace_id, _number(call.id, 8)
        context = None
        if call.parent_id is not None:
            above = SpanContext(trace_id, _number(call.parent_id, 8), False, SAMPLED)
            context = trace.set_span_in_context(NonRecordingSpan(above))
        span = self._tracer.start_span(
            call.operation_id,
            context=context,
            kind=trace.SpanKind.SERVER,
            start_time=call.created_ns,
            attributes={
                "hubbub.call.id": call.id,
                "hubbub.call.status": call.status,
                "hubbub.provider": call.provider_id or "",
            },
        )
        if call.error is not None:
            span.set_attribute("error.type", call.error.name)
            span.set_status(Status(StatusCode.ERROR, call.error.message))
        span.end(call.ended_ns)

    def close(self) -> None:
        """Export what is left."""
        self._provider.shutdown()


def exported(endpoint: str) -> Traces:
    """Traces that go to an OTLP collector over HTTP."""
    return Traces(OTLPSpanExporter(endpoint=endpoint))


def _number(call_id: str, size: int) -> int:
    """An id of `size` bytes that follows from a call's, never zero."""
    return int.from_bytes(hashlib.sha256(call_id.encode()).digest()[:size], "big") or 1
