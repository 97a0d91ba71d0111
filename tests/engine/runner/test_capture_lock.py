"""One captures at a time, with nobody computing beside it; and nobody waits for ever."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from qwen_tts_api.engine import loading, worker
from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.runner import capture_lock, graphs, model_runner
from qwen_tts_api.engine.runner.capture_lock import CaptureLock
from qwen_tts_api.engine.runner.graphs import Graph, GraphCache, GraphPool, prepare
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.errors import LoadError, TTSError
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.utterance import Prompt, SamplingParams
from tests.conftest import Bench, assert_same, read, wait_until
from tests.engine.runner.fake_graphs import fake_graphs, graph_runner

TIMEOUT_S = 30


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> CaptureLock:
    """Return the lock of everything in a test."""
    lock = CaptureLock()
    for module in (capture_lock, graphs, loading, worker):
        monkeypatch.setattr(module, "CAPTURES", lock)
    return lock


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


class Stage:
    """Something that a thread is in until it is told to leave."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._leave = threading.Event()
        self.got: object = None

    def run(self, context: Callable[[], Any]) -> None:
        with context() as self.got:
            self.entered.set()
            assert self._leave.wait(TIMEOUT_S)

    def leave(self) -> None:
        self._leave.set()


def enter(threads: ThreadPoolExecutor, context: Callable[[], Any]) -> Stage:
    """Return a stage that a thread has been sent to."""
    stage = Stage()
    threads.submit(stage.run, context)
    return stage


def test_work_is_done_beside_other_work(lock: CaptureLock, threads: ThreadPoolExecutor) -> None:
    """Two models make their frames at once."""
    stages = [enter(threads, lock.work) for _ in range(2)]
    for stage in stages:
        assert stage.entered.wait(TIMEOUT_S)
    for stage in stages:
        stage.leave()


def test_a_capture_and_the_work_of_others_take_turns(
    lock: CaptureLock, threads: ThreadPoolExecutor
) -> None:
    """It waits for what is under way; what comes later waits for it, and comes before the next."""
    with lock.load():
        before = enter(threads, lock.work)
        assert before.entered.wait(TIMEOUT_S)
        after: list[Stage] = []

        def come_later() -> None:
            wait_until(lambda: len(lock._turns) == 1)
            after.append(enter(threads, lock.work))
            wait_until(lambda: len(lock._turns) == 2)
            assert not after[0].entered.is_set()
            before.leave()

        coming = threads.submit(come_later)
        with lock.capture() as alone:
            assert alone
            coming.result(TIMEOUT_S)
            assert not after[0].entered.is_set()
        after[0].leave()
        with lock.capture():
            assert after[0].entered.is_set()


def test_one_captures_amid_its_work(lock: CaptureLock, threads: ThreadPoolExecutor) -> None:
    """Where two want to, one goes on without, or each would wait for the other's frame."""
    beside = enter(threads, lock.work)
    assert beside.entered.wait(TIMEOUT_S)

    def capture_amid_work() -> Stage:
        with lock.work():
            stage = Stage()
            stage.leave()
            stage.run(lock.capture)
        return stage

    first = threads.submit(capture_amid_work)
    wait_until(lambda: lock._turns)
    with lock.capture() as alone:  # as `beside` might try to
        assert not alone
    beside.leave()
    assert first.result(TIMEOUT_S).got is True


@dataclass(frozen=True)
class State:
    """A state for captures."""

    total: Tensor


def add(state: State, key: int) -> Tensor:
    return state.total.add_(key).clone()


def test_while_another_model_loads_nothing_is_captured(
    lock: CaptureLock, threads: ThreadPoolExecutor, cuda: FakeCuda
) -> None:
    """What is missing is run eagerly, and captured when it is wanted later."""
    cache = GraphCache(add, State(torch.zeros(1)), GraphPool(None, cuda.stream()))
    loading = enter(threads, lock.load)
    assert loading.entered.wait(TIMEOUT_S)
    with lock.work():
        assert cache(2).tolist() == [2]
        prepare([Graph(cache, 2)])
        assert len(cache) == 0
        loading.leave()
        wait_until(lambda: cache(2) is not None and len(cache) == 1)
        prepare([Graph(cache, 3)])
        assert len(cache) == 2


