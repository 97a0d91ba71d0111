"""What a port takes, and for how long it waits."""

from __future__ import annotations

from dataclasses import dataclass

from qwen_tts_api.server.http.connection import Phase
from qwen_tts_api.server.http.framing import FramingLimits

LINGER_S = 2.0
"""How long a client has to close a connection that was closed here: what it sends after a close
would reset the connection, and take the answer from it."""


@dataclass(frozen=True)
class LoopLimits:
    """What a port takes.

    Attributes:
        threads: Requests that are answered at once.
        connections: Connections that are open at once.
        client_timeout_s: For a head to come, and for a body.
        keepalive_s: For the next request of a connection to begin.
        framing: Of one request.
    """

    threads: int
    connections: int
    client_timeout_s: float
    keepalive_s: float
    framing: FramingLimits

    @property
    def timeouts_s(self) -> dict[Phase, float]:
        """How long a connection waits in each phase."""
        return {
            Phase.IDLE: self.keepalive_s,
            Phase.HEAD: self.client_timeout_s,
            Phase.BODY: self.client_timeout_s,
            Phase.LINGER: LINGER_S,
        }
