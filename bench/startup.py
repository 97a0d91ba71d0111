"""Benchmark the start: from `make run` to `/readyz`, and to the first audio.

    python -m bench.startup

Other work on the machine shows in the seconds, so that the CPU's are given, too, and the best run
beside the middle one.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from bench.__main__ import write_result
from bench.server import Server

RUNS = 7
POLL_S = 0.03
TEXT = "Hello, I am here."


def measure(runs: int = RUNS) -> dict[str, Any]:
    """Start the server repeatedly, after one run that fills the page cache."""
    load_before = os.getloadavg()[0]
    _start()
    rows = [_start() for _ in range(runs)]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {
        "model": "nano-en",
        "runs": runs,
        "load average before": round(load_before, 2),
        "best": {name: round(min(column), 2) for name, column in columns.items()},
        "median": {name: round(statistics.median(column), 2) for name, column in columns.items()},
        "import torch alone, best, s": round(min(_import_torch() for _ in range(runs)), 2),
    }


def _start() -> dict[str, float]:
    """Start a server, and request speech as soon as it is ready."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        server = Server(Path(folder) / "log", QWEN_MODEL_ID="nano-en")
        try:
            healthy_s = _wait(began, lambda: _status(server, "/healthz") == 200)
            ready_s = _wait(began, lambda: _status(server, "/readyz") == 200)
            cpu_s = sum(_cpu_s(pid) for pid in (server.process.pid, server.worker()))
            first, second = _first_audio_s(server), _first_audio_s(server)
        finally:
            server.stop()
    return {
        "healthy after s": healthy_s,
        "ready after s": ready_s,
        "CPU seconds until ready": cpu_s,
        "first request's first audio after s": first,
        "second request's first audio after s": second,
    }


def _wait(began: float, condition: Callable[[], bool]) -> float:
    while not condition():
        time.sleep(POLL_S)
    return time.perf_counter() - began


def _status(server: Server, path: str) -> int:
    try:
        return requests.get(server.url + path, timeout=60).status_code
    except requests.ConnectionError:
        return 0


def _first_audio_s(server: Server) -> float:
    began = time.perf_counter()
    body = {"text": TEXT, "stream": True, "audio_format": "pcm"}
    with requests.post(f"{server.url}/api/tts", json=body, stream=True, timeout=60) as response:
        next(response.iter_content(1))
        seconds = time.perf_counter() - began
        for _ in response.iter_content(None):
            pass
    return seconds


def _cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and its ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def _import_torch() -> float:
    """Return the time to import PyTorch, the lower bound of a start."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch, os; os._exit(0)"], check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    print(write_result("startup", measure()))
