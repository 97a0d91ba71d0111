"""Run a function of static tensors: captured as a CUDA graph on a GPU, plainly elsewhere.

A captured function reads and writes only tensors that stay where they are, and decides nothing on
the host, so a replay is one launch instead of a thousand. The plain call is its eager twin: the
same function, which is what the tests on a CPU run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import torch

logger = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")

WARM_UP_RUNS = 2


class GraphCache(Generic[K, R]):
    """Graphs of one function by its static arguments; captured when first asked for.

    Args:
        function: Called with a key. What it returns must be tensors (or None) that every replay
            overwrites; the caller must have read them before the next call with the same key.
        capture: Whether to capture; False calls the function every time.
        pool: The memory pool that the graphs share. They never run at the same time.
    """

    def __init__(self, function: Callable[[K], R], *, capture: bool, pool: Any = None) -> None:
        self._function = function
        self._capture = capture
        self._pool = pool
        self._graphs: dict[K, tuple[torch.cuda.CUDAGraph, R]] = {}

    def __call__(self, key: K) -> R:
        """Run the function for a key, by replaying its graph if there is one."""
        if not self._capture:
            return self._function(key)
        if key not in self._graphs:
            self._graphs[key] = self._captured(key)  # no warm-up: it would move live rows on
        graph, result = self._graphs[key]
        graph.replay()
        return result

    def __len__(self) -> int:
        """Return how many graphs have been captured."""
        return len(self._graphs)

    def prepare(self, key: K) -> None:
        """Warm up and capture, while there is no state to lose; nothing where nothing is captured.

        CUDA loads kernels and libraries make their workspaces when first used, which a capture does
        not allow. So every kind of key must be prepared once before keys are captured in passing.
        """
        if self._capture and key not in self._graphs:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARM_UP_RUNS):
                    self._function(key)
            torch.cuda.current_stream().wait_stream(side)
            self._graphs[key] = self._captured(key)

    def _captured(self, key: K) -> tuple[torch.cuda.CUDAGraph, R]:
        logger.debug("capturing %s for %s", getattr(self._function, "__name__", "?"), key)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            result = self._function(key)
        return graph, result
