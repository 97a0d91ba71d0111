"""Logging: one JSON object or one plain line for each event, on standard error."""

from __future__ import annotations

import logging
from typing import Any

from qwen_tts_api.errors import EXIT_CANNOT_START
from qwen_tts_api.telemetry.context import CONTEXT_KEYS, USAGE_FIELDS, current_context


class AddContext(logging.Filter):
    """Add the log context of the current thread to records; a record's own attributes stay."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the context to `record`, and let it pass."""
        for key, value in current_context().items():
            if not hasattr(record, key):
                setattr(record, key, value)
        return True


class WithoutEcho(logging.Filter):
    """Drop what gunicorn's master says of a worker that could not start and has said why."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record of gunicorn's."""
        message = record.getMessage()
        ended = f"exited with code {EXIT_CANNOT_START}."
        return not message.endswith((ended, "App failed to load."))


class TextFormatter(logging.Formatter):
    """Plain lines that end with their log context, and with what a request has used."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line, without what `exc_info` adds below it."""
        keys = (*CONTEXT_KEYS, *USAGE_FIELDS)
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
        "filters": {"context": {"()": AddContext}, "without_echo": {"()": WithoutEcho}},
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
            "gunicorn.error": {"level": level, "propagate": True, "filters": ["without_echo"]},
        },
    }
