"""The lives of the server under test: start, memory, signals, crashes and shutdown."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.server import Server, free_port
from bench.soak.clients import mob
from bench.soak.clients.nuisances import hold_threads
from bench.soak.outages import Outages
from bench.soak.target import CLONING, SPEAKING, Target
from qwen_tts_api.errors import EXIT_LOST

DEATHS = ("lost device", "killed worker")
SIGNALS = (
    signal.SIGHUP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)
"""That people and tools send to processes of any kind, and that must not end this one."""
CLIENT_TIMEOUT_S = 3
SETTLE_S = CLIENT_TIMEOUT_S + 1.5
"""After which no slow client has its connection any more."""


@dataclass(frozen=True)
class Level:
    """The size of the idle worker.

    Attributes:
        life: Which of the server's lives, from 0.
        rss_mb: Its memory.
        threads: How many it has.
        descriptors: How many it has open.
    """

    life: int
    rss_mb: int
    threads: int
    descriptors: int


class Lives:
    """A server that is restarted when it exits, as by an orchestrator.

    Attributes:
        server: In its current life.
        target: What it should answer.
        outages: When it was not there.
        deaths: How often it ended in which way.
        wrong_exits: Exit codes that it should not have had.
        signals: How often each was sent that must not end it.
    """

    def __init__(self, folder: Path, faults: float, seed: int, clients: int) -> None:
        self.outages = Outages()
        self.deaths: Counter[str] = Counter()
        self.wrong_exits: list[int] = []
        self.signals: Counter[str] = Counter()
        self._folder = folder
        self._lost = folder / "lost"
        self._ledger = folder / "ledger"
        self._ledger.touch()
        self._clients = clients
        self._settings = {
            "QWEN_BIND": f"127.0.0.1:{free_port()}",
            "QWEN_OPS_BIND": f"127.0.0.1:{free_port()}",
            "QWEN_MODEL_ID": SPEAKING,
            "QWEN_MODELS": f"{CLONING},nano-design",
            "QWEN_MAX_LOADED_MODELS": "3",
            "QWEN_VOICES_DIR": str(folder / "voices"),
            "QWEN_MAX_VOICES": "1000",
            "QWEN_MAX_TEXT_CHARS": "2000",
            "QWEN_MAX_SEGMENT_CHARS": "100",
            "QWEN_MAX_POSITIONS": "1024",
            "QWEN_MAX_STREAMS": "8",
            "QWEN_MAX_QUEUE": "32",
            "QWEN_MAX_SOCKETS": str(mob.SIZE + clients),
            "QWEN_CLIENT_TIMEOUT_S": str(CLIENT_TIMEOUT_S),
            "QWEN_REQUEST_TIMEOUT_S": "60",
            "SOAK_FAULTS": str(faults),
            "SOAK_SEED": str(seed),
            "SOAK_LEDGER": str(self._ledger),
            "SOAK_LOST": str(self._lost),
        }
        host, _, port = self._settings["QWEN_BIND"].partition(":")
        self.target = Target(f"http://{host}:{port}", (host, int(port)), faults > 0)
        self.server = self._start()

    @property
    def ops_url(self) -> str:
        """Return the URL of the ops port."""
        return f"http://{self._settings['QWEN_OPS_BIND']}"

    @property
    def number(self) -> int:
        """Return the number of the current life, from 0."""
        return sum(self.deaths.values())

    def faults(self) -> Counter[str]:
        """Return the injected faults, by stage and error."""
        return Counter(self._ledger.read_text().splitlines())

    def _start(self) -> Server:
        """Start the server, and wait until it is ready."""
        log = self._folder / f"log{self.number}"
        server = Server(log, "bench.soak.faulty:app", **self._settings)
        server.wait_until_ready()
        return server

    def annoy(self, number: int) -> None:
        """Send an ignored signal to master and worker."""
        meant = SIGNALS[number % len(SIGNALS)]
        self.server.process.send_signal(meant)
        os.kill(self.server.worker(), meant)
        self.signals[meant.name] += 1

    def die(self, how: str) -> None:
        """Crash the server, check that the master exits with EXIT_LOST, and restart."""
        with self.outages.one():
            if how == "lost device":
                self._lost.touch()
                self.target.wake(once=True)
            else:
                os.kill(self.server.worker(), signal.SIGKILL)
            exit_code = self.server.process.wait(30)
            if exit_code != EXIT_LOST:
                self.wrong_exits.append(exit_code)
            self._lost.unlink(missing_ok=True)
            self.deaths[how] += 1
            self.server = self._start()

    def end(self) -> None:
        """Shut the server down gracefully."""
        if exit_code := self.server.stop():
            self.wrong_exits.append(exit_code)

    def kill(self) -> None:
        """Kill the server if it still runs."""
        self.server.kill()

    def settled_level(self) -> Level:
        """Wait until the server is idle, and return the size of the worker.

        With every model loaded, and every thread started that the clients may need: else the size
        would depend on what they happened to ask for.
        """
        self.target.wake()
        with mob.held_sockets(self.target, mob.SIZE + self._clients):
            hold_threads(self.target, self._clients + 16)
        while self.server.get("/readyz").json()["running"]:
            time.sleep(0.1)
        time.sleep(SETTLE_S)
        return self.level()

    def level(self) -> Level:
        """Return the current size of the worker; zeros while it starts."""
        try:
            process = Path(f"/proc/{self.server.worker()}")
            status = (process / "status").read_text()
            descriptors = len(list((process / "fd").iterdir()))
            values = dict(line.split(":", 1) for line in status.splitlines())
            # One that has just ended has no memory any more.
            rss_mb = int(values["VmRSS"].split()[0]) // 1024
        except (OSError, LookupError, ValueError, subprocess.CalledProcessError):
            return Level(self.number, 0, 0, 0)
        return Level(self.number, rss_mb, int(values["Threads"]), descriptors)

    def log(self) -> str:
        """Return the log of all lives."""
        return "".join(path.read_text() for path in sorted(self._folder.glob("log*")))
