"""Concurrent clients that play the streams of a server as they arrive."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
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
    """Serve a checkpoint; print the log if the server does not become ready."""
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
        except BaseException:  # also where the part is ended: why is in the log alone
            print(server.log, flush=True)
            raise
        finally:
            server.kill()


def run_clients(server: Server, count: int, rounds: int, frames: int) -> dict[str, float]:
    """Run concurrent clients with one utterance each, in rounds.

    It has `frames` frames, unless it ends by itself.
    """
    barrier = Barrier(count, timeout=TIMEOUT_S)
    playbacks: list[Playback] = []
    seconds = 0.0
    with ThreadPoolExecutor(count) as threads:
        for index in range(rounds):
            began = time.perf_counter()
            seeds = range(index * count, (index + 1) * count)
            listen = partial(_listen, server, frames, barrier, began)
            playbacks += threads.map(listen, seeds)
            seconds += time.perf_counter() - began
    return summary(playbacks, seconds)


def _listen(server: Server, frames: int, barrier: Barrier, began: float, seed: int) -> Playback:
    fields = {"text": TEXT, "language": "english", "speaker": "ryan", "seed": seed}
    fields |= {"stream": True, "audio_format": "pcm", "max_new_tokens": frames + 1}
    connection = HTTPConnection(*server.address, timeout=TIMEOUT_S)
    connection.connect()
    barrier.wait()
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
