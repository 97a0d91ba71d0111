"""Sockets of clients that hold a server up."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any

from bench.server import Server

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


@contextlib.contextmanager
def held_stream(server: Server, **fields: Any) -> Iterator[HTTPResponse]:
    """Ask for speech, whose answer cannot end before it is read: little of it can be sent."""
    body, headers = json.dumps(fields), {"Content-Type": "application/json"}
    with contextlib.closing(HTTPConnection(*server.address)) as connection:
        connection.sock = connect_with_small_buffers(server.address)
        connection.request("POST", "/api/tts", body, headers)
        response = connection.getresponse()
        assert response.status == 200
        yield response
