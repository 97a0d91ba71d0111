"""The memory of a GPU that has no numbers: what tensors and graphs would take of it.

As PyTorch's allocator has it: what eager runs took stays taken until caches are emptied, and what a
capture took as long as any graph of its pool lives. Its gaps are left out.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

STEP = 512
"""Bytes that a tensor takes are a multiple of it ..."""
LARGE, LARGE_STEP = 2**20, 2**21
"""... of a larger one, from here on."""
YOUNG = 64
"""So many storages are looked at after each operator; most live no longer."""


class FakeMemory(TorchDispatchMode):
    """Counts the storages of a GPU's tensors; raises where there is no memory for one.

    Args:
        total: Bytes.

    Attributes:
        total: As it was given.
        least_free: The least that ever was free.
    """

    def __init__(self, total: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = self.least_free = total
        self._live = self._eager = 0
        self._young: list[tuple[int, StorageWeakRef]] = []
        self._old: list[tuple[int, StorageWeakRef]] = []
        self._pools: dict[Any, int] = {}
        self._graphs: dict[Any, weakref.WeakSet[Any]] = {}
        self._captured: tuple[Any, int] | None = None

    @property
    def free(self) -> int:
        """What is neither taken nor kept."""
        return self.total - self._eager - sum(self._pools.values())

    def empty_cache(self) -> None:
        """Give back what nobody has."""
        gc.collect()
        self._young, self._old = [], self._living([*self._old, *self._young])
        self._eager = self._live
        self._pools = {pool: size for pool, size in self._pools.items() if self._graphs[pool]}

    @contextmanager
    def capturing(self, graph: object, pool: Any) -> Iterator[None]:
        """Count what is taken in the block as the pool's."""
        self.empty_cache()
        self._graphs.setdefault(pool, weakref.WeakSet()).add(graph)
        self._pools.setdefault(pool, 0)
        self._captured = pool, self._live
        try:
            yield
        finally:
            self._captured = None

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        given = {_key(each) for each in _on_gpu((args, kwargs))}
        for made in _on_gpu(result):
            if _key(made) not in given:
                storage = made.untyped_storage()
                step = STEP if storage.nbytes() < LARGE else LARGE_STEP
                size = -(-storage.nbytes() // step) * step
                self._live += size
                self._young.append((size, StorageWeakRef(storage)))
        self._young = self._living(self._young)
        if len(self._young) > YOUNG:
            self._old += self._young[: YOUNG // 2]
            self._young = self._young[YOUNG // 2 :]
        self._take()
        return result

    def _take(self) -> None:
        if self._captured is None:
            self._eager = max(self._eager, self._live)
        else:
            pool, before = self._captured
            self._pools[pool] = max(self._pools[pool], self._live - before)
        if self.free < 0 and self._captured is None:
            self.empty_cache()  # as the allocator does before it gives up
        if self.free < 0:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.least_free = min(self.least_free, self.free)

    def _living(self, storages: list[tuple[int, StorageWeakRef]]) -> list[tuple[int, Any]]:
        living = [each for each in storages if not each[1].expired()]
        self._live -= sum(size for size, _ in storages) - sum(size for size, _ in living)
        return living


def _key(tensor: Tensor) -> int:
    key: int = tensor.untyped_storage()._cdata
    return key


def _on_gpu(values: object) -> list[Tensor]:
    leaves = tree_leaves(values)
    return [each for each in leaves if isinstance(each, Tensor) and each.device.type == "cuda"]


@contextmanager
def fake_memory(total: int) -> Iterator[FakeMemory]:
    """Let the GPU of `fake_cuda` have so much memory; it is counted in the `with` of what this is.

    Args:
        total: Bytes.
    """
    memory, capture = FakeMemory(total), torch.cuda.graph

    @contextmanager
    def counted(graph: Any, *, pool: Any, **options: Any) -> Iterator[None]:
        with memory.capturing(graph, pool), capture(graph, pool=pool, **options):
            yield

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch.cuda, "graph", counted)
        patched.setattr(torch.cuda, "empty_cache", memory.empty_cache)
        patched.setattr(torch.cuda, "mem_get_info", lambda device: (memory.free, memory.total))
        yield memory
