"""gunicorn's thread worker: slow clients cannot hold it, and its end loses no request."""

from __future__ import annotations

import contextvars
import json
import logging
import os
import socket
import time
import uuid
from contextlib import suppress
from http import HTTPStatus
from typing import Any, NoReturn

from gunicorn import util
from gunicorn.http import errors as parse_errors
from gunicorn.workers.gthread import TConn, ThreadWorker

from qwen_tts_api import logs
from qwen_tts_api.config import Config
from qwen_tts_api.routes import EXTENSION

logger = logging.getLogger(__name__)

EXIT_TIMEOUT_S = 1.0
"""How long the engines have to end when every connection is closed: nothing runs any more then."""

MAX_MESSAGE_CHARS = 300
"""Of an answer to a malformed request, which quotes it."""

# What the parser raises that 400 is not the right answer to.
_STATUS: dict[type[Exception], HTTPStatus] = {
    parse_errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    parse_errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    parse_errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    parse_errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class GuardedThreadWorker(ThreadWorker):  # type: ignore[misc]
    """A `ThreadWorker` for clients that cannot be trusted.

    A client that has not sent its head, or does not take the answer, within QWEN_CLIENT_TIMEOUT_S
    loses its connection; stock gunicorn gives it a thread for ever. What the parser refuses is
    answered in JSON.

    Told to stop, it refuses new connections at once. Stock gunicorn only stops accepting:
    connections then wait in the kernel's backlog until the process ends, and are reset. This one
    takes what is in the backlog, so that it is answered (503, unless it is a probe), and closes the
    listening sockets.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        config = Config.from_env()
        self._client_timeout_s = config.client_timeout_s
        self._graceful_timeout_s = int(config.graceful_timeout_s)
        # When each head that is being read has to be there. The threads that read write it.
        self._head_deadlines: dict[TConn, float] = {}
        # Of each request that is being served.
        self._contexts: dict[TConn, contextvars.Context] = {}

    def handle(self, conn: TConn) -> Any:
        """Serve one request of a connection (one of the threads)."""
        self._head_deadlines[conn] = time.monotonic() + self._client_timeout_s
        # Of its own: what a request puts into it, such as the labels of its lines, ends there.
        context = self._contexts[conn] = contextvars.copy_context()
        try:
            return context.run(super().handle, conn)
        finally:
            self._head_deadlines.pop(conn, None)
            del self._contexts[conn]

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer a request whose head is there."""
        self._head_deadlines.pop(conn, None)
        conn.sock.settimeout(self._client_timeout_s)
        try:
            return super().handle_request(req, conn)
        except TimeoutError:
            logger.info("a client took nothing for %g s; it is cut off", self._client_timeout_s)
            return False

    def murder_pending(self) -> None:
        """Close what is overdue (the main loop, every second)."""
        super().murder_pending()
        now = time.monotonic()
        for conn, deadline in list(self._head_deadlines.items()):
            if now > deadline:
                with suppress(OSError):  # it may have gone by itself
                    conn.sock.shutdown(socket.SHUT_RDWR)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer what never became a request of the application, in the one shape of errors."""
        if isinstance(exc, parse_errors.ParseException):
            status = _STATUS.get(type(exc), HTTPStatus.BAD_REQUEST)
            code, message = "invalid_request", f"The request is malformed: {exc}."
        else:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            code, message = "internal_error", "The server failed on this request; see its log."
        request_id = logs.labels().get("request_id") or uuid.uuid4().hex
        # %r: the line stays one line, whatever bytes the client sent.
        logger.warning(
            "%d %r",
            *(status, message[:MAX_MESSAGE_CHARS]),
            extra={"request_id": request_id},
            exc_info=exc if status == HTTPStatus.INTERNAL_SERVER_ERROR else None,
        )
        body = {"error": message[:MAX_MESSAGE_CHARS], "code": code, "request_id": request_id}
        with suppress(OSError):
            util.write_nonblock(client, _response(status, json.dumps(body).encode()))

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept or do not; the first refusal of a stopping worker begins the drain."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            self._drain()

    def _drain(self) -> None:
        service = self.wsgi.extensions[EXTENSION]
        service.drain()
        for listener in self.sockets:
            listener.setblocking(False)
            connections = -1
            while connections != self.nr_conns:
                connections = self.nr_conns
                self.accept(listener)
            listener.close()

    def run(self) -> None:
        """Serve until told to stop; then end the process, even if a model is still loading."""
        self.cfg.set("graceful_timeout", self._graceful_timeout_s)  # in this process only
        super().run()
        service = self.wsgi.extensions[EXTENSION]
        if running := service.status().running:
            served = [logs.labels_of(context) for context in list(self._contexts.values())]
            with logs.about(*served):
                logger.warning(
                    "%d utterances did not end within QWEN_GRACEFUL_TIMEOUT_S; they are broken off",
                    running,
                )
        service.close(EXIT_TIMEOUT_S)
        _exit()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """End now (SIGINT, SIGQUIT); stock gunicorn first waits for every thread's request."""
        _exit()


def _exit() -> NoReturn:
    """End the process at once.

    Taking the interpreter down with PyTorch in it takes seconds, and can crash where a thread is
    inside PyTorch. Every line of the log has been written by then.
    """
    os._exit(0)


def _response(status: HTTPStatus, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
