"""Sockets of clients that hold a server up."""

from __future__ import annotations

import socket

SEGMENT_BYTES = 536


def connect_with_small_buffers(address: tuple[str, int]) -> socket.socket:
    """Return a connection on which a server can send 30 KB that are not read, and no more.

    A receive buffer alone does not do that: a send buffer is sized by segments, which are of 64 KB
    on the loopback interface, so that it takes 2.5 MB, or a minute of speech.
    """
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the least that there is
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
    connection.connect(address)
    return connection
