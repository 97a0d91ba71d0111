"""Detect that the client of a request disconnects: one thread watches all connections."""

from __future__ import annotations

import functools
import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from flask import Response

from qwen_tts_api.service.request import Client, NullClient

logger = logging.getLogger(__name__)

CHUNK_BYTES = 65_536
"""The size of what is sent at once: a socket's timeout is for each call of `send`."""

_EVENTS = getattr(select, "EPOLLRDHUP", 0) | getattr(select, "EPOLLONESHOT", 0)

RETRY_S = 1.0
"""The delay before the watcher restarts after an error of epoll itself, which may recur at once."""


def client_connection(environ: dict[str, Any]) -> Client:
    """Return the client of a request, which disconnects when its side of the socket is closed.

    gunicorn puts the socket into the environment. Where there is none, or no epoll (not Linux), no
    disconnect is noticed.
    """
    connection = environ.get("gunicorn.socket")
    return NullClient() if connection is None else socket_client(connection)


def socket_client(connection: socket.socket) -> Client:
    """Return the client at the other end of a socket."""
    if not hasattr(select, "epoll"):
        return NullClient()
    return SocketClient(connection, _watcher())


class SocketClient:
    """A client at the other end of a socket."""

    def __init__(self, connection: socket.socket, watcher: DisconnectWatcher) -> None:
        self._connection = connection
        self._watcher = watcher

    @contextmanager
    def on_disconnect(self, callback: Callable[[], object]) -> Iterator[None]:
        """Call back as soon as the client closes its side, from the watcher's thread."""
        descriptor = self._connection.fileno()
        self._watcher.watch(descriptor, callback)
        try:
            yield
        finally:
            self._watcher.forget(descriptor)


class DisconnectWatcher:
    """A thread that waits for any of many sockets to be closed at the other end.

    Peeking at the data (MSG_PEEK) would miss a close behind a pipelined request. Waiting costs
    nothing; the kernel reports a close within a fraction of a frame. The thread serves every later
    request, so no error of one connection ends it.

    No lock is held over a call of epoll, which lets other threads run: in a burst of requests all
    of them would queue for it. A callback may come late, when its request is over.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], object]] = {}
        threading.Thread(target=self._run, name="connections", daemon=True).start()

    def watch(self, descriptor: int, callback: Callable[[], object]) -> None:
        """Call back when the other end closes; `forget` it before the socket is closed.

        Where the kernel cannot watch it (it has a limit, `max_user_watches`), no disconnect is
        noticed.
        """
        self._callbacks[descriptor] = callback
        self._register(descriptor)

    def forget(self, descriptor: int) -> None:
        """Stop watching a socket."""
        self._callbacks.pop(descriptor, None)
        with suppress(OSError, ValueError):  # closed already, or never registered
            self._epoll.unregister(descriptor)

    def _register(self, descriptor: int) -> None:
        try:
            self._epoll.register(descriptor, _EVENTS)
        except FileExistsError:  # a restart did so at the same time
            self._epoll.modify(descriptor, _EVENTS)
        except (OSError, ValueError) as error:
            logger.warning("a disconnect of this client will not be detected: %s", error)

    def _run(self) -> None:
        while True:
            try:
                events = self._epoll.poll()
            except (OSError, ValueError):  # ValueError: it was closed
                logger.exception("watching connections for disconnects failed; restarting")
                self._restart()
                continue
            for descriptor, _ in events:
                self._notify(descriptor)

    def _restart(self) -> None:
        time.sleep(RETRY_S)
        with suppress(OSError):  # out of descriptors: the next error tries again
            self._epoll = select.epoll()
            for descriptor in list(self._callbacks):
                self._register(descriptor)

    def _notify(self, descriptor: int) -> None:
        callback = self._callbacks.get(descriptor)
        # By now the descriptor may be that of another client, which is connected.
        if callback is None or not _is_closed(descriptor):
            return
        try:
            callback()
        except Exception:  # a boundary: other clients disconnect, too
            logger.exception("cancelling the request of a disconnected client failed")


def _is_closed(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    return bool(poll.poll(0))


@functools.cache
def _watcher() -> DisconnectWatcher:
    """Return this process's watcher, started when it is first needed: threads survive no fork."""
    return DisconnectWatcher()


def split_large_body(response: Response) -> Response:
    """Split a large body into chunks, since a socket's timeout is for each call of `send`."""
    if not response.is_streamed and (response.content_length or 0) > CHUNK_BYTES:
        response.response = split_body(response.get_data())
    return response


def split_body(data: bytes) -> list[bytes]:
    """Return the chunks that a body is sent in."""
    return [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]
