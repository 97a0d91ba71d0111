"""Run the soak, and write bench/results/soak.json."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import requests

from bench.__main__ import write_result
from bench.server import Server, free_port
from bench.soak.clients import ACTS, Target

ROUNDS = 3
"""Rounds of load in one life of the worker; its size is noted after each."""


class Soak:
    """A server, and what happens to it.

    Attributes:
        counts: How often each act came to what.
        probes_ms: How long each probe took.
        kills: How often the worker was killed.
        down: Whether it is being started again.
        levels: Memory and threads of the worker, when nothing ran.
    """

    def __init__(self, folder: Path, faults: float) -> None:
        self.counts: Counter[str] = Counter()
        self.probes_ms: list[float] = []
        self.kills = 0
        self.levels: list[dict[str, int]] = []
        self.over = threading.Event()
        self.down = False
        self._folder = folder
        self._lock = threading.Lock()
        self._ops = f"127.0.0.1:{free_port()}"
        self._bind = f"127.0.0.1:{free_port()}"
        self._faults = faults
        self.server = self._start()
        host, port = self._bind.split(":")
        self.target = Target(f"http://{self._bind}", (host, int(port)), faults > 0)

    def _start(self) -> Server:
        server = Server(
            self._folder / f"log{self.kills}",
            app="bench.soak.faulty:app" if self._faults else "wsgi:app",
            QWEN_BIND=self._bind,
            QWEN_OPS_BIND=self._ops,
            QWEN_CLIENT_TIMEOUT_S="3",
            QWEN_MAX_STREAMS="8",
            QWEN_MAX_QUEUE="32",
            SOAK_FAULTS=str(self._faults),
        )
        while not server.is_ready():
            time.sleep(0.2)
        return server

    def client(self, number: int) -> None:
        """Do one act after the other, until it is over."""
        rng = random.Random(number)
        acts, weights = zip(*ACTS, strict=True)
        while not self.over.is_set():
            [act] = rng.choices(acts, weights)
            kills, down = self.kills, self.down
            try:
                word = act(self.target, rng)
            except (requests.RequestException, OSError) as error:
                word = (
                    "killed"
                    if down or self.down or self.kills != kills
                    else f"BAD {type(error).__name__}"
                )
                time.sleep(0.5)
            with self._lock:
                self.counts[f"{act.__name__}: {word}"] += 1

    def probe(self) -> None:
        """Ask the ops port whether the process lives, ten times a second."""
        while not self.over.wait(0.1):
            began = time.perf_counter()
            try:
                status = requests.get(f"http://{self._ops}/healthz", timeout=5).status_code
            except requests.RequestException:
                status = 0
            if status and not self.down:
                self.probes_ms.append(1000 * (time.perf_counter() - began))
                if status != 200:
                    self.counts[f"probe: BAD {status}"] += 1

    def kill(self) -> None:
        """Kill the worker, see the master end with 70, and start anew, as an orchestrator would."""
        worker = self.server.worker()
        self.down = True
        self.kills += 1
        os.kill(worker, signal.SIGKILL)
        if self.server.process.wait(30) != 70:
            self.counts["kill: BAD exit code"] += 1
        self.server = self._start()
        self.down = False

    def note_level(self) -> None:
        """Wait until nothing runs, and note how large the worker is."""
        while self.server.get("/readyz").json()["running"]:
            time.sleep(0.1)
        time.sleep(4)  # connections of slow clients end
        status = Path(f"/proc/{self.server.worker()}/status").read_text()
        values = dict(line.split(":", 1) for line in status.splitlines())
        self.levels.append(
            {
                "life": self.kills,
                "rss_mb": int(values["VmRSS"].split()[0]) // 1024,
                "threads": int(values["Threads"]),
            }
        )


def run(minutes: float, clients: int, faults: float, kills: int) -> dict[str, Any]:
    """Soak a server and return what happened."""
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), faults)
        try:
            soak.target.learn()
            for round_number in range(ROUNDS * (kills + 1)):
                kill = round_number % ROUNDS == ROUNDS - 1 and soak.kills < kills
                _load(soak, 60 * minutes / (ROUNDS * (kills + 1)), clients, kill)
            exit_code = soak.server.stop()
        finally:
            soak.server.process.kill()
    probes = sorted(soak.probes_ms)
    bad = {word: count for word, count in soak.counts.items() if "BAD" in word}
    return {
        "minutes": minutes,
        "clients": clients,
        "share_of_calls_that_fail": faults,
        "kills": soak.kills,
        "acts": sum(soak.counts.values()),
        "lost_or_wrong": sum(bad.values()),
        "outcomes": dict(sorted(soak.counts.items())),
        "levels": soak.levels,
        "probe_p50_ms": round(probes[len(probes) // 2], 1),
        "probe_p99_ms": round(probes[int(0.99 * len(probes))], 1),
        "exit_code": exit_code,
    }


def _load(soak: Soak, seconds: float, clients: int, kill: bool) -> None:
    """Let the clients loose for a while; kill the worker under their hands at its end, or not."""
    soak.over.clear()
    threads = [threading.Thread(target=soak.client, args=(n,)) for n in range(clients)]
    threads.append(threading.Thread(target=soak.probe))
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    if kill:
        soak.kill()
    soak.over.set()
    for thread in threads:
        thread.join()
    soak.note_level()


def main() -> None:
    """Print and write what happened; fail if anything was lost or wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--faults", type=float, default=0.02)
    parser.add_argument("--kills", type=int, default=2)
    options = parser.parse_args()
    result = run(options.minutes, options.clients, options.faults, options.kills)
    print(write_result("soak", result))
    sys.exit(1 if result["lost_or_wrong"] or result["exit_code"] else 0)


if __name__ == "__main__":
    main()
