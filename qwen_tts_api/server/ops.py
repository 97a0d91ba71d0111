"""The ops port: probes and metrics, on threads of its own.

It responds while every thread of the main port is busy. Loop and parser are the main port's, with
fewer threads and connections.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from flask import Flask

from qwen_tts_api.config import Config
from qwen_tts_api.server.http.handler import RequestHandler
from qwen_tts_api.server.http.parsing import framing_limits
from qwen_tts_api.server.limits import OPS_CONNECTIONS, LoopLimits
from qwen_tts_api.server.listening import listen
from qwen_tts_api.server.loop import ConnectionLoop

logger = logging.getLogger(__name__)

CLIENT_TIMEOUT_S = 5
"""Timeout for receiving a request, and for sending each part of the response."""
THREADS = 4
MAX_BODY_BYTES = 65_536
STEP_S = 1.0


def start_ops_server(config: Config, app: Flask, cfg: Any) -> None:
    """Serve an application on `config.ops_bind`, in daemon threads of this process.

    Args:
        config: The settings.
        app: Serves probes and metrics.
        cfg: gunicorn's settings.

    Raises:
        ConfigError: The address cannot be listened on.
    """
    listener = listen("QWEN_OPS_BIND", config.ops_bind)
    handler = RequestHandler(app, cfg, CLIENT_TIMEOUT_S)
    limits = LoopLimits(
        threads=THREADS,
        connections=OPS_CONNECTIONS,
        client_timeout_s=CLIENT_TIMEOUT_S,
        keepalive_s=config.keepalive_s,
        framing=framing_limits(cfg, MAX_BODY_BYTES),
    )
    loop = ConnectionLoop(
        "ops", [listener], cfg, limits, handle=handler.handle, send_error=handler.send_error
    )

    def serve() -> None:
        while True:
            try:
                loop.step(STEP_S)
            except Exception:  # of one connection; the probes of all others go on
                logger.exception("a connection of the ops port failed")

    threading.Thread(target=serve, name="ops", daemon=True).start()
    logger.info("probes and metrics on http://%s", config.ops_bind)
