"""Liveness check of the local server, for the image's HEALTHCHECK.

    python -m qwen_tts_api.server.healthcheck    # exit code 0 if it is alive

Reads the server's settings, and requests `/healthz` from the ops port, or else the main port.
"""

from __future__ import annotations

import http.client
import sys

from qwen_tts_api.config import Config

TIMEOUT_S = 8
"""Less than the HEALTHCHECK's own timeout, which kills without a message."""

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}


def main() -> int:
    """Request `/healthz`, print the result and return the exit code."""
    config = Config.from_env()
    address = config.ops_bind or config.bind
    host, _, port = address.rpartition(":")
    # Not urllib.request, which would use a proxy of the environment.
    connection = http.client.HTTPConnection(
        ANY_ADDRESS.get(host, host.strip("[]")), int(port), timeout=TIMEOUT_S
    )
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        status, body = answer.status, answer.read(1000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer from {address}: {error or type(error).__name__}")
        return 1
    finally:
        connection.close()
    print(f"{address} answers {status}: {body}")
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
