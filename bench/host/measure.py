"""Measure bursts of streaming clients, and the CPU time of a request and a chunk."""

from __future__ import annotations

import io
import pstats
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.host.clients import burst, percentile, probe, speech
from bench.host.null_runner import STEP_S
from bench.server import Server
from qwen_tts_api.audio import FORMATS

CLIENTS = (1, 8, 64, 128)
STREAMED = tuple(name for name, each in FORMATS.items() if each.streams)
FRAMES = 125
ROUNDS = 3
FRAME_S = 0.08
ALONE = 100
"""Requests one after the other, for the CPU time of one."""
MANY = 64
"""Requests at once, for the CPU time of one of many, and of a chunk."""
PROFILED = 300


@contextmanager
def serving(**settings: str) -> Iterator[Server]:
    """Run the server over a model that costs nothing."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(
            Path(folder) / "log",
            "bench.host.app:app",
            QWEN_MAX_STREAMS=str(max(CLIENTS)),
            QWEN_MAX_QUEUE="200",
            **settings,
        )
        try:
            server.wait_until_ready()
            yield server
        finally:
            server.kill()


def measure(
    clients: Sequence[int] = CLIENTS,
    formats: Sequence[str] = STREAMED,
    frames: int = FRAMES,
    rounds: int = ROUNDS,
    alone: int = ALONE,
    many: int = MANY,
) -> dict[str, Any]:
    """Return the medians over some rounds of bursts, and the CPU time of a request and a chunk."""
    with serving() as server:
        burst(server.address, speech("pcm", frames), max(clients))  # starts the threads
        bursts = {
            name: {str(count): _burst(server, name, count, frames, rounds) for count in clients}
            for name in formats
        }
        return {
            "ms a step": 1000 * STEP_S,
            "frames": frames,
            "rounds": rounds,
            "bursts": bursts,
            "CPU ms": _costs(server, alone, many),
            "CPU ms a chunk": {name: _chunk_cost(server, name, frames, many) for name in formats},
        }


def _burst(server: Server, name: str, count: int, frames: int, rounds: int) -> dict[str, float]:
    rows = []
    for _ in range(rounds):
        cpu_s = cpu_seconds(server)
        heard, seconds = burst(server.address, speech(name, frames), count)
        first_ms = [1000 * each.first_s for each in heard]
        rows.append(
            {
                "first audio p50 ms": statistics.median(first_ms),
                "first audio p95 ms": percentile(first_ms, 0.95),
                "x": count * frames * FRAME_S / seconds,
                "CPU ms a stream": 1000 * (cpu_seconds(server) - cpu_s) / count,
            }
        )
    return {name: round(statistics.median(row[name] for row in rows), 1) for name in rows[0]}


def _costs(server: Server, alone: int, many: int) -> dict[str, float]:
    """Return the CPU time of whole requests: of one alone, and of one of many at once."""
    requests = {
        "/healthz": probe(),
        "a file": speech("wav", 1, stream=False),
        "a stream of one chunk": speech("pcm", 1),
    }
    costs = {}
    for name, request in requests.items():
        costs[name] = _cpu_ms(server, request, 1, alone)
        costs[f"{name}, of {many}"] = _cpu_ms(server, request, many, 5)
    return {name: round(cost, 2) for name, cost in costs.items()}


def _chunk_cost(server: Server, name: str, frames: int, many: int) -> float:
    """Return what a chunk of a stream costs, of those behind the first, with its share of a step.

    With more than 16 streams chunks have 4, then 8, then 12 frames.
    """
    short, long = (_cpu_ms(server, speech(name, each), many, 3) for each in (4, frames))
    num_chunks = 1 + -(-max(frames - 12, 0) // 12)
    return round((long - short) / num_chunks, 3)


def _cpu_ms(server: Server, request: bytes, count: int, times: int) -> float:
    """Return the CPU time of a request in ms, of `count` at once, `times` times."""
    began = cpu_seconds(server)
    for _ in range(times):
        burst(server.address, request, count)
    return 1000 * (cpu_seconds(server) - began) / (count * times)


def cpu_seconds(server: Server) -> float:
    """Return the CPU time of all threads of the server's worker so far."""
    # The clock of another process, as clock_getcpuclockid(3) returns it on Linux.
    return time.clock_gettime((~server.worker() << 3) | 2)


def profile(requests: int = PROFILED, top: int = 40) -> str:
    """Return what takes time in the thread of a request, of streams one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "profile"
        with serving(HOST_PROFILE=str(path)) as server:
            burst(server.address, speech("pcm", 1), 1)
            for _ in range(requests):
                burst(server.address, speech("pcm", 1), 1)
        text = io.StringIO()
        stats = pstats.Stats(str(path), stream=text)
    for order in ("tottime", "cumtime"):
        stats.sort_stats(order).print_stats(top)
    return text.getvalue()
