"""Measure bursts of streaming clients, and the CPU time of a request and a chunk."""

from __future__ import annotations

import io
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from bench.calibration import loop_ms
from bench.host.clients import burst, percentile, probe, speech
from bench.host.null_runner import STEP_S
from bench.server import Server
from qwen_tts_api.audio import FORMATS

BURSTS: Mapping[str, Sequence[int]] = {"pcm": (1, 8, 64, 128), "mp3": (64,), "opus": (64,)}
"""Streams that begin at once, by format. The others cost as PCM does, or take an encoder's time."""
STREAMED = tuple(name for name, each in FORMATS.items() if each.streams)
MAX_STREAMS = 128
FRAMES = 125
ROUNDS = 3
FRAME_S = 0.08
ALONE = 20
"""Requests one after the other, for the CPU time of one."""
MANY = 64
"""Requests at once, for the CPU time of one of many, and of a chunk."""
SAMPLES = 5
BUDGET_S = 10.0
"""After so long nothing is measured once more: on a slow machine, Opus takes longer at once."""
PROFILED = 300

Figure = TypeVar("Figure")
Figures = dict[str, float]
Report = Callable[[str], object]


@contextmanager
def serving(**settings: str) -> Iterator[Server]:
    """Run the server over a model that costs nothing."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(
            Path(folder) / "log",
            "bench.host.app:app",
            QWEN_MAX_STREAMS=str(MAX_STREAMS),
            QWEN_MAX_QUEUE="200",
            **settings,
        )
        try:
            server.wait_until_ready()
            yield server
        finally:
            server.kill()


def measure(
    bursts: Mapping[str, Sequence[int]] = BURSTS,
    frames: int = FRAMES,
    rounds: int = ROUNDS,
    alone: int = ALONE,
    many: int = MANY,
    report: Report = lambda line: None,
) -> dict[str, Any]:
    """Return medians over some rounds of bursts, and the CPU time of a request and a chunk.

    Args:
        bursts: How many streams are to begin at once, by format.
        frames: Of each stream.
        rounds: Of each burst, if there is time.
        alone: Requests one after the other, of which the CPU time of one is the mean.
        many: Requests at once, likewise.
        report: Is told each figure as soon as there is one.
    """
    loops: list[float] = []

    def note(line: str) -> None:
        loops.append(loop_ms())
        report(f"{line}   (loop {loops[-1]:.1f} ms)")

    with serving() as server:
        burst(server.address, speech("pcm", 4), MAX_STREAMS)  # starts the threads
        note("format  clients  first audio p50 / p95 ms       x  CPU ms a stream")
        rows: dict[str, dict[str, Figures]] = {}
        for name, counts in bursts.items():
            for count in counts:
                row = _burst(server, name, count, frames, rounds)
                rows.setdefault(name, {})[str(count)] = row
                note(_burst_line(name, count, row))
        costs = _costs(server, alone, many, note)
        chunks = {name: _chunk_cost(server, name, frames, many, note) for name in bursts}
    return {
        "ms a step": 1000 * STEP_S,
        "frames": frames,
        "rounds": rounds,
        "loop ms": _spread(loops),
        "bursts": rows,
        "CPU ms": costs,
        "CPU ms a chunk": chunks,
    }


def _burst_line(name: str, count: int, row: Figures) -> str:
    first = f"{row['first audio p50 ms']:13.0f} / {row['first audio p95 ms']:5.0f}"
    return f"{name:7} {count:>7} {first} {row['x']:14.0f} {row['CPU ms a stream']:16.1f}"


def _burst(server: Server, name: str, count: int, frames: int, rounds: int) -> Figures:
    def once() -> Figures:
        cpu_s = cpu_seconds(server)
        heard, seconds = burst(server.address, speech(name, frames), count)
        first_ms = [1000 * each.first_s for each in heard]
        return {
            "first audio p50 ms": statistics.median(first_ms),
            "first audio p95 ms": percentile(first_ms, 0.95),
            "x": count * frames * FRAME_S / seconds,
            "CPU ms a stream": 1000 * (cpu_seconds(server) - cpu_s) / count,
        }

    rows = _repeated(rounds, once)
    return {name: round(statistics.median(row[name] for row in rows), 1) for name in rows[0]}


def _costs(server: Server, alone: int, many: int, note: Report) -> dict[str, Figures]:
    """Return the CPU time of whole requests: of one alone, and of one of many at once."""
    requests = {
        "/healthz": probe(),
        "a file": speech("wav", 1, stream=False),
        "a stream of one chunk": speech("pcm", 1),
    }
    costs = {}
    for name, request in requests.items():
        costs[name] = _spread(_cpu_ms(server, request, 1, alone))
        costs[f"{name}, of {many}"] = _spread(_cpu_ms(server, request, many, 1))
        for told in (name, f"{name}, of {many}"):
            note(f"{told}: {costs[told]['best']:g} ms of CPU, median {costs[told]['median']:g}")
    return costs


def _chunk_cost(server: Server, name: str, frames: int, many: int, note: Report) -> float:
    """Return what a chunk of a stream costs, of those behind the first, with its share of a step.

    With more than 16 streams chunks have 4, then 8, then 12 frames.
    """
    short, long = (min(_cpu_ms(server, speech(name, each), many, 1)) for each in (4, frames))
    num_chunks = 1 + -(-max(frames - 12, 0) // 12)
    cost = round((long - short) / num_chunks, 3)
    note(f"a chunk of {name}: {cost:g} ms of CPU")
    return cost


def _cpu_ms(server: Server, request: bytes, count: int, times: int) -> list[float]:
    """Return samples of the CPU time of a request in ms, of `count` at once, `times` times."""

    def once() -> float:
        began = cpu_seconds(server)
        for _ in range(times):
            burst(server.address, request, count)
        return 1000 * (cpu_seconds(server) - began) / (count * times)

    return _repeated(SAMPLES, once)


def _repeated(times: int, once: Callable[[], Figure]) -> list[Figure]:
    """Return what is measured, up to `times` times; it is not begun again after BUDGET_S."""
    until = time.monotonic() + BUDGET_S
    results = [once()]
    while len(results) < times and time.monotonic() < until:
        results.append(once())
    return results


def _spread(values: Sequence[float]) -> Figures:
    return {"best": round(min(values), 2), "median": round(statistics.median(values), 2)}


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
