"""OpenTelemetry traces, enabled by OpenTelemetry's own environment variables.

If they are disabled, OpenTelemetry is not imported. If they are enabled, `telemetry/otel.py` is
imported by `Tracer.start`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING

from qwen_tts_api.errors import ConfigError

if TYPE_CHECKING:
    from qwen_tts_api.telemetry.otel import OpenTelemetry, Span

Attribute = str | bool | int | float | tuple[str, ...]
Attributes = Mapping[str, Attribute]

PACKAGE = "opentelemetry-exporter-otlp-proto-http"


class Tracer:
    """Starts and exports spans. `start` is called after the fork: the exporter has a thread."""

    def __init__(self) -> None:
        self._otel: OpenTelemetry | None = None

    def start(self) -> None:
        """Import OpenTelemetry and start the exporter's thread."""
        from qwen_tts_api.telemetry.otel import OpenTelemetry

        self._otel = OpenTelemetry()

    def begin(self, name: str, headers: Mapping[str, str], attributes: Attributes) -> Span | None:
        """Start a server span; it continues the trace of the headers (`traceparent`), if any."""
        return self._otel.begin(name, headers, attributes) if self._otel else None

    def close(self, timeout_s: float) -> None:
        """Export the pending spans within `timeout_s`."""
        if self._otel is not None:
            self._otel.close(timeout_s)


def tracer_from_env(environ: Mapping[str, str] = os.environ) -> Tracer | None:
    """Return a tracer if OpenTelemetry's variables enable traces, else None.

    Traces are enabled by an OTLP endpoint, unless OTEL_SDK_DISABLED or OTEL_TRACES_EXPORTER
    disables them.

    Raises:
        ConfigError: A variable asks for an exporter, a protocol or a package that is not there.
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
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set, but {PACKAGE} is not installed: install it (make "
            "setup does), or set OTEL_SDK_DISABLED=true."
        ) from None
    return Tracer()
