"""Benchmark the overhead of HTTP, on top of the model's time.

A client on the same machine sends one request after the other over one connection, and compares
the time from its first byte sent to its last byte received with the model's time, which the server
tells in `Server-Timing`. What is left is HTTP, JSON, queue, thread switches and the WAV encoder.
"""

from __future__ import annotations

import json
import re
import statistics
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bench.server import Server

WARM_UP_REQUESTS = 3
REQUESTS = 40
TEXT = "Good morning."


def measure() -> dict[str, Any]:
    """Return medians and 95th percentiles in milliseconds, over `REQUESTS` requests."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "log")
        server.wait_until_ready()
        try:
            connection = HTTPConnection(*server.address)  # the least that a client can add
            rows = [_request(connection, seed) for seed in range(WARM_UP_REQUESTS + REQUESTS)]
        finally:
            server.stop()
    rows = rows[WARM_UP_REQUESTS:]
    result: dict[str, Any] = {"requests": REQUESTS, "text": TEXT}
    for name in rows[0]:
        values = sorted(row[name] for row in rows)
        result[f"{name}_median_ms"] = round(statistics.median(values), 2)
        result[f"{name}_p95_ms"] = round(values[int(0.95 * len(values))], 2)
    return result


def _request(connection: HTTPConnection, seed: int) -> dict[str, float]:
    body = json.dumps({"text": TEXT, "seed": seed})
    began = time.perf_counter()
    connection.request("POST", "/api/tts", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    total_ms = 1000 * (time.perf_counter() - began)
    if response.status != 200:
        raise RuntimeError(f"answered {response.status}")
    stages = {
        name: float(value)
        for name, value in re.findall(
            r"(\w+);dur=([\d.]+)", response.headers["Server-Timing"] or ""
        )
    }
    return {
        "total": total_ms,
        "model": stages["model"],
        "added": total_ms - stages["model"],
        "queue": stages["queue"],
        "encode": stages["encode"],
    }
