"""Logging: one JSON object or one plain line for each event, on standard error."""

from __future__ import annotations

from typing import Any


def logging_config(level: str, log_format: str) -> dict[str, Any]:
    """Return a `logging.config.dictConfig` for the process, gunicorn's own loggers included.

    Args:
        level: `DEBUG`, `INFO`, `WARNING` or `ERROR`.
        log_format: `json` or `text`.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"format": "%(asctime)s %(levelname)-8s %(message)s"},
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "format": "%(levelname)s %(name)s %(message)s",
                "rename_fields": {"levelname": "level", "name": "logger"},
                "timestamp": True,
            },
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": log_format,
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "qwen_tts_api": {"level": level},
            "gunicorn.error": {"level": level, "propagate": True},
        },
    }
