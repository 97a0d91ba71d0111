"""All clients of a soak test, at the same time."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

import requests

from bench.server import ROOT
from bench.soak.clients import floods, listeners, nuisances
from bench.soak.clients.bombs import bomb
from bench.soak.clients.mob import Mob
from bench.soak.clients.typist import typist
from bench.soak.outages import Outages
from bench.soak.target import Target, Wrong

Act = Callable[[Target, random.Random], str]

ACTS: list[tuple[Act, int]] = [
    (listeners.whole, 6),
    (listeners.wav, 3),
    (listeners.streamed, 6),
    (listeners.cloned, 3),
    (listeners.coqui, 2),
    (listeners.openai, 3),
    (listeners.events, 3),
    (listeners.registrar, 1),
    (listeners.reader, 2),
    (typist, 4),
    (nuisances.leaver, 4),
    (nuisances.stopped_reader, 1),
    (nuisances.dripper, 1),
    (nuisances.liar, 4),
    (floods.half_requests, 1),
    (floods.marks, 2),
    (floods.keys, 1),
    (bomb, 3),
]
"""What a client does, and how often in comparison."""

FUZZER_START_S = 60.0
MAX_WRONG = 50
"""Of how many wrong answers the result tells all."""


class Crowd:
    """Clients, a mob of sockets, a fuzzer and a prober.

    Attributes:
        outcomes: How often each act came to what.
        wrong: What was lost or wrong, in words.
        num_wrong: How often anything was.
        probes_ms: How long each probe took while the server was there.
        fuzzed: How often each operation of the document was asked for.
    """

    def __init__(self, target: Target, outages: Outages, ops_url: str, seed: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.num_wrong = 0
        self.probes_ms: list[float] = []
        self.fuzzed: Counter[str] = Counter()
        self._target = target
        self._outages = outages
        self._seed = seed
        self._over = threading.Event()
        self._is_fuzzing = threading.Event()
        self._lock = threading.Lock()
        self._prober = self._process("prober", ops_url)
        self._probing = self._listen(self._prober, self._probed)

    def load(self, seconds: float, clients: int, number: int, during: Callable[[], None]) -> None:
        """Run all clients for a while, and call a function meanwhile.

        Args:
            seconds: How long, from the fuzzer's first request on: it reads the document first.
            clients: How many.
            number: Of the round: the same number, the same acts.
            during: Called at once, in this thread.
        """
        self._over.clear()
        seed = 1000 * self._seed + number
        fuzzer = self._process(
            "fuzzer", self._target.url, str(seed), "1" if self._target.faults else "0"
        )
        self._is_fuzzing.clear()
        listening = self._listen(fuzzer, self._was_fuzzed)
        self._is_fuzzing.wait(FUZZER_START_S)
        ends_at = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._client, args=(random.Random(1000 * seed + index),))
            for index in range(clients)
        ]
        mob = Mob(self._target, random.Random(seed), self._note)
        threads.append(threading.Thread(target=mob.run, args=(self._over,)))
        for thread in threads:
            thread.start()
        try:
            during()
            time.sleep(max(0.0, ends_at - time.monotonic()))
        finally:
            if fuzzer.poll() not in (None, 0):
                self._note("fuzzer: BAD exit")
            fuzzer.kill()
            self._over.set()
        for thread in [*threads, listening]:
            thread.join()
        fuzzer.wait()

    def close(self) -> None:
        """Stop the prober."""
        self._prober.kill()
        self._prober.wait()
        self._probing.join()

    def _client(self, rng: random.Random) -> None:
        """Run one act after the other until the end."""
        acts, weights = zip(*ACTS, strict=True)
        while not self._over.is_set():
            [act] = rng.choices(acts, weights)
            began_at = time.monotonic()
            try:
                word = act(self._target, rng)
            except (requests.RequestException, OSError) as error:
                excused = self._outages.excuse(began_at)
                word = "server died" if excused else f"BAD {error!r}"
                self._over.wait(0.5)
            except Wrong as error:
                word = f"BAD {error}"
            self._note(f"{act.__name__}: {word}")

    def _note(self, outcome: str) -> None:
        with self._lock:
            if "BAD" in outcome:
                self.num_wrong += 1
                if len(self.wrong) < MAX_WRONG:
                    self.wrong.append(outcome)
                outcome = outcome.partition("BAD")[0] + "BAD"
            self.outcomes[outcome] += 1

    def _probed(self, line: str) -> None:
        asked_at, ms, status = line.split()
        if not self._outages.excuse(float(asked_at)):
            self.probes_ms.append(float(ms))
            if status != "200":
                self._note(f"prober: BAD {status} after {ms} ms")

    def _was_fuzzed(self, line: str) -> None:
        asked_at, operation, status, wrong = json.loads(line)
        self._target.count(status)
        self.fuzzed[operation] += 1
        self._is_fuzzing.set()
        if status == 0 and wrong and self._outages.excuse(asked_at):
            self._note("fuzzer: server died")
        elif wrong:
            self._note(f"fuzzer: BAD {operation}: {status} {wrong}")
        else:
            self._note("fuzzer: as documented")

    @staticmethod
    def _process(name: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", f"bench.soak.{name}", *arguments]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def _listen(process: subprocess.Popen[str], take: Callable[[str], None]) -> threading.Thread:
        """Call a function with every line that a process prints."""

        def listen() -> None:
            assert process.stdout is not None
            with process.stdout as lines:
                for line in lines:
                    if line.endswith("\n"):
                        take(line)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        return thread
