"""Run a function of static tensors as one CUDA graph on a GPU, or eagerly.

A frame is more than a thousand operators, each too small to be worth its launch. All of them are
the same each time: they read and write only tensors that stay where they are, and nothing is
decided on the host. So the sequence is captured once for each key, and replayed in one call. A CPU
has no launches to save, and runs the same function eagerly.

A graph is captured before anybody waits for it. While another model is loaded or captured, what is
not captured is run eagerly; so it is where a graph that is wanted later finds no memory.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from qwen_tts_api.engine.runner.capture_lock import CAPTURES
from qwen_tts_api.engine.self_test import is_out_of_memory

logger = logging.getLogger(__name__)

S = TypeVar("S")
K = TypeVar("K", bound=Hashable)

WARM_UP_RUNS = 2


@dataclass(frozen=True)
class GraphPool:
    """Where all graphs of one model are captured and replayed.

    Attributes:
        memory: PyTorch's handle of the memory pool that they share. They need no memory of their
            own because no two of them ever run at the same time.
        stream: The only one they are captured on: within the pool, memory that one graph has freed
            is given to the next only on the same stream.
    """

    memory: Any
    stream: torch.cuda.Stream


def graph_pool(device: torch.device) -> GraphPool | None:
    """Return a pool for a model's graphs; None for a CPU, which has none."""
    if device.type != "cuda":
        return None
    return GraphPool(torch.cuda.graph_pool_handle(), _capture_stream(device))


@functools.cache
def _capture_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the one of all models, whose captures are one after another.

    cuBLAS keeps a workspace (32 MB on an H200) for each stream that it was ever used on.
    """
    return torch.cuda.Stream(device)


class GraphCache(Generic[S, K]):
    """The graphs of one function, by its static arguments.

    Args:
        function: Called with the state and a key; changes the state's tensors in place. The tensor
            that it returns lies in the pool's memory: the next replay of any of the pool's graphs
            may overwrite it, so it must be copied before.
        state: A dataclass of tensors and of dataclasses of tensors, none of them ever replaced.
        pool: Where graphs are captured; None: the function is run eagerly.
    """

    def __init__(
        self, function: Callable[[S, K], Tensor], state: S, pool: GraphPool | None
    ) -> None:
        self._function = function
        self._state = state
        self._pool = pool
        self._replays: dict[K, Callable[[], Tensor]] = {}

    def __call__(self, key: K) -> Tensor:
        """Run the function for a key, capturing it first where it was not."""
        if self._pool is not None and key not in self._replays:
            with CAPTURES.capture() as alone:
                if alone:
                    self._capture_in_passing(key, self._pool)
        if key in self._replays:
            return self._replays[key]()
        return self._function(self._state, key)

    def __len__(self) -> int:
        """Return how many keys have been captured."""
        return len(self._replays)

    def warm_up(self, key: K) -> None:
        """Run the function as it will be captured; see `prepare`."""
        if self._pool is None or key in self._replays:
            return
        stream = self._pool.stream
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_RUNS):
                self._function(self._state, key)
        torch.cuda.current_stream().wait_stream(stream)

    def capture(self, key: K) -> None:
        """Capture what is warmed up, but where another model is loaded or captured."""
        if self._pool is None or key in self._replays:
            return
        with CAPTURES.capture() as alone:
            if alone:
                self._capture(key, self._pool)
                self._replays[key]()  # the first replay is ten times slower than the others

    def _capture_in_passing(self, key: K, pool: GraphPool) -> None:
        """Capture amid work; where there is no memory for it, this and all later keys run eagerly.

        Each kind of request has its graphs, and not all of them were planned for.
        """
        try:
            self._capture(key, pool)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            logger.warning("out of memory for a graph of %s: what is not captured is slower", key)
            self._pool = None

    def _capture(self, key: K, pool: GraphPool) -> None:
        """Capture a graph, which does not run the function."""
        logger.debug("capturing %s", key)
        graph = torch.cuda.CUDAGraph()
        current = torch.cuda.current_stream()
        try:
            # What is not allowed during a capture is so in this thread alone: others may still free
            # tensors, copy to the host or ask how much memory is left.
            with torch.cuda.graph(
                graph, pool=pool.memory, stream=pool.stream, capture_error_mode="thread_local"
            ):
                result = self._function(self._state, key)
        except Exception:
            # Where a capture cannot be ended, PyTorch goes on upon its stream.
            torch.cuda.set_stream(current)
            raise

        def replay() -> Tensor:
            graph.replay()
            return result

        self._replays[key] = replay


class Graph(NamedTuple):
    """One of a cache's graphs, by its key."""

    cache: GraphCache[Any, Any]
    key: Any

    def run(self) -> None:
        """Run it, or what it would be captured of."""
        self.cache(self.key)


def prepare(graphs: Iterable[Graph]) -> None:
    """Warm up and capture, while there is no running slot whose state this would move on.

    CUDA loads kernels and libraries make their workspaces when first used, which a capture does not
    allow. So every kind of key must be prepared once before others are captured in passing.

    All are warmed up before the first is captured: eager runs take memory of their own, which the
    graphs get when they have ended. Between captures it would be needed beside that of the graphs.

    Args:
        graphs: The largest first, so that the others reuse its memory in the pool that they share.
    """
    graphs = [*graphs]
    for graph in graphs:
        graph.cache.warm_up(graph.key)
    for graph in graphs:
        graph.cache.capture(graph.key)
