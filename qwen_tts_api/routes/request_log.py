"""An id for every request, and one line in the log when it ends. The text is never logged."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable

from flask import Flask, Response, g, request

from qwen_tts_api.metrics import Metrics

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PROBES = ("/healthz", "/readyz", "/metrics")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def register(app: Flask, metrics: Metrics) -> None:
    """Number, log and count the requests of an application."""

    def end(response: Response) -> Response:
        response.headers[REQUEST_ID_HEADER] = g.request_id
        log = _prepare_log(response)
        # When the last byte has been handed over, which for a stream is long after this.
        response.call_on_close(lambda: log(metrics))
        return response

    app.before_request(_begin)
    app.after_request(end)


def _begin() -> None:
    given = request.headers.get(REQUEST_ID_HEADER, "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    g.began_at = time.perf_counter()


def _prepare_log(response: Response) -> Callable[[Metrics], None]:
    """Return what logs and counts a request when it is over: then it is no longer at hand."""
    began_at: float = g.began_at
    event = {
        "request_id": g.request_id,
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "code": g.get("error_code"),
    }
    # The pattern and not the path, and no invented methods: a client cannot make labels.
    route = request.url_rule.rule if request.url_rule else "none"
    method = request.method if request.method in _METHODS else "other"

    def log(metrics: Metrics) -> None:
        seconds = time.perf_counter() - began_at
        metrics.http_requests.labels(route, method, str(event["status"])).inc()
        metrics.http_seconds.labels(route).observe(seconds)
        event["duration_ms"] = round(1000 * seconds, 1)
        # %r: a path cannot break the line, whatever bytes it has.
        logger.log(
            logging.DEBUG if event["path"] in _PROBES else logging.INFO,
            "%s %r %s in %.1f ms",
            *(event["method"], event["path"], event["status"], event["duration_ms"]),
            extra=event,
        )

    return log
