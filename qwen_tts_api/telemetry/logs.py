"""Logging: one JSON object or one plain line for each event, on standard error.

What an event is about stands in its labels: `request_id`, `segment` (of a long text), `trace_id`.
They are the thread's own, so that every line that is logged meanwhile has them, whoever logs it;
work that goes on in another thread takes them along.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, ContextVar
from types import MappingProxyType
from typing import Any

Labels = Mapping[str, str]

NAMES = ("request_id", "segment", "trace_id")
"""The labels that there are, in the order in which plain lines show them."""

_labels: ContextVar[Labels] = ContextVar("labels", default=MappingProxyType({}))


def labels() -> Labels:
    """Return the labels of what this thread is doing."""
    return _labels.get()


def labels_of(context: Context) -> Labels:
    """Return the labels of what another thread is doing in its context."""
    return context.get(_labels, {})


def begin(**labels: str) -> None:
    """Let these be the labels, and no others, until the thread does something else."""
    _labels.set(labels)


def label(**added: str) -> None:
    """Add labels."""
    _labels.set({**_labels.get(), **added})


@contextmanager
def about(*things: Labels) -> Iterator[None]:
    """Label what is logged inside the block as being about these things, all at once.

    >>> with about({"request_id": "a"}, {"request_id": "b"}):
    ...     labels()
    {'request_id': 'a,b'}
    """
    joined: dict[str, str] = {}
    for name in NAMES:
        if values := dict.fromkeys(thing[name] for thing in things if name in thing):
            joined[name] = ",".join(values)
    token = _labels.set(joined)
    try:
        yield
    finally:
        _labels.reset(token)


class AddLabels(logging.Filter):
    """Gives every record the labels of the thread that logs it, but for those that it has."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add them; nothing is held back."""
        for name, value in _labels.get().items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


class TextFormatter(logging.Formatter):
    """Plain lines that end with their labels."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line, without what `exc_info` adds below it."""
        given = [f"{name}={getattr(record, name)}" for name in NAMES if hasattr(record, name)]
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
        "filters": {"labels": {"()": AddLabels}},
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
                "filters": ["labels"],
            }
        },
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "qwen_tts_api": {"level": level},
            "gunicorn.error": {"level": level, "propagate": True},
        },
    }
