"""Many sockets at once that stall, flood and leave, as long as a round lasts."""

from __future__ import annotations

import json
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from bench.soak.target import Target

SIZE = 200
"""How many there are."""

PAUSE_S = 0.02
"""Between two misdeeds."""

AT_ONCE = 8
"""How many are opened between two: a busy machine takes seconds for all."""

_HANDSHAKE = (
    b"GET /api-ws/v1/realtime HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_PING = bytes([0x89, 0x80, 0, 0, 0, 0])


def text_frame(**message: object) -> bytes:
    """Return a message of less than 64 KiB as a frame, masked with zeros."""
    data = json.dumps(message).encode()
    return bytes([0x81, 0x80 | 126]) + len(data).to_bytes(2, "big") + bytes(4) + data


_SPEAK = text_frame(type="input_text_buffer.append", text="Hello, " + "word " * 9)
_COMMIT = text_frame(type="input_text_buffer.commit")

MISDEEDS: dict[str, tuple[bytes, int, bool]] = {
    "stalls": (b"", 4, False),
    "floods with pings": (_PING * 2000, 2, False),
    "floods with messages": (text_frame(type="nonsense") * 100, 2, False),
    "begins a frame": (b"\x81\xfe\xff", 2, False),
    "sends garbage": (os.urandom(2000), 1, False),
    "leaves": (b"", 4, True),
    "says goodbye": (bytes([0x88, 0x82, 0, 0, 0, 0, 3, 0xE8]), 2, True),
    "leaves in the middle": (_SPEAK + _COMMIT, 1, True),
}
"""What is sent, how often in comparison, and whether the client leaves then."""


class Mob:
    """Opens sockets and misuses them.

    Args:
        target: The server.
        rng: Chooses.
        note: Is told what was done.
    """

    def __init__(self, target: Target, rng: random.Random, note: Callable[[str], None]) -> None:
        self._target = target
        self._rng = rng
        self._note = note
        self._sockets: list[socket.socket] = []

    def run(self, over: threading.Event) -> None:
        """Go on until an event."""
        while not over.wait(PAUSE_S):
            if len(self._sockets) < SIZE and not self._open():
                over.wait(0.5)
            elif self._sockets:
                self._misuse(self._rng.randrange(len(self._sockets)))
        for connection in self._sockets:
            connection.close()

    def _open(self) -> bool:
        """Open some that are missing; return whether that was possible."""
        try:
            for _ in range(min(AT_ONCE, SIZE - len(self._sockets))):
                self._sockets.append(open_socket(self._target))
        except OSError as error:
            if isinstance(error, ConnectionRefusedError) and error.errno is None:
                self._note(f"mob: {error}")
            return False
        return True

    def _misuse(self, number: int) -> None:
        names = list(MISDEEDS)
        [name] = self._rng.choices(names, [MISDEEDS[name][1] for name in names])
        data, _, leaves = MISDEEDS[name]
        connection = self._sockets[number]
        try:
            connection.sendall(data)
        except OSError:  # the server has had enough
            name, leaves = "was cut off", True
        if leaves:
            self._sockets.pop(number).close()
        self._note(f"mob: {name}")


def open_socket(target: Target) -> socket.socket:
    """Return a connection after a handshake, which is not read any more.

    Raises:
        OSError: There is none; a ConnectionRefusedError without a number has the answer's status.
    """
    connection = socket.create_connection(target.address, 10)
    try:
        connection.sendall(_HANDSHAKE)
        status = connection.recv(12)[9:12].decode("latin-1")
        if status != "101":
            raise ConnectionRefusedError(f"refused with {status or 'nothing'}")
        connection.settimeout(0.2)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def held_sockets(target: Target, number: int) -> Iterator[None]:
    """Hold as many sockets as there may be, up to a number, so that each has started its thread."""
    with ExitStack() as stack:
        for _ in range(number):
            with suppress(OSError):
                stack.enter_context(open_socket(target))
        yield
