"""Probe the ops port ten times a second.

`python -m bench.soak.prober URL`, a process of its own, whose Python nobody else keeps busy. Each
line is when it asked (by `time.monotonic`, which processes share), how many ms the answer took, and
its status or 0.
"""

from __future__ import annotations

import http.client
import sys
import time
from urllib.parse import urlsplit

INTERVAL_S = 0.1
TIMEOUT_S = 5


def main() -> None:
    """Probe until the pipe is closed."""
    address = urlsplit(sys.argv[1])
    assert address.hostname is not None
    while True:
        asked_at = time.monotonic()
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", "/healthz")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
        took_ms = 1000 * (time.monotonic() - asked_at)
        print(asked_at, round(took_ms, 2), status, flush=True)
        time.sleep(max(0.0, INTERVAL_S - took_ms / 1000))


if __name__ == "__main__":
    main()
