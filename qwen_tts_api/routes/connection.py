"""Whether the client of a request is still there."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any


def watch_client(environ: dict[str, Any]) -> Callable[[], bool]:
    """Return a function that tells whether the client has closed its side of the connection.

    It polls the socket that gunicorn puts into the environment, without reading from it: a look at
    the data (MSG_PEEK) would be blind to a close behind a pipelined request. Where there is no such
    socket or no such poll (not Linux), the client is taken to be there.
    """
    connection = environ.get("gunicorn.socket")
    closed = getattr(select, "POLLRDHUP", 0)
    if connection is None or not closed:
        return lambda: False
    poll = select.poll()
    poll.register(connection, closed)
    return lambda: bool(poll.poll(0))
