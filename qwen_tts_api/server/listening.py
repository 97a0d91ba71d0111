"""Listening sockets, and accepting connections from them."""

from __future__ import annotations

import errno
import logging
import select
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any

from qwen_tts_api.errors import ConfigError

logger = logging.getLogger(__name__)

BACKLOG = 2048
ACCEPTS_AT_ONCE = 16
"""Accepted in a row, before open connections have their turn."""
PAUSE_S = 0.05
"""How long nothing is accepted when there is no room."""

NOTHING_YET = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_NO_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def listen(name: str, address: str) -> socket.socket:
    """Return a socket that listens on `address:port`.

    Args:
        name: The setting that has the address.

    Raises:
        ConfigError: It cannot listen there: the port is taken, or is no address of this machine.
    """
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), int(port)))
        listener.listen(BACKLOG)
        return listener
    except UnicodeError:
        reason = f"{host!r} is no host's name"
    except OSError as error:
        reason = error.strerror or str(error)
    listener.close()
    raise ConfigError(
        f"{name}={address} cannot be listened on: {reason}. Stop what listens there (a server that "
        f"runs already?), or set {name} to another address."
    )


class Acceptor:
    """Accept connections while there is room for them.

    Args:
        selector: The loop's.
        listeners: Listening sockets.
        has_room: Returns whether one more may be accepted.
        evict: Closes a connection to make room, or to free a file descriptor; returns whether
            there was one to close.
        opened: Called with a connection's socket, its client's address and its listener.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        listeners: Sequence[Any],
        *,
        has_room: Callable[[], bool],
        evict: Callable[[], bool],
        opened: Callable[[socket.socket, Any, Any], None],
    ) -> None:
        self._selector = selector
        self._listeners = listeners
        self._has_room = has_room
        self._evict = evict
        self._opened = opened
        self._is_listening = False
        self._paused_until = 0.0
        self._reported_at = float("-inf")

    def resume(self, timeout_s: float) -> float:
        """Accept again if a pause is over; return `timeout_s`, or the rest of the pause if less."""
        rest_s = self._paused_until - time.monotonic()
        self._listen(rest_s <= 0)
        return timeout_s if rest_s <= 0 else min(timeout_s, rest_s)

    def close(self) -> None:
        """Accept the backlog, then close the listening sockets."""
        self._listen(False)
        self._paused_until = float("inf")
        for listener in self._listeners:
            listener.setblocking(False)
            while self._accept(listener):
                pass
            listener.close()

    def _listen(self, wanted: bool) -> None:
        if wanted == self._is_listening:
            return
        self._is_listening = wanted
        for listener in self._listeners:
            if wanted:
                listener.setblocking(False)
                self._selector.register(listener, selectors.EVENT_READ, self._accept)
            else:
                self._selector.unregister(listener)

    def _accept(self, listener: Any) -> bool:
        """Accept up to ACCEPTS_AT_ONCE connections; return whether there may be more."""
        for _ in range(ACCEPTS_AT_ONCE):
            if not self._has_room():
                # Connections must not be evicted for a backlog that is empty.
                if not _has_backlog(listener):
                    return False
                if not self._evict():
                    self._pause("all connections are busy or new")
                    return False
            try:
                sock, client = listener.accept()
            except NOTHING_YET:
                return False
            except ConnectionAbortedError:
                continue
            except OSError as error:
                # No error of `accept` (a firewall, no memory) may end the server.
                if error.errno not in _NO_RESOURCES or not self._evict():
                    self._pause(error.strerror or str(error))
                    return False
            else:
                self._opened(sock, client, listener)
        return True

    def _pause(self, reason: str) -> None:
        """Stop accepting for PAUSE_S: the selector would report the backlog again and again."""
        now = time.monotonic()
        self._paused_until = max(self._paused_until, now + PAUSE_S)
        if now - self._reported_at >= 1:
            self._reported_at = now
            logger.warning("accepting no connections for %g s: %s", PAUSE_S, reason)


def _has_backlog(listener: Any) -> bool:
    """Return whether there is a connection to accept."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))
