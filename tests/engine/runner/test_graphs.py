"""A graph does what its function does, to the same tensors, as often as it is called."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from qwen_tts_api.engine.runner import graphs
from qwen_tts_api.engine.runner.graphs import Graph, GraphCache, graph_pool, prepare
from tests.engine.fake_cuda import Stream
from tests.engine.runner.fake_graphs import OVERWRITTEN, fake_graphs, pool_of


@dataclass(frozen=True)
class Inner:
    """What a state may contain."""

    scale: Tensor
    name: str


@dataclass(frozen=True)
class State:
    """A state with a part of its own."""

    total: Tensor
    inner: Inner


def make_state() -> State:
    return State(torch.zeros(3), Inner(torch.ones(()), "x"))


def add(state: State, key: int) -> Tensor:
    """Depend on tensors that others change, too, and on the key."""
    state.total.add_(state.inner.scale.clamp(max=10) * key)
    return state.total * 2


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("captured", [False, True])
def test_each_call_is_one_run(
    captured: bool, prepared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eager ones, the one that captures, and the replays; changes from outside are seen."""
    fake_graphs(monkeypatch)
    state = make_state()
    graphs = GraphCache(add, state, pool_of(state) if captured else None)
    if prepared:
        prepare([Graph(graphs, 2)])
        assert len(graphs) == captured
        state.total.zero_()
    with torch.inference_mode():
        assert graphs(2).tolist() == [4, 4, 4]
        assert graphs(2).tolist() == [8, 8, 8]
        state.inner.scale.fill_(5)
        assert graphs(2).tolist() == [28, 28, 28]
        state.inner.scale.fill_(50)
        assert graphs(1).tolist() == [48, 48, 48]
        state.total.zero_()
        assert graphs(2).tolist() == [40, 40, 40]
    assert len(graphs) == (2 if captured else 0)


def test_a_result_is_overwritten_by_the_next_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graphs of a pool share its memory: a result must be copied before."""
    fake_graphs(monkeypatch)
    state = make_state()
    graphs = GraphCache(add, state, pool_of(state))
    first = graphs(1)
    assert first.tolist() == [2, 2, 2]
    assert graphs(2).tolist() == [6, 6, 6]
    assert first.tolist() == [OVERWRITTEN] * 3


def test_all_run_eagerly_before_any_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    """What eager runs take, and what graphs keep, is never in memory at once."""
    fake_graphs(monkeypatch)
    done: list[tuple[str, int]] = []

    def function(state: State, key: int) -> Tensor:
        done.append(("captured" if captures else "run", key))
        return add(state, key)

    state, captures = make_state(), False
    cache = GraphCache(function, state, pool_of(state))
    capture = torch.cuda.graph

    @contextmanager
    def capturing(*args: Any, **kwargs: Any) -> Iterator[None]:
        nonlocal captures
        with capture(*args, **kwargs):
            captures = True
            yield
            captures = False

    monkeypatch.setattr(torch.cuda, "graph", capturing)
    prepare(Graph(cache, key) for key in (2, 1))
    assert done == [("run", 2), ("run", 1), ("captured", 2), ("captured", 1)]


def capture_raises(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[object]:
    """Let no more be captured; return what is set as the thread's stream after that."""
    current, streams = Stream(), list[object]()

    @contextmanager
    def capture(*_: object, **__: object) -> Iterator[None]:
        streams.append("another")
        raise error
        yield

    monkeypatch.setattr(torch.cuda, "graph", capture)
    monkeypatch.setattr(torch.cuda, "set_stream", streams.append)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: current)
    streams.append(current)
    return streams


def test_what_finds_no_memory_for_a_graph_runs_eagerly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was captured is replayed on; no other capture is tried, which would take as long."""
    fake_graphs(monkeypatch)
    state = make_state()
    cache = GraphCache(add, state, pool_of(state))
    assert cache(1).tolist() == [2, 2, 2]
    streams = capture_raises(monkeypatch, torch.OutOfMemoryError("CUDA out of memory."))
    assert cache(2).tolist() == [6, 6, 6]
    assert cache(3).tolist() == [12, 12, 12]
    assert cache(1).tolist() == [14, 14, 14]
    assert len(cache) == 1
    assert streams == [streams[0], "another", streams[0]]
    assert "out of memory for a graph of 2" in caplog.text


def test_what_else_a_capture_raises_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device may be lost."""
    fake_graphs(monkeypatch)
    state = make_state()
    streams = capture_raises(monkeypatch, torch.AcceleratorError("CUDA error: launch failure"))
    with pytest.raises(torch.AcceleratorError):
        GraphCache(add, state, pool_of(state))(2)
    assert streams == [streams[0], "another", streams[0]]


def test_all_models_capture_on_one_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries keep memory for each stream that there ever was; each model has a pool."""
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: object())
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", object)
    stream_of = functools.cache(graphs._capture_stream.__wrapped__)
    monkeypatch.setattr(graphs, "_capture_stream", stream_of)
    pools = [graph_pool(torch.device("cuda", index)) for index in (0, 0, 1)]
    streams = [pool.stream for pool in pools if pool is not None]
    assert [streams.index(stream) for stream in streams] == [0, 0, 2]
    assert len({id(pool.memory) for pool in pools if pool is not None}) == 3


def test_a_cpu_has_no_graphs() -> None:
    """It runs eagerly, whatever the settings say."""
    assert graph_pool(torch.device("cpu")) is None
