"""gunicorn's worker: the process that serves, and its graceful shutdown."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import time
from collections.abc import Iterable
from typing import Any, NoReturn

from gunicorn.workers.base import Worker

from qwen_tts_api.config import Config
from qwen_tts_api.errors import ShuttingDown
from qwen_tts_api.routes import EXTENSION, SOCKETS
from qwen_tts_api.routes.bodies.body import largest_body
from qwen_tts_api.routes.security.authentication import has_key
from qwen_tts_api.server.http.connection import Connection
from qwen_tts_api.server.http.handler import RequestHandler
from qwen_tts_api.server.http.parsing import framing_limits
from qwen_tts_api.server.limits import WYOMING_CONNECTIONS, DescriptorBudget, LoopLimits
from qwen_tts_api.server.loop import ConnectionLoop
from qwen_tts_api.server.signals import IGNORED, why_ignored
from qwen_tts_api.server.wyoming.listener import WyomingServer
from qwen_tts_api.telemetry import log_stream
from qwen_tts_api.telemetry.context import bound_context, context_of

logger = logging.getLogger(__name__)

EXIT_TIMEOUT_S = 1.0
"""Timeout for the engines' threads to end, after all connections are closed."""

STEP_S = 1.0
"""Shortest time between two heartbeats to the master; the longest is twice that."""


class QwenWorker(Worker):  # type: ignore[misc]
    """Serves until SIGTERM, then shuts down gracefully.

    It stops listening at once, answers the kernel's backlog (503, except probes), and gives running
    requests QWEN_GRACEFUL_TIMEOUT_S.

    Attributes:
        wyoming: The Wyoming port, where there is one; it ends together with the main port.
    """

    wyoming: WyomingServer | None = None

    def init_signals(self) -> None:
        """Install the signal handlers."""
        super().init_signals()
        for number in IGNORED:
            signal.signal(number, self._ignore)
        # The master sends it to a worker that hangs: faulthandler prints where.
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)  # gunicorn's pipe has no reader here
        faulthandler.disable()
        faulthandler.enable()

    def _ignore(self, number: int, frame: object) -> None:
        message = why_ignored(number)
        self._loop.defer(lambda: logger.info("%s", message))

    def init_process(self) -> None:
        """Build the loop before gunicorn installs signal handlers, which use it."""
        self._config = config = Config.from_env()
        self._next_heartbeat = 0.0
        _cache_settings(self.cfg)
        self._handler = RequestHandler(
            lambda *arguments: self.wsgi(*arguments), self.cfg, config.client_timeout_s
        )
        self._loop = ConnectionLoop(
            "request",
            self.sockets,
            self.cfg,
            loop_limits(config, self.cfg),
            handle=self._handler.handle,
            send_error=self._handler.send_error,
            needs_body=self._needs_body,
            tls=self.cfg.is_ssl,
        )
        super().init_process()

    def _needs_body(self, head: bytes) -> bool:
        return has_key(head, self.wsgi.extensions[EXTENSION].keys)

    def run(self) -> None:
        """Serve until shutdown, then exit the process, even while a model is loading."""
        while self.alive and self.ppid == os.getppid():
            self._step()
        self._handler.is_stopping = True
        service = self.wsgi.extensions[EXTENSION]
        service.drain()
        sockets = self.wsgi.extensions[SOCKETS]
        sockets.drain()
        self._loop.drain(ShuttingDown("The server is shutting down."))
        if self.wyoming is not None:
            self.wyoming.drain()
        deadline = time.monotonic() + int(self._config.graceful_timeout_s)
        while self._is_answering() and time.monotonic() < deadline:
            self._step()
        # An utterance whose audio has been sent may count as running until the engine's next step.
        is_late = self._is_answering()
        sockets.abort()
        if is_late and (running := service.status().running):
            _warn_of(
                self._loop.busy,
                f"{running} utterances did not end within QWEN_GRACEFUL_TIMEOUT_S "
                "and are cancelled",
            )
        service.close(EXIT_TIMEOUT_S)
        _exit()

    def _is_answering(self) -> bool:
        """Return whether connections are still open, on which there may be answers."""
        return self._num_wyoming() > 0 or self._loop.num_connections > 0

    def _num_wyoming(self) -> int:
        return self.wyoming.num_busy if self.wyoming is not None else 0

    def _step(self) -> None:
        now = time.monotonic()
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + STEP_S
            self.notify()
        log_stream.flush_pending()
        self._loop.step(STEP_S)

    def handle_exit(self, sig: int, frame: object) -> None:
        """Begin a graceful shutdown (SIGTERM)."""
        self.alive = False
        self._loop.defer(lambda: None)

    def handle_quit(self, sig: int, frame: object) -> None:
        """Exit at once (SIGINT, SIGQUIT): before the loop does anything else.

        Not in here: a handler may not log, for what it interrupts may have the log's lock.
        """
        self._loop.defer(self._quit)

    def _quit(self) -> None:
        if num_busy := len(self._loop.busy) + self._num_wyoming():
            _warn_of(self._loop.busy, f"exiting at once: {num_busy} requests are cut off")
        _exit()


def _warn_of(busy: Iterable[Connection], message: str) -> None:
    """Log what is cut off, with the ids of the requests."""
    with bound_context(*[context_of(connection.context) for connection in list(busy)]):
        logger.warning("%s", message)


def loop_limits(config: Config, cfg: Any) -> LoopLimits:
    """Return the limits of the main port."""
    elsewhere = WYOMING_CONNECTIONS if config.wyoming_bind else 0
    return LoopLimits(
        threads=config.num_threads,
        connections=DescriptorBudget.of_this_process().main_connections - elsewhere,
        client_timeout_s=config.client_timeout_s,
        keepalive_s=config.keepalive_s,
        framing=framing_limits(cfg, largest_body(config)),
    )


def _cache_settings(cfg: Any) -> None:
    """Make gunicorn's settings plain attributes: it looks each up by two calls, 20 a request."""
    vars(cfg).update({name: setting.get() for name, setting in cfg.settings.items()})


def _exit() -> NoReturn:
    """Exit the process without finalizing the interpreter.

    With PyTorch that takes seconds, and crashes if a thread is inside PyTorch.
    """
    logging.shutdown()
    os._exit(0)
