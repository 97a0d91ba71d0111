"""Logging: one JSON object or one plain line for each event, on standard error.

The log context says what an event belongs to: `request_id`, `segment` (of a long text), `trace_id`.
It is a contextvar, so every line that the thread logs has it, whoever logs it. Work that continues
in another thread carries its context along. The functions are named as those of
`structlog.contextvars`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, ContextVar
from types import MappingProxyType
from typing import Any

from qwen_tts_api.telemetry import usage

LogContext = Mapping[str, str]

CONTEXT_KEYS = ("request_id", "segment", "trace_id")
"""The keys of a log context, in the order in which plain lines show them."""

_EMPTY: LogContext = MappingProxyType({})
_context: ContextVar[LogContext] = ContextVar("log_context", default=_EMPTY)


def current_context() -> LogContext:
    """Return the log context of the current thread."""
    return _context.get()


def context_of(context: Context) -> LogContext:
    """Return the log context of another thread, whose contextvars are given."""
    return context.get(_context, _EMPTY)


def clear_context() -> None:
    """Remove all keys from the log context, as a new request begins."""
    _context.set(_EMPTY)


def bind_context(**added: str) -> None:
    """Add keys to the log context, until it is cleared."""
    _context.set({**_context.get(), **added})


@contextmanager
def bound_context(*contexts: LogContext) -> Iterator[None]:
    """Replace the log context inside the block by the given ones, all of them joined.

    A batch belongs to several requests at once:

    >>> with bound_context({"request_id": "a"}, {"request_id": "b"}):
    ...     current_context()
    {'request_id': 'a,b'}
    """
    joined: dict[str, str] = {}
    for key in CONTEXT_KEYS:
        if values := dict.fromkeys(context[key] for context in contexts if key in context):
            joined[key] = ",".join(values)
    token = _context.set(joined)
    try:
        yield
    finally:
        _context.reset(token)


class AddContext(logging.Filter):
    """Add the log context of the current thread to records; a record's own attributes stay."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the context to `record`, and let it pass."""
        for key, value in _context.get().items():
            if not hasattr(record, key):
                setattr(record, key, value)
        return True


class TextFormatter(logging.Formatter):
    """Plain lines that end with their log context, and with what a request has used."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line, without what `exc_info` adds below it."""
        keys = (*CONTEXT_KEYS, *usage.FIELDS)
        given = [f"{key}={getattr(record, key)}" for key in keys if hasattr(record, key)]
        if hasattr(record, "text"):
            given.append(f"text={record.text!r}")  # escaped: a text cannot break the line
        line = super().formatMessage(record)
        return f"{line} [{' '.join(given)}]" if given else line


def logging_config(level: str, log_format: str) -> dict[str, Any]:
    """Return a `logging.config.dictConfig` for the process, gunicorn's own loggers included.

    Args:
        level: `DEBUG`, `INFO`, `WARNING` or `ERROR`.
        log_format: `json` or `text`.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"context": {"()": AddContext}},
        "formatters": {
            "text": {"()": TextFormatter, "format": "%(asctime)s %(levelname)-8s %(message)s"},
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "format": "%(levelname)s %(name)s %(message)s",
                "rename_fields": {"levelname": "level", "name": "logger"},
                "timestamp": True,
            },
        },
        "handlers": {
            "stderr": {
                "class": "qwen_tts_api.telemetry.log_stream.NonBlockingHandler",
                "formatter": log_format,
                "filters": ["context"],
            }
        },
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "qwen_tts_api": {"level": level},
            "gunicorn.error": {"level": level, "propagate": True},
        },
    }
