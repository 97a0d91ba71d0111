"""Every request of the Wyoming port has an id, a line in the log and a count, as those of HTTP."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qwen_tts_api.errors import ClientLeft, TTSError
from qwen_tts_api.routes.request_log import RequestRecord, shortened
from qwen_tts_api.telemetry import logs
from qwen_tts_api.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)


@contextmanager
def logged(event_type: str, metrics: Metrics, *, log_text: bool) -> Iterator[RequestRecord]:
    """Identify, log and count the request that is answered in the block.

    Args:
        event_type: Of the event that the client asked by.
        metrics: Where it is counted.
        log_text: Whether its text is logged.
    """
    record = RequestRecord()
    request_id = uuid.uuid4().hex
    logs.clear_context()
    logs.bind_context(request_id=request_id)
    try:
        yield record
    except TTSError as error:
        record.code = error.code
        raise
    except OSError:
        record.code = ClientLeft.code
        raise
    except Exception:
        record.code = TTSError.code
        raise
    finally:
        _log(event_type, record, log_text=log_text)
        metrics.wyoming_requests.labels(event_type, record.code or "ok").inc()
        logs.clear_context()


def _log(event_type: str, record: RequestRecord, *, log_text: bool) -> None:
    duration_ms = round(1000 * (time.perf_counter() - record.began_at), 1)
    event: dict[str, Any] = {
        "event": event_type,
        "code": record.code or None,
        "duration_ms": duration_ms,
    }
    if log_text and record.text:
        event["text"] = shortened(record.text)
    outcome = record.code or "ok"
    logger.info("Wyoming %s %s in %.1f ms", event_type, outcome, duration_ms, extra=event)
