"""A second port on threads of its own, for those who watch the process: probes and metrics.

It answers while every thread of the main port is busy or waits for a slow client.
"""

from __future__ import annotations

import logging
import socket
import threading
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from flask import Flask

from qwen_tts_api.errors import ConfigError

logger = logging.getLogger(__name__)

CLIENT_TIMEOUT_S = 5
"""How long a client may be silent."""


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the application has its own log of requests."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks the name service for this host's name: seconds, without one.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a connection that broke off, quietly: the next probe comes anyway."""
        logger.debug("a connection to the ops port broke off", exc_info=True)


def start_ops_server(bind: str, app: Flask) -> WSGIServer:
    """Serve `app` at `bind` (`address:port`) from a thread of this process, until it ends.

    Raises:
        ConfigError: The address cannot be listened on.
    """
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")

    class Server(_Server):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    try:
        server = Server((host, int(port)), _Handler)
    except OSError as error:
        raise ConfigError(
            f"QWEN_OPS_BIND={bind} cannot be listened on: {error.strerror}; set another address, "
            "or 'off'."
        ) from error
    server.set_app(app)
    threading.Thread(target=server.serve_forever, name="ops", daemon=True).start()
    logger.info("probes and metrics on http://%s", bind)
    return server
