"""Concurrent clients that play the streams of a server as they arrive."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Barrier

from bench.engine_speed import TEXT
from bench.playback import Playback, summary
from bench.server import Server
from qwen_tts_api.model.weights.placement import Placement

TIMEOUT_S = 60.0
BYTES_PER_SAMPLE = 2


@contextmanager
def serving(
    folder: Path, placement: Placement, streams: int, max_positions: int
) -> Iterator[Server]:
    """Serve a checkpoint, and print the log at the end."""
    with tempfile.TemporaryDirectory() as scratch:
        server = Server(
            Path(scratch) / "log",
            QWEN_MODEL_ID=str(folder),
            QWEN_DEVICE=placement.device,
            QWEN_DTYPE=placement.dtype,
            QWEN_ATTN_IMPL=placement.attention,
            QWEN_MAX_STREAMS=str(streams),
            QWEN_MAX_POSITIONS=str(max_positions),
            QWEN_CACHE_DIR=scratch,
            QWEN_LOG_FORMAT="text",
        )
        try:
            server.wait_until_ready()
            yield server
        finally:  # also where the part is ended
            server.kill()
            print(server.log, flush=True)


def run_clients(server: Server, count: int, rounds: int, frames: int) -> dict[str, float]:
    """Run concurrent clients with one utterance each, in rounds.

    It has `frames` frames, unless it ends by itself.
    """
    playbacks: list[Playback] = []
    seconds = 0.0
    for index in range(rounds):
        seeds = range(index * count, (index + 1) * count)
        heard, round_s = _play(server, dict.fromkeys(seeds, 0.0), frames)
        playbacks += heard
        seconds += round_s
    return summary(playbacks, seconds)


def run_arrivals(
    server: Server, per_second: float, seconds: float, frames: int
) -> dict[str, float]:
    """Send `per_second` requests for some seconds, whether or not the server keeps up."""
    count = max(1, int(per_second * seconds))
    return summary(*_play(server, {seed: seed / per_second for seed in range(count)}, frames))


def _play(
    server: Server, arrivals: Mapping[int, float], frames: int
) -> tuple[list[Playback], float]:
    """Play an utterance of each seed, which is asked for so many seconds after the start.

    Returns what was heard, and how long all of it took, from when everybody was connected.
    """
    began: list[float] = []
    connected = Barrier(
        len(arrivals), action=lambda: began.append(time.perf_counter()), timeout=TIMEOUT_S
    )

    def listen(seed: int) -> Playback:
        connection = HTTPConnection(*server.address, timeout=TIMEOUT_S)
        connection.connect()
        connected.wait()
        time.sleep(max(0.0, began[0] + arrivals[seed] - time.perf_counter()))
        return _listen(connection, frames, began[0], seed)

    with ThreadPoolExecutor(len(arrivals)) as threads:
        playbacks = list(threads.map(listen, arrivals))
    return playbacks, time.perf_counter() - began[0]


def _listen(connection: HTTPConnection, frames: int, began: float, seed: int) -> Playback:
    fields = {"text": TEXT, "language": "english", "speaker": "ryan", "seed": seed}
    fields |= {"stream": True, "audio_format": "pcm", "max_new_tokens": frames + 1}
    playback = Playback(time.perf_counter() - began)
    body = json.dumps(fields)
    connection.request("POST", "/api/tts", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(f"answered {response.status}: {response.read().decode()}")
    left = 0
    while piece := response.read1():
        left += len(piece)
        playback.hear(left // BYTES_PER_SAMPLE, time.perf_counter() - began)
        left %= BYTES_PER_SAMPLE
    connection.close()
    return playback
