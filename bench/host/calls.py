"""Count the calls of functions that a request takes: the same on every machine."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path

from bench.host.clients import burst, probe, speech
from bench.host.measure import Report, serving

REQUESTS = 20
WARM_UP = 5
LONG_FRAMES = 25


def count_calls(
    requests: int = REQUESTS, report: Report = lambda line: None
) -> dict[str, dict[str, int]]:
    """Return the calls of one request of each kind, by thread, in Python and in C.

    Args:
        requests: How many of each are sent, one after the other.
        report: Is told each row as soon as there is one.
    """
    kinds = {
        "/healthz": probe(),
        "a file": speech("wav", 1, stream=False),
        "a stream of one chunk": speech("pcm", 1),
        f"a stream of {LONG_FRAMES} frames": speech("pcm", LONG_FRAMES),
    }
    calls = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls"
        with serving(HOST_CALLS=str(path)) as server:
            for name, request in kinds.items():
                for _ in range(WARM_UP):
                    burst(server.address, request, 1)
                before = Counter(json.loads(path.read_text()))
                for _ in range(requests):
                    burst(server.address, request, 1)
                more = Counter(json.loads(path.read_text())) - before
                calls[name] = {thread: round(num / requests) for thread, num in more.items()}
                report(f"{name}: {calls[name]}")
    return calls
