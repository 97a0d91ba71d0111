"""What a port takes, and for how long it waits."""

from __future__ import annotations

from dataclasses import dataclass

from qwen_tts_api.server.framing import FramingLimits


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
