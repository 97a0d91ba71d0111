"""The span of a request, by OpenTelemetry's conventions for HTTP servers.

The query is left out: it may have the text in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from qwen_tts_api.routes.request_log import METHODS, PROBES, RequestRecord
from qwen_tts_api.telemetry import logs, tracing
from qwen_tts_api.telemetry.tracing import Attributes, Tracer

if TYPE_CHECKING:
    from qwen_tts_api.telemetry.otel import Span


def register(app: Flask, tracer: Tracer) -> None:
    """Trace the requests of an application, but for probes."""

    def begin() -> None:
        if request.path in PROBES:
            return
        route = request.url_rule.rule if request.url_rule else ""
        method = request.method if request.method in METHODS else "HTTP"
        span = tracer.begin(f"{method} {route}".strip(), _trace_headers(), _attributes(route))
        if span is not None:
            g.span = span
            tracing.enter(span)
            logs.bind_context(trace_id=span.trace_id)

    def end(response: Response) -> Response:
        span: Span | None = g.pop("span", None)
        if span is not None:
            # When the last byte has been handed over; a stream may have failed by then.
            response.call_on_close(_ending(span, response.status_code, g.record))
        return response

    app.before_request(begin)
    app.after_request(end)


def _ending(span: Span, status: int, record: RequestRecord) -> Callable[[], None]:
    def end() -> None:
        span.set({"http.response.status_code": status})
        span.end(_error(status, record))
        tracing.enter(None)

    return end


def _trace_headers() -> dict[str, str]:
    names = ("traceparent", "tracestate")
    return {name: request.headers[name] for name in names if name in request.headers}


def _attributes(route: str) -> Attributes:
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


def _error(status: int, record: RequestRecord) -> str:
    """Return what the server failed with; what a client did wrong is no error of a server's."""
    failed = status >= 500 or (status < 400 and record.code not in ("", "client_left"))
    return record.code or str(status) if failed else ""
