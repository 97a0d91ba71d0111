"""The main port in this process: the real loop and handler, on real sockets."""

from __future__ import annotations

import threading
from contextlib import suppress
from types import TracebackType

from flask import Flask
from gunicorn.config import Config as GunicornConfig
from websockets.exceptions import ConnectionClosed
from websockets.sync.connection import Connection

from qwen_tts_api.errors import ShuttingDown
from qwen_tts_api.server.http.handler import RequestHandler
from qwen_tts_api.server.http.parsing import framing_limits
from qwen_tts_api.server.limits import LoopLimits
from qwen_tts_api.server.listening import listen
from qwen_tts_api.server.loop import ConnectionLoop
from tests.conftest import wait_until

CLIENT_TIMEOUT_S = 5.0
KEEPALIVE_S = 0.02


def close_code_of(connection: Connection) -> int:
    """Read a client's socket to its end; return the code with which it was closed."""
    with suppress(ConnectionClosed):
        while True:
            connection.recv(10)
    code = connection.close_code
    assert code is not None
    return code


class Port:
    """Serves an application on a free port until its block ends, by when all clients have left."""

    def __init__(self, app: Flask, threads: int = 8) -> None:
        cfg = GunicornConfig()
        handler = RequestHandler(app, cfg, CLIENT_TIMEOUT_S)
        listener = listen("QWEN_BIND", "127.0.0.1:0")
        self.address: tuple[str, int] = listener.getsockname()
        self._loop = ConnectionLoop(
            "port",
            [listener],
            cfg,
            LoopLimits(threads, 64, CLIENT_TIMEOUT_S, KEEPALIVE_S, framing_limits(cfg, 65_536)),
            handle=handler.handle,
            send_error=handler.send_error,
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="port")

    @property
    def url(self) -> str:
        """The address for WebSockets."""
        return f"ws://{self.address[0]}:{self.address[1]}"

    @property
    def num_connections(self) -> int:
        """How many connections the loop has."""
        return self._loop.num_connections

    def __enter__(self) -> Port:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._loop.defer(lambda: None)
        self._thread.join()
        self._loop.drain(ShuttingDown("The test is over."))

        def is_empty() -> bool:
            self._loop.step(0.01)
            return not self._loop.num_connections

        wait_until(is_empty)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._loop.step(0.05)
