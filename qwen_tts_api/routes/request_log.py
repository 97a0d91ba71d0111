"""An id for every request, and one line in the log when it ends. The text is never logged."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import Any

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
    began_at: float = g.began_at
    event = {
        "request_id": g.request_id,
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "code": g.get("error_code"),
    }
    # When the last byte has been handed over, which for a stream is long after this.
    response.call_on_close(lambda: _log(event, began_at))
    return response


def _log(event: dict[str, Any], began_at: float) -> None:
    event["duration_ms"] = round(1000 * (time.perf_counter() - began_at), 1)
    # %r: a path cannot break the line, whatever bytes it has.
    logger.log(
        logging.DEBUG if event["path"] in _PROBES else logging.INFO,
        "%s %r %s in %.1f ms",
        *(event["method"], event["path"], event["status"], event["duration_ms"]),
        extra=event,
    )
