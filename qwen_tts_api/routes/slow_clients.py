"""How long a client may take: for its body, and for the answer."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from flask import Response

PIECE_BYTES = 65_536


@contextlib.contextmanager
def limit_reading(environ: dict[str, Any], timeout_s: float) -> Iterator[Callable[[], bool]]:
    """Let what reads the request's body see its end after `timeout_s` seconds.

    A socket's own timeout is no limit: each byte begins it anew.

    Yields:
        A function that tells whether the time was over.
    """
    connection: socket.socket | None = environ.get("gunicorn.socket")
    over = threading.Event()

    def end_reading() -> None:
        over.set()
        if connection is not None:
            with contextlib.suppress(OSError):  # it may have gone by itself
                connection.shutdown(socket.SHUT_RD)

    timer = threading.Timer(timeout_s, end_reading)
    timer.daemon = True
    timer.start()
    try:
        yield over.is_set
    finally:
        timer.cancel()


def send_in_pieces(response: Response) -> Response:
    """Let a large answer be sent in pieces, since a socket's timeout is for each call of `send`."""
    if not response.is_streamed and (response.content_length or 0) > PIECE_BYTES:
        response.response = in_pieces(response.get_data())
    return response


def in_pieces(data: bytes) -> list[bytes]:
    """Return data in the pieces that it is to be sent in."""
    return [data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES)]