class FakeCuda:
    """PyTorch's captures, that of a thread at a time, with nothing computed beside it.

    Attributes:
        captures: The stream and the mode of each.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.captures: list[tuple[object, str]] = []
        self._capturing: int | None = None
        self._computing = 0
        self._lock = threading.Lock()
        monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: self)
        monkeypatch.setattr(torch.cuda, "graph", self._graph)
        monkeypatch.setattr(torch.cuda, "current_stream", self.stream)
        monkeypatch.setattr(torch.cuda, "stream", lambda stream: self.computes())

    def stream(self) -> Any:
        class Stream:
            def wait_stream(self, stream: object) -> None: ...

        return Stream()

    def replay(self) -> None:
        with self.computes():
            pass

    @contextmanager
    def computes(self) -> Iterator[None]:
        """Compute, captured or not."""
        with self._lock:
            assert self._capturing in (None, threading.get_ident()), "work beside a capture"
            self._computing += 1
        yield
        with self._lock:
            self._computing -= 1

    @contextmanager
    def _graph(
        self, graph: object, *, pool: object, stream: object, capture_error_mode: str
    ) -> Iterator[None]:
        with self._lock:
            assert self._capturing is None, "two captures"
            assert self._computing == 0, "a capture beside work"
            self._capturing = threading.get_ident()
            self.captures.append((stream, capture_error_mode))
        yield
        with self._lock:
            self._capturing = None


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    return FakeCuda(monkeypatch)


def test_engines_capture_one_after_the_other(
    lock: CaptureLock, cuda: FakeCuda, threads: ThreadPoolExecutor
) -> None:
    """Each loads, then serves and captures in passing, whatever the others do; on its stream."""

    def make_frame(state: State, key: int) -> Tensor:
        with cuda.computes():
            return add(state, key)

    streams = [cuda.stream() for _ in range(4)]
    start = threading.Barrier(len(streams))

    def live(stream: Any) -> int:
        random_ = random.Random(id(stream))
        start.wait(TIMEOUT_S)
        for _ in range(10):
            cache = GraphCache(make_frame, State(torch.zeros(1)), GraphPool(None, stream))
            with lock.load():
                prepare(Graph(cache, key) for key in range(5))
            assert len(cache) == 5
            for _ in range(100):
                with lock.work():
                    cache(random_.randrange(20))
            with lock.work():
                del cache
        return 1

    assert sum(threads.map(live, streams, timeout=10 * TIMEOUT_S)) == len(streams)
    assert {stream for stream, _ in cuda.captures} == set(streams)
    assert {mode for _, mode in cuda.captures} == {"thread_local"}
    assert len(cuda.captures) > len(streams) * 10 * 5


def assert_speaks_while_another_loads(device: str, cache: Path) -> None:
    """Speak, over and over, until a second model has been loaded; that speaks the same."""
    options = loading.LoadOptions(device, "float32", "sdpa", cache, 4, 512, False)

    def explain(error: Exception) -> TTSError:
        raise error

    def load() -> Scheduler:
        runner = loading.load_runner(
            "nano", options, lambda card: None, lambda doing: None, lambda: None
        )
        return Scheduler(runner, explain)

    def speak(scheduler: Scheduler) -> npt.NDArray[np.int16]:
        scheduler.add(
            job := Job(Prompt("Two models.", "english", "ryan", "", SamplingParams(seed=1)))
        )
        while not scheduler.is_idle:
            with capture_lock.CAPTURES.work():
                scheduler.step()
        return read(job)

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        first = one.submit(load).result()
        expected = one.submit(speak, first).result()
        loaded = other.submit(load)
        while not loaded.done():
            assert_same(one.submit(speak, first).result(), expected)
        spoken = [
            thread.submit(speak, scheduler)
            for _ in range(4)
            for thread, scheduler in ((one, first), (other, loaded.result()))
        ]
        for each in spoken:
            assert_same(each.result(), expected)


@pytest.mark.slow
def test_one_speaks_while_another_loads(
    lock: CaptureLock, nano_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And beside it, with what is captured in passing: nobody hears that there are two."""
    fake_graphs(monkeypatch)
    monkeypatch.setattr(model_runner, "ModelRunner", graph_runner)
    assert_speaks_while_another_loads("cpu", nano_cache)


def test_no_frame_is_made_while_another_model_is_captured(lock: CaptureLock, bench: Bench) -> None:
    """Nor does one give its memory back; both are done after it."""
    with lock.capture():
        job = bench.pool.submit("voice", Prompt("ab", "auto", "ryan", "", SamplingParams()))
        wait_until(lambda: lock._turns)
        assert not bench.runner.prompts
    read(job)
    with lock.capture():
        bench.pool.drain()
        wait_until(lambda: lock._turns)
        assert not bench.runner.closed
    assert bench.pool.close(TIMEOUT_S)
    assert bench.runner.closed


def test_nobody_captures_while_weights_are_loaded(
    lock: CaptureLock,
    threads: ThreadPoolExecutor,
    nano_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor is a second model loaded, which would take the memory that this one counts on."""
    seen: list[bool] = []

    def try_to_capture() -> None:
        with lock.capture() as alone:
            seen.append(alone)

    def load(*_: object) -> LoadedModel:
        threads.submit(try_to_capture).result(TIMEOUT_S)
        raise LoadError("seen enough")

    monkeypatch.setattr(LoadedModel, "load", load)
    options = loading.LoadOptions("cpu", "float32", "sdpa", nano_cache, 4, 512, False)
    with pytest.raises(LoadError, match="seen enough"):
        loading.load_runner("nano", options, lambda _: None, lambda _: None, lambda: None)
    threads.submit(try_to_capture).result(TIMEOUT_S)
    assert seen == [False, True]
