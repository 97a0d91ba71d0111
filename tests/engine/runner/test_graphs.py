"""A capture does what the function does, to the same tensors, as often as it is called."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from qwen_tts_api.engine.runner import graphs as graphs_module
from qwen_tts_api.engine.runner.graphs import Capture, GraphCache, tensors_of, with_tensors


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
@pytest.mark.parametrize("plain_calls", [0, 1, 9])
@pytest.mark.parametrize("capture", [Capture.NONE, Capture.TRACE])
def test_each_call_is_one_run(
    capture: Capture, plain_calls: int, prepared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain ones, the one that traces, and the replays; changes from outside are seen."""
    monkeypatch.setattr(graphs_module, "PLAIN_CALLS", plain_calls)
    state = make_state()
    graphs = GraphCache(add, state, capture)
    if prepared:
        graphs.prepare(2)
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
    traced = (plain_calls < 5 or prepared) + (plain_calls < 1)
    assert len(graphs) == (0 if capture is Capture.NONE else traced)


def test_a_state_is_taken_apart_and_put_together() -> None:
    """In the order of its fields; what is no tensor stays."""
    state = make_state()
    assert [tensor.shape for tensor in tensors_of(state)] == [(3,), ()]
    doubled = with_tensors(state, (tensor * 2 for tensor in tensors_of(state)))
    assert doubled.inner.scale == 2
    assert doubled.inner.name == "x"
