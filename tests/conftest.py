"""Fixtures: a service over fake models, and a client of it."""

from __future__ import annotations

import contextlib
import gc
import importlib
import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.routing import Rule

from bench.server import Server
from qwen_tts_api.config import Config
from qwen_tts_api.config.settings import DEFAULT_CACHE_DIR
from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.loading import ModelLoader
from qwen_tts_api.engine.pool import ModelPool, ProcessHooks
from qwen_tts_api.engine.roster import TURN_S, PoolSettings
from qwen_tts_api.engine.states import ACCEPTING
from qwen_tts_api.errors import StartupError
from qwen_tts_api.routes import create_app
from qwen_tts_api.service.speech import SpeechService
from qwen_tts_api.telemetry.tracing import Tracer
from tests.fakes import BASE, CUSTOM_VOICE, SMALL_CUSTOM_VOICE, VOICE_DESIGN, FakeHub, FakeRunner
from tests.patience import PATIENCE_S

# As in `model.loading`: tests share their cores with others too. Before PyTorch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

CARDS = {
    "voice": CUSTOM_VOICE,
    "small": SMALL_CUSTOM_VOICE,
    "design": VOICE_DESIGN,
    "clone": BASE,
}


Serve = Callable[..., Server]
START_TIMEOUT_S = 120


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep what is imported with the tests out of the garbage collection, for good.

    Half a million objects: a sixth of a collection's time, then again in each full collection,
    which a model's end asks for, and an error's.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        # When it is imported, it asks who holds the random generators: the frozen do not count.
        # A GPU machine has none.
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module("hypothesis")
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start servers: `server` alone is one of all tests, and quick."""
    for item in items:
        if {"serve", "serve_shared"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("server")


@pytest.fixture(scope="session", autouse=True)
def _compile_routes_once() -> Iterator[None]:
    """Let equal routes of two applications have one compiled function.

    Werkzeug compiles what makes a URL of a rule, twice a rule: two thirds of what a bench takes.
    """
    compiled: dict[tuple[object, ...], Callable[..., tuple[str, str]]] = {}
    compile_builder = Rule._compile_builder

    def compile_once(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        key = (*rule._trace, repr(rule.defaults), append_unknown)
        if key not in compiled:
            compiled[key] = compile_builder(rule, append_unknown)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", compile_once)
        yield


def wait_until(condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    """Wait for a condition that another thread brings about; fail if it does not."""
    began = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - began
        assert waited_s < timeout_s, "the condition was not met in time"
        # A tenth later at most; a server that starts has better to do than to answer.
        time.sleep(min(max(0.002, waited_s / 10), 0.05))


def endings(server: Server) -> Counter[str]:
    """Return how much speech has ended in which way: `stop`, `length`, or an error's code."""
    metrics = text_string_to_metric_families(server.get("/metrics").text)
    syntheses = next(metric for metric in metrics if metric.name == "qwen_tts_syntheses")
    counts: Counter[str] = Counter()
    for sample in syntheses.samples:
        if sample.name.endswith("_total"):
            counts[sample.labels["outcome"]] += int(sample.value)
    return counts


def read(job: Job) -> npt.NDArray[np.int16]:
    """Return all samples of a job; raise the error that it ends with."""
    pieces: list[npt.NDArray[np.int16]] = [np.zeros(0, np.int16)]
    while not job.ended:
        assert job.wait(PATIENCE_S), "the job did not go on"
        piece = job.take()
        pieces += [] if piece is None else [piece]
    job.take()
    return np.concatenate(pieces)


def assert_same(samples: npt.NDArray[np.int16], expected: npt.NDArray[np.int16]) -> None:
    """Equal codes give samples that differ by rounding at most; other codes, by thousands."""
    assert len(samples) == len(expected)
    assert np.abs(samples.astype(int) - expected).max() <= 2


