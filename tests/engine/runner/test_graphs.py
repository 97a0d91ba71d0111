"""A graph does what its function does, to the same tensors, as often as it is called."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from qwen_tts_api.engine.runner import graphs
from qwen_tts_api.engine.runner.graphs import GraphCache, graph_pool
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
        graphs.prepare(2)
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
