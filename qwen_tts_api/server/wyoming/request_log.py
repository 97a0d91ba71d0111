"""Requests of the Wyoming port have an id, a line in the log, a count and a span, as by HTTP."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qwen_tts_api.errors import ClientLeft, TTSError
from qwen_tts_api.routes.request_log import RequestRecord, shortened
from qwen_tts_api.service.speech import SpeechService
from qwen_tts_api.telemetry import context
from qwen_tts_api.telemetry.tracing import Tracer

if TYPE_CHECKING:
    from qwen_tts_api.telemetry.otel import Span

logger = logging.getLogger(__name__)


@contextmanager
def logged(event_type: str, service: SpeechService, *, log_text: bool) -> Iterator[RequestRecord]:
    """Identify, log, count and trace the request that is answered in the block.

    Args:
        event_type: Of the event that the client asked by.
        service: Has the metrics and the tracer.
        log_text: Whether its text is logged.
    """
    record, failed = RequestRecord(), False
    request_id = uuid.uuid4().hex
    context.begin(request_id, record.usage)
    span = _begin_span(event_type, request_id, service.tracer)
    try:
        yield record
    except TTSError as error:
        record.code, failed = error.code, error.status >= 500
        raise
    except OSError:
        record.code = ClientLeft.code
        raise
    except Exception:
        record.code, failed = TTSError.code, True
        raise
    finally:
        _log(event_type, record, log_text=log_text)
        service.metrics.wyoming_requests.labels(event_type, record.code or "ok").inc()
        if span is not None:
            span.end(record.code if failed else "")
        context.end()


def _begin_span(event_type: str, request_id: str, tracer: Tracer | None) -> Span | None:
    """Begin the span of a request, if requests are traced."""
    if tracer is None:
        return None
    span = tracer.begin(f"Wyoming {event_type}", {}, {"qwen_tts.request_id": request_id})
    if span is not None:
        context.enter_span(span)
    return span


def _log(event_type: str, record: RequestRecord, *, log_text: bool) -> None:
    duration_ms = round(1000 * (time.perf_counter() - record.began_at), 1)
    event: dict[str, Any] = {
        "event": event_type,
        "code": record.code or None,
        "duration_ms": duration_ms,
        **record.usage.fields(),
    }
    if log_text and record.text:
        event["text"] = shortened(record.text)
    outcome = record.code or "ok"
    logger.info("Wyoming %s %s in %.1f ms", event_type, outcome, duration_ms, extra=event)
