"""A second port on threads of its own, for those who watch the process: probes and metrics.

It answers while every thread of the main port is busy. It is served as the main port is: by the
same loop and parser, with fewer threads and connections.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from flask import Flask

from qwen_tts_api.config import Config
from qwen_tts_api.server.descriptors import OPS_CONNECTIONS
from qwen_tts_api.server.http.answering import RequestAnswerer
from qwen_tts_api.server.http.parsing import framing_limits
from qwen_tts_api.server.limits import LoopLimits
from qwen_tts_api.server.listening import listen
from qwen_tts_api.server.loop import ConnectionLoop

logger = logging.getLogger(__name__)

CLIENT_TIMEOUT_S = 5
"""How long a client may take to send its request, or to take the answer."""
THREADS = 4
MAX_BODY_BYTES = 65_536
STEP_S = 1.0


def start_ops_server(config: Config, app: Flask, cfg: Any) -> None:
    """Serve `app` at `config.ops_bind` from threads of this process, until it ends.

    Args:
        cfg: gunicorn's settings.

    Raises:
        ConfigError: The address cannot be listened on.
    """
    listener = listen("QWEN_OPS_BIND", config.ops_bind)
    answerer = RequestAnswerer(app, cfg, CLIENT_TIMEOUT_S)
    limits = LoopLimits(
        threads=THREADS,
        connections=OPS_CONNECTIONS,
        client_timeout_s=CLIENT_TIMEOUT_S,
        keepalive_s=config.keepalive_s,
        framing=framing_limits(cfg, MAX_BODY_BYTES),
    )
    loop = ConnectionLoop(
        "ops", [listener], cfg, limits, answer=answerer.answer, refuse=answerer.refuse
    )

    def serve() -> None:
        while True:
            try:
                loop.step(STEP_S)
            except Exception:  # of one connection; the probes of all others go on
                logger.exception("the ops port failed over a connection")

    threading.Thread(target=serve, name="ops", daemon=True).start()
    logger.info("probes and metrics on http://%s", config.ops_bind)
