"""A runner on a CPU that works as on a GPU: with captured graphs, and copies that come late.

What a captured function did is recorded, and done again to the same tensors.

As with a real graph, a capture leaves every tensor as it was; a replay asks the function nothing,
so that whatever Python computed is as it was when it was captured; and what a graph computes lies
in memory that the next graph of the pool overwrites (here, with a number that would be heard).

Refused while a graph is captured:

- to ask for a value, or for a shape that depends on one: the host would wait for the device;
- to read a tensor that is none of the static ones: a replay would read what is there by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.launches import is_composite
from qwen_tts_api.engine.memory.planning import MemoryPlan
from qwen_tts_api.engine.runner import graphs, model_runner
from qwen_tts_api.engine.runner.graphs import GraphPool
from qwen_tts_api.engine.runner.kernels.paths import PLAIN, Kernels
from qwen_tts_api.engine.runner.model_runner import ModelRunner
from qwen_tts_api.model import layers
from qwen_tts_api.model.loaded import LoadedModel
from tests.engine.fake_cuda import HostWaits, Stream

OVERWRITTEN = 77
"""What is left of a graph's results when another one has run."""


class ReadsFromOutside(AssertionError):
    """A captured function read a tensor that may be gone when it is replayed."""


class FakePool:
    """The pool of one model's graphs.

    Attributes:
        owners: Whatever holds the static tensors.
        latest: The graph that has run last.
    """

    def __init__(self, *owners: object) -> None:
        self.owners = owners
        self.latest: FakeGraph | None = None

    def static_storages(self) -> set[int]:
        """Return what graphs may read: the storages of the tensors that the owners hold."""
        return {_storage(tensor) for tensor in tensors_in(self.owners)}


