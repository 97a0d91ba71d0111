"""Limits of a port: threads, connections, timeouts, and the process's open files."""

from __future__ import annotations

import resource
from dataclasses import dataclass

from qwen_tts_api.server.http.connection import Phase
from qwen_tts_api.server.http.framing import FramingLimits

LINGER_S = 2.0
"""How long a client has to close a connection that was closed here. Data that arrives after a full
close would reset the connection, and the client would lose the response."""

SPARE_FILES = 128
"""File descriptors besides connections: libraries, weights, listening sockets, logs, voices."""
OPS_CONNECTIONS = 64
WYOMING_CONNECTIONS = 64
"""Home Assistant opens one for each utterance."""
MAX_CONNECTIONS = 10_000
"""More would cost memory and serve nobody: one model is busy with far fewer."""
MIN_CONNECTIONS = 16


@dataclass(frozen=True)
class LoopLimits:
    """Limits of one port.

    Attributes:
        threads: Requests that are handled at once.
        connections: Open connections.
        client_timeout_s: For the head of a request to arrive, and for its body.
        keepalive_s: For the next request on a connection to begin.
        framing: Sizes of one request.
    """

    threads: int
    connections: int
    client_timeout_s: float
    keepalive_s: float
    framing: FramingLimits

    @property
    def timeouts_s(self) -> dict[Phase, float]:
        """Return the timeout of each phase."""
        return {
            Phase.IDLE: self.keepalive_s,
            Phase.HEAD: self.client_timeout_s,
            Phase.BODY: self.client_timeout_s,
            Phase.LINGER: LINGER_S,
        }


@dataclass(frozen=True)
class DescriptorBudget:
    """How the file descriptors of the process are divided.

    Attributes:
        limit: All of them (RLIMIT_NOFILE).
        main_connections: For the main port.
    """

    limit: int
    main_connections: int

    @classmethod
    def of_this_process(cls) -> DescriptorBudget:
        """Return the budget under the current soft limit."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls.under(soft)

    @classmethod
    def under(cls, limit: int) -> DescriptorBudget:
        """Return the budget under a limit, which may be `RLIM_INFINITY`."""
        if limit == resource.RLIM_INFINITY:
            limit = wanted_limit()
        connections = min(limit - SPARE_FILES - OPS_CONNECTIONS, MAX_CONNECTIONS)
        return cls(limit, max(connections, MIN_CONNECTIONS))


def wanted_limit() -> int:
    """Return the largest number of file descriptors that the server uses."""
    return MAX_CONNECTIONS + OPS_CONNECTIONS + SPARE_FILES


def raise_limit() -> None:
    """Raise this process's soft limit of open files to what the server can use.

    The usual soft limit of 1024 protects programs that use `select`; the server does not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = raised(soft, hard)
    if wanted != soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def raised(soft: int, hard: int) -> int:
    """Return the soft limit that `raise_limit` sets."""
    if soft == resource.RLIM_INFINITY or soft >= wanted_limit():
        return soft
    return wanted_limit() if hard == resource.RLIM_INFINITY else min(wanted_limit(), hard)
