"""OpenTelemetry spans, exported by OTLP over HTTP. Imported only if traces are enabled.

The SDK itself reads its environment variables (endpoint, headers, sampler, batches, resource).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from qwen_tts_api import __version__
from qwen_tts_api.telemetry.tracing import Attributes

SERVICE_NAME = "qwen-tts-api"


class OpenTelemetry:
    """A tracer provider of its own, not the global one, which libraries may set."""

    def __init__(self) -> None:
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("qwen_tts_api", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, name: str, headers: Mapping[str, str], attributes: Attributes) -> Span:
        """Start a server span; it continues the trace of the headers (`traceparent`), if any."""
        context = self._propagator.extract(headers)
        span = self._tracer.start_span(name, context, trace.SpanKind.SERVER, attributes)
        return Span(self._tracer, span)

    def close(self, timeout_s: float) -> None:
        """Export the pending spans within `timeout_s`; the SDK's own shutdown may hang."""
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(timeout_s)


class Span:
    """The server span of a request.

    Attributes:
        trace_id: Hexadecimal, for the log.
    """

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span
        self.trace_id = trace.format_trace_id(span.get_span_context().trace_id)

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""
        self._span.set_attributes(attributes)

    def child(
        self,
        name: str,
        began_at: float,
        ended_at: float,
        attributes: Attributes,
        *,
        events: Mapping[str, float],
        error: str = "",
    ) -> None:
        """Add a child span that has ended.

        Args:
            name: Of the stage.
            began_at: By `time.monotonic`, as all times here.
            ended_at: When it ended.
            attributes: Of the span.
            events: Times by name.
            error: Error code; empty if it succeeded.
        """
        parent = trace.set_span_in_context(self._span)
        start = _to_ns(began_at)
        span = self._tracer.start_span(name, parent, attributes=attributes, start_time=start)
        for event, happened_at in events.items():
            span.add_event(event, timestamp=_to_ns(happened_at))
        _end(span, error, _to_ns(ended_at))

    def end(self, error: str = "") -> None:
        """End the span, with an error code if it failed."""
        _end(self._span, error, time.time_ns())


def _end(span: trace.Span, error: str, at_ns: int) -> None:
    if error:
        span.set_attribute("error.type", error)
        span.set_status(trace.StatusCode.ERROR)
    span.end(at_ns)


def _resource() -> Resource:
    """Return the resource of OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, named by default."""
    resource = Resource.create()
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": SERVICE_NAME}))
    return Resource({"service.version": __version__}).merge(resource)


def _to_ns(at: float) -> int:
    """Convert a time of `time.monotonic` to Unix time in ns."""
    return time.time_ns() - round(1e9 * (time.monotonic() - at))
