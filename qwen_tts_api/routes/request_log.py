"""An id for every request, and one line in the log when it ends. The text is never logged."""

from __future__ import annotations

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PROBES = ("/healthz", "/readyz")


def register(app: Flask) -> None:
    """Number and log the requests of an application."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    given = request.headers.get(REQUEST_ID_HEADER, "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    g.began_at = time.perf_counter()


def _end(response: Response) -> Response:
    response.headers[REQUEST_ID_HEADER] = g.request_id
    level = logging.DEBUG if request.path in _PROBES else logging.INFO
    extra = {
        "request_id": g.request_id,
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "code": g.get("error_code"),
        "duration_ms": round(1000 * (time.perf_counter() - g.began_at), 1),
        "bytes": response.calculate_content_length(),
    }
    # %r: a path cannot break the line, whatever bytes it has.
    logger.log(
        level,
        "%s %r %s in %.1f ms",
        *(request.method, request.path, response.status_code, extra["duration_ms"]),
        extra=extra,
    )
    return response
