"""An id for every request, and one line in the log when it ends."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, g, request

from qwen_tts_api.telemetry import logs
from qwen_tts_api.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PROBES = ("/healthz", "/readyz", "/metrics")
MAX_TEXT_CHARS = 200
"""How much of a text is logged where texts are."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass
class RequestRecord:
    """What is told of a request when it is over, which for a stream is after Flask's context.

    Attributes:
        began_at: By `time.perf_counter`.
        code: Of the error that it ended with; empty where there was none.
        text: What it asks to say.
    """

    began_at: float = field(default_factory=time.perf_counter)
    code: str = ""
    text: str = field(default="", repr=False)


def register(app: Flask, metrics: Metrics, *, log_text: bool) -> None:
    """Number, log and count the requests of an application; texts are logged only if asked for."""

    def end(response: Response) -> Response:
        response.headers[REQUEST_ID_HEADER] = g.request_id
        log = _prepare_log(response, log_text=log_text)
        # When the last byte has been handed over, which for a stream is long after this.
        response.call_on_close(lambda: log(metrics))
        return response

    app.before_request(_begin)
    app.after_request(end)


def _begin() -> None:
    given = request.headers.get(REQUEST_ID_HEADER, "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    g.record = RequestRecord()
    logs.clear_context()
    logs.bind_context(request_id=g.request_id)


def _prepare_log(response: Response, *, log_text: bool) -> Callable[[Metrics], None]:
    """Return what logs and counts a request when it is over: then it is no longer at hand."""
    record: RequestRecord = g.record
    event: dict[str, Any] = {
        "request_id": g.request_id,
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
    }
    # The pattern and not the path, and no invented methods: a client cannot make labels.
    route = request.url_rule.rule if request.url_rule else "none"
    method = request.method if request.method in METHODS else "other"

    def log(metrics: Metrics) -> None:
        seconds = time.perf_counter() - record.began_at
        metrics.http_requests.labels(route, method, str(event["status"])).inc()
        metrics.http_seconds.labels(route).observe(seconds)
        event["code"] = record.code or None
        event["duration_ms"] = round(1000 * seconds, 1)
        if log_text and record.text:
            event["text"] = _shortened(record.text)
        # %r: a path cannot break the line, whatever bytes it has.
        logger.log(
            logging.DEBUG if event["path"] in PROBES else logging.INFO,
            "%s %r %s in %.1f ms",
            *(event["method"], event["path"], event["status"], event["duration_ms"]),
            extra=event,
        )

    return log


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_TEXT_CHARS else text[: MAX_TEXT_CHARS - 1] + "…"