@dataclass
class Bench:
    """A service over fake models, with everything that a test may want to hold or look at."""

    config: Config
    hub: FakeHub
    pool: ModelPool
    service: SpeechService
    client: FlaskClient
    startup_failures: list[StartupError]
    lost: threading.Event

    @property
    def runner(self) -> FakeRunner:
        """The default model's runner."""
        return self.hub.runners["voice"]

    def takes_jobs(self, name: str) -> bool:
        """Whether a model has an engine that takes new jobs: that is neither retired nor ended."""
        engines = self.pool.status().engines
        return any(each.name == name and each.state in ACCEPTING for each in engines)


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Return a function that makes a bench from settings; `start=False` leaves it unloaded."""
    made: list[Bench] = []

    def make(
        *,
        start: bool = True,
        served: tuple[str, ...] = tuple(CARDS),
        rows: int = 1,
        turn_s: float = TURN_S,
        tracer: Tracer | None = None,
        **settings: Any,
    ) -> Bench:
        settings.setdefault("max_loaded_models", len(served))
        settings.setdefault("voices_dir", tmp_path / "voices")
        # The fake says a frame for each character: long jobs are texts that are not divided.
        settings.setdefault("max_segment_chars", 100_000)
        settings.setdefault("max_positions", 200_000)
        config = Config(
            model_id=served[0], models=tuple((name, name) for name in served[1:]), **settings
        )
        hub = FakeHub(CARDS, rows)
        failures: list[StartupError] = []
        lost = threading.Event()
        pool = ModelPool(
            config.served_models,
            ModelLoader(hub.load, CARDS.__getitem__),
            PoolSettings(
                max_loaded=config.max_loaded_models,
                max_queue=config.max_queue,
                hang_timeout_s=config.hang_timeout_s,
                turn_s=turn_s,
                idle_unload_s=config.idle_unload_s or math.inf,
            ),
            ProcessHooks(on_startup_failure=failures.append, on_fatal=lost.set),
        )
        service = SpeechService(config, pool, tracer)
        app = create_app(config, service)
        bench = Bench(config, hub, pool, service, app.test_client(), failures, lost)
        made.append(bench)
        if start:
            service.start()
            wait_until(lambda: service.status().ready)
        return bench

    yield make
    for bench in made:
        bench.hub.gate.set()
        for runner in bench.hub.runners.values():
            runner.gate.set()
        assert bench.service.close(PATIENCE_S)


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """Return a bench with four models: `voice` (the default), `small`, `design`, `clone`."""
    return make_bench()


@pytest.fixture
def client(bench: Bench) -> FlaskClient:
    """Return a client of the bench's application."""
    return bench.client


@pytest.fixture(scope="session")
def nano_cache() -> Path:
    """Return the folder that has nano checkpoints, built by whoever came first: a server, too.

    That they are what is built now is tests/checkpoints/test_nano.py's to hold.
    """
    return DEFAULT_CACHE_DIR


@contextlib.contextmanager
def running(folder: Path, **settings: Any) -> Iterator[Server]:
    """Start a server; kill it if it is still running at the end."""
    server = Server(folder / "log", **settings)
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Return a function that starts a server of the test's own, for tests that end or harm it.

    It returns when the server is ready, or `until(server)` holds; with None, at once.
    """
    with contextlib.ExitStack() as stack:

        def start(
            *, until: Callable[[Server], object] | None = Server.is_ready, **settings: Any
        ) -> Server:
            folder = tmp_path_factory.mktemp("server")
            server = stack.enter_context(running(folder, **settings))
            if until is not None:
                wait_until(lambda: until(server), START_TIMEOUT_S)
            return server

        yield start


@pytest.fixture(scope="session")
def serve_shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Return a function that returns a ready server, one for all tests with the same settings."""
    servers: dict[str, Server] = {}
    with contextlib.ExitStack() as stack:

        def get(**settings: str) -> Server:
            key = repr(sorted(settings.items()))
            if key not in servers:
                folder = tmp_path_factory.mktemp("server")
                servers[key] = stack.enter_context(running(folder, **settings))
                wait_until(servers[key].is_ready, START_TIMEOUT_S)
            return servers[key]

        yield get


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return the one ready server of the default selection; no test harms it."""
    with running(tmp_path_factory.mktemp("server")) as server:
        wait_until(server.is_ready, START_TIMEOUT_S)
        yield server
