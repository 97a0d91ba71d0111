"""Spans in OpenTelemetry's SDK, sent by OTLP over HTTP. Imported only where traces are asked for.

Its variables (endpoint, headers, sampler, batches, resource) are read by the SDK itself.
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
    """A provider of our own: libraries that have one find none of ours in their way."""

    def __init__(self) -> None:
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("qwen_tts_api", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, name: str, headers: Mapping[str, str], attributes: Attributes) -> Span:
        """Begin a request's span, which goes on with the trace that its headers name, if any."""
        context = self._propagator.extract(headers)
        span = self._tracer.start_span(name, context, trace.SpanKind.SERVER, attributes)
        return Span(self._tracer, span)

    def close(self, timeout_s: float) -> None:
        """Send what was not sent yet; the SDK itself waits for a collector as long as it takes."""
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(timeout_s)


class Span:
    """A request on its way through the server.

    Attributes:
        trace_id: In hexadecimal digits, for the log.
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
        """Add a stage that is over.

        Args:
            name: The stage's.
            began_at: By `time.monotonic`, as are the others.
            ended_at: When it did.
            attributes: Of the stage.
            events: What happened in it, and when.
            error: What it failed with.
        """
        parent = trace.set_span_in_context(self._span)
        start = _to_ns(began_at)
        span = self._tracer.start_span(name, parent, attributes=attributes, start_time=start)
        for event, happened_at in events.items():
            span.add_event(event, timestamp=_to_ns(happened_at))
        _end(span, error, _to_ns(ended_at))

    def end(self, error: str = "") -> None:
        """End it, with what it failed with."""
        _end(self._span, error, time.time_ns())


def _end(span: trace.Span, error: str, at_ns: int) -> None:
    if error:
        span.set_attribute("error.type", error)
        span.set_status(trace.StatusCode.ERROR)
    span.end(at_ns)


def _resource() -> Resource:
    """Return what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say, with a name in any case."""
    resource = Resource.create()
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": SERVICE_NAME}))
    return Resource({"service.version": __version__}).merge(resource)


def _to_ns(at: float) -> int:
    """Return an instant of `time.monotonic` as the time of day in ns."""
    return time.time_ns() - round(1e9 * (time.monotonic() - at))
