"""Every request has an id, a line in the log, metrics and, where it is traced, a span.

The span follows OpenTelemetry's conventions for HTTP servers, but without the query: it may have
the text in it.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request

from qwen_tts_api.telemetry import context
from qwen_tts_api.telemetry.context import Usage
from qwen_tts_api.telemetry.metrics import Metrics
from qwen_tts_api.telemetry.tracing import Attributes, Tracer

if TYPE_CHECKING:
    from qwen_tts_api.telemetry.otel import Span

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PROBES = ("/healthz", "/readyz", "/metrics")
MAX_TEXT_CHARS = 200
"""The length of logged texts."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass
class RequestRecord:
    """What is logged of a request when it is over, which for a stream is after Flask's context.

    Attributes:
        began_at: By `time.perf_counter`.
        code: Of the error that it ended with; empty where there was none.
        text: The text to speak.
        usage: What was spoken, and for which key.
        details: More fields of the line, of one route alone.
    """

    began_at: float = field(default_factory=time.perf_counter)
    code: str = ""
    text: str = field(default="", repr=False)
    usage: Usage = field(default_factory=Usage)
    details: dict[str, int] = field(default_factory=dict)


def register(app: Flask, metrics: Metrics, *, log_text: bool) -> None:
    """Identify, log and count the requests of an application, with their texts if `log_text`."""

    def end(response: Response) -> Response:
        response.headers[REQUEST_ID_HEADER] = request_id = g.request_id
        log = _prepare_log(response, request_id, log_text=log_text)
        # When the last byte has been handed over, which for a stream is long after this.
        response.call_on_close(lambda: log(metrics))
        return response

    app.before_request(_start)
    app.after_request(end)


def register_tracing(app: Flask, tracer: Tracer) -> None:
    """Trace the requests of an application, but for probes."""

    def start() -> None:
        if request.path in PROBES:
            return
        route = request.url_rule.rule if request.url_rule else ""
        method = request.method if request.method in METHODS else "HTTP"
        span = tracer.begin(f"{method} {route}".strip(), _trace_headers(), _span_attributes(route))
        if span is not None:
            g.span = span
            context.enter_span(span)

    def end(response: Response) -> Response:
        span: Span | None = g.pop("span", None)
        if span is not None:
            # When the last byte has been handed over; a stream may have failed by then.
            response.call_on_close(_prepare_end(span, response.status_code, g.record))
        return response

    app.before_request(start)
    app.after_request(end)


def _start() -> None:
    given = request.headers.get(REQUEST_ID_HEADER, "")
    # Not a secret. The system's random numbers take a call of the system, in which others run.
    request_id = given if _REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"
    record = RequestRecord()
    g.request_id, g.record = request_id, record
    context.begin(request_id, record.usage)


def _prepare_log(
    response: Response, request_id: str, *, log_text: bool
) -> Callable[[Metrics], None]:
    """Return a function that logs and counts the request at its end, without Flask's context."""
    record: RequestRecord = g.record
    rule, method = request.url_rule, request.method
    event: dict[str, Any] = {
        "request_id": request_id,
        "method": method,
        "path": request.path,
        "status": response.status_code,
    }
    # The pattern and not the path, and no invented methods: a client cannot make labels.
    route = rule.rule if rule else "none"
    counted_method = method if method in METHODS else "other"

    def log(metrics: Metrics) -> None:
        seconds = time.perf_counter() - record.began_at
        metrics.http_requests.labels(route, counted_method, str(event["status"])).inc()
        metrics.http_seconds.labels(route).observe(seconds)
        event["code"] = record.code or None
        event["duration_ms"] = round(1000 * seconds, 1)
        event.update(record.usage.fields() | record.details)
        if log_text and record.text:
            event["text"] = shortened(record.text)
        # %r: a path cannot break the line, whatever bytes it has.
        logger.log(
            logging.DEBUG if event["path"] in PROBES else logging.INFO,
            "%s %r %s in %.1f ms",
            *(event["method"], event["path"], event["status"], event["duration_ms"]),
            extra=event,
        )

    return log


def shortened(text: str) -> str:
    """Return the beginning of a text, as it is logged."""
    return text if len(text) <= MAX_TEXT_CHARS else text[: MAX_TEXT_CHARS - 1] + "…"


def _prepare_end(span: Span, status: int, record: RequestRecord) -> Callable[[], None]:
    def end() -> None:
        span.set({"http.response.status_code": status})
        span.end(_span_error(status, record))
        context.leave_span()

    return end


def _trace_headers() -> dict[str, str]:
    names = ("traceparent", "tracestate")
    return {name: request.headers[name] for name in names if name in request.headers}


def _span_attributes(route: str) -> Attributes:
    host, _, port = request.host.rpartition(":")
    attributes: dict[str, str | int | None] = {
        "http.request.method": request.method if request.method in METHODS else "_OTHER",
        "http.route": route,
        "url.scheme": request.scheme,
        "url.path": request.path,
        "server.address": host or request.host,
        "server.port": int(port) if port.isdecimal() else None,
        "client.address": request.remote_addr,
        "network.protocol.version": request.environ.get("SERVER_PROTOCOL", "").partition("/")[2],
        "user_agent.original": request.user_agent.string,
        "qwen_tts.request_id": g.request_id,
    }
    return {name: value for name, value in attributes.items() if value not in (None, "")}


def _span_error(status: int, record: RequestRecord) -> str:
    """Return what the server failed with; what a client did wrong is no error of a server's."""
    failed = status >= 500 or (status < 400 and record.code not in ("", "client_left"))
    return record.code or str(status) if failed else ""
