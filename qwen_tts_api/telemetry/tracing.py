"""Traces for OpenTelemetry, where its own environment variables ask for them.

Without them nothing of OpenTelemetry is imported, and a request costs one look at a variable. With
them `telemetry/otel.py` beside this file does the work, from `start` on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from importlib import metadata
from typing import TYPE_CHECKING

from qwen_tts_api.errors import ConfigError

if TYPE_CHECKING:
    from qwen_tts_api.telemetry.otel import OpenTelemetry, Span

Attribute = str | bool | int | float | tuple[str, ...]
Attributes = Mapping[str, Attribute]

PACKAGE = "opentelemetry-exporter-otlp-proto-http"


class Tracer:
    """What makes spans and sends them: begins in `start`, since threads survive no fork."""

    def __init__(self) -> None:
        self._otel: OpenTelemetry | None = None

    def start(self) -> None:
        """Import OpenTelemetry, and start the thread that sends."""
        from qwen_tts_api.telemetry.otel import OpenTelemetry

        self._otel = OpenTelemetry()

    def begin(self, name: str, headers: Mapping[str, str], attributes: Attributes) -> Span | None:
        """Begin a request's span, which goes on with the trace that its headers name, if any."""
        return self._otel.begin(name, headers, attributes) if self._otel else None

    def close(self, timeout_s: float) -> None:
        """Send what was not sent yet, within `timeout_s`."""
        if self._otel is not None:
            self._otel.close(timeout_s)


_current: ContextVar[Span | None] = ContextVar("span", default=None)


def current() -> Span | None:
    """Return the span of the request that this thread works on."""
    return _current.get()


def enter(span: Span | None) -> None:
    """Let a span be the one of the request that this thread works on; None: it is over."""
    _current.set(span)


def tracer_from_env(environ: Mapping[str, str] = os.environ) -> Tracer | None:
    """Return what OpenTelemetry's variables ask for; None if there is nothing to trace.

    They are those of its specification: traces are on where an OTLP endpoint is set, unless
    OTEL_SDK_DISABLED or OTEL_TRACES_EXPORTER says otherwise.

    Raises:
        ConfigError: They ask for what is not here.
    """
    endpoints = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() or "otlp"
    disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if disabled or exporter == "none" or not any(map(environ.get, endpoints)):
        return None
    if exporter != "otlp":
        raise ConfigError(f"OTEL_TRACES_EXPORTER={exporter!r} is not allowed: set otlp or none.")
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if environ.get(name, "http/protobuf") not in ("", "http/protobuf"):
            raise ConfigError(f"{name}={environ[name]!r} is not allowed: set http/protobuf.")
    try:
        metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        raise ConfigError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed: "
            "pip install 'qwen-tts-api[otel]', or set OTEL_SDK_DISABLED=true."
        ) from None
    return Tracer()