class FakeGraph(TorchDispatchMode):
    """Operators in their order, with the tensors that they read and write."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._pool = FakePool()
        self._static: set[int] = set()
        self._calls: list[tuple[Any, Any, Any, dict[int, Tensor]]] = []
        self._own: dict[int, Tensor] = {}  # what was made here, by its storage
        self._numbers: dict[int, Tensor] = {}  # Python's, that stay as they were
        self._before: dict[int, tuple[Any, Any]] = {}  # storages that were changed, and as what

    def capture(self, pool: FakePool) -> Iterator[None]:
        """Record what is done in the block, and undo it."""
        self._pool, self._static = pool, pool.static_storages()
        with self:
            yield
        for storage, before in self._before.values():
            storage.copy_(before)
        self._before.clear()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        kwargs = kwargs or {}
        if is_composite(func):  # in inference mode these come here whole
            with self:
                return func.decompose(*args, **kwargs)
        if _asks_the_device(func, args):
            raise HostWaits(f"{func} in a captured graph")
        if func is torch.ops.aten.lift_fresh.default and args[0].dim() == 0:
            self._numbers[_storage(args[0])] = args[0]
            return args[0]
        for tensor in _tensors((args, kwargs)):
            self._read(tensor, func)
        result = func(*args, **kwargs)
        read = {_storage(tensor) for tensor in _tensors((args, kwargs))}
        results = enumerate(_tensors(result))
        made = {index: tensor for index, tensor in results if _storage(tensor) not in read}
        self._own.update({_storage(tensor): tensor for tensor in made.values()})
        if made or func._schema.is_mutable:  # else it is a view, which stays one
            self._calls.append((func, args, kwargs, made))
        return result

    def _read(self, tensor: Tensor, func: Any) -> None:
        key = _storage(tensor)
        if key in self._own or key in self._numbers:
            return
        if key not in self._static:
            raise ReadsFromOutside(f"{func} of {tuple(tensor.shape)}, {tensor.dtype}")
        if func._schema.is_mutable and key not in self._before:
            storage = tensor.untyped_storage()
            self._before[key] = storage, storage.clone()

    def replay(self) -> None:
        """Do it again."""
        if self._pool.latest is not None:
            self._pool.latest.overwrite()
        self._pool.latest = self
        for func, args, kwargs, made in self._calls:
            results = _tensors(func(*args, **kwargs))
            for index, tensor in made.items():
                tensor.copy_(results[index])

    def overwrite(self) -> None:
        """Put something else where the results were, as any replay may."""
        for tensor in self._own.values():
            tensor.fill_(OVERWRITTEN)


def tensors_in(owner: object, seen: set[int] | None = None) -> Iterator[Tensor]:
    """Yield the tensors that something holds, itself or through what it holds."""
    seen = set() if seen is None else seen
    if id(owner) in seen:
        return
    seen.add(id(owner))
    if isinstance(owner, Tensor):
        yield owner
        return
    parts: Iterable[object] = ()
    if isinstance(owner, dict):
        parts = owner.values()
    elif isinstance(owner, (list, tuple)):
        parts = owner
    elif type(owner).__module__.startswith(("qwen_tts_api", "tests")):
        parts = vars(owner).values()
    for part in parts:
        yield from tensors_in(part, seen)


def _asks_the_device(func: Any, args: Any) -> bool:
    """Whether the host learns a value or a shape by it; indices do not tell, but masks do."""
    if func is torch.ops.aten.index.Tensor:
        return any(tensor.dtype == torch.bool for tensor in _tensors(args[1]))
    asking = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
    return bool(asking.intersection(func.tags))


def _tensors(values: object) -> list[Tensor]:
    return [each for each in tree_leaves(values) if isinstance(each, Tensor)]


def _storage(tensor: Tensor) -> int:
    key: int = tensor.untyped_storage()._cdata
    return key


@contextmanager
def _capture(
    graph: FakeGraph, *, pool: FakePool, stream: Stream, capture_error_mode: str
) -> Iterator[None]:
    yield from graph.capture(pool)


@contextmanager
def _on_stream(stream: Stream) -> Iterator[None]:
    yield


class LateCopy:
    """A copy to the host as a GPU makes it: it is there when the next one is begun.

    Attributes:
        waits: How often somebody waited for one that was not there.
    """

    waits = 0
    _num_begun = 0

    def __init__(self, tensor: Tensor, stream: object) -> None:
        self._host = tensor.clone()
        LateCopy._num_begun += 1
        self._number = LateCopy._num_begun

    def wait(self) -> Tensor:
        if self._number == LateCopy._num_begun:
            LateCopy.waits += 1
        return self._host


def fake_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let graphs be captured in pools of `FakePool`, and copies come late."""
    monkeypatch.setattr(graphs, "WARM_UP_RUNS", 1)
    monkeypatch.setattr(model_runner, "HostCopy", LateCopy)
    # What the path of a CPU alone keeps between calls is made within each graph.
    monkeypatch.setattr(layers, "_on_cpu", layers._on_cpu.__wrapped__)
    monkeypatch.setattr(torch.cuda, "stream", _on_stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", _capture)


def pool_of(*owners: object) -> GraphPool:
    """Return a place for the graphs of functions whose static tensors these hold."""
    stream: Any = Stream()
    return GraphPool(FakePool(*owners), stream)


def graph_runner(
    model: LoadedModel,
    plan: MemoryPlan,
    *,
    enforce_eager: bool = False,
    kernels: Kernels = PLAIN,
) -> ModelRunner:
    """Return a runner as on a GPU; what it does is to be done with `fake_graphs`."""
    pool = pool_of()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(model_runner, "graph_pool", lambda device: pool)
        runner = ModelRunner(
            model,
            plan,
            enforce_eager=enforce_eager,
            kernels=kernels,
        )
    pool.memory.owners = (
        model,
        runner._state,
        runner._frames,
        runner._chunks,
        runner._prefills,
    )
    stream: Any = Stream()
    runner.lag, runner._copies = 1, stream
    return runner
