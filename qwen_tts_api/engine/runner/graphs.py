"""Run a function of static tensors as one captured graph, or plainly.

A frame is more than a thousand operators, each too small to be worth its launch. All of them are
the same each time: they read and write only tensors that stay where they are, and nothing is
decided on the host. So the sequence is captured once for each key, and replayed in one call: as a
CUDA graph on a GPU, as a TorchScript trace on a CPU (which saves Python's part: 3.0 instead of 5.3
ms a frame of nano). The plain call is the eager twin of both: the same function.

A CUDA graph is captured before anybody waits for it. A trace, which takes a tenth of a second, is
made while there is nothing else to do, or when plain calls have cost as much as it would. While
another model is loaded or captured, what is not captured is run plainly.
"""

from __future__ import annotations

import dataclasses
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from enum import Enum
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from qwen_tts_api.engine.runner.capture_lock import CAPTURES

logger = logging.getLogger(__name__)

S = TypeVar("S")
K = TypeVar("K", bound=Hashable)

WARM_UP_RUNS = 2

PLAIN_CALLS = 24
"""After as many of a key on a CPU, its trace is worth its time: 0.1 s against 3 to 6 ms a call."""


class Capture(Enum):
    """How functions are captured."""

    NONE = "eager"
    TRACE = "TorchScript trace"
    CUDA_GRAPH = "CUDA graph"


class GraphCache(Generic[S, K]):
    """Captures of one function by its static arguments.

    Args:
        function: Called with the state and a key; changes the state's tensors in place. Returns a
            tensor that every replay overwrites: it must be read before the next call with this key.
        state: A dataclass of tensors and of dataclasses of tensors, none of them ever replaced.
        capture: How.
        pool: The memory pool that a model's CUDA graphs share; they never run at the same time.
        stream: The model's own, where they are captured: the pool's memory is reused only there.
    """

    def __init__(
        self,
        function: Callable[[S, K], Tensor],
        state: S,
        capture: Capture,
        pool: Any = None,
        stream: torch.cuda.Stream | None = None,
    ) -> None:
        self._function = function
        self._state = state
        self._capture = capture
        self._pool = pool
        self._stream = stream
        self._replays: dict[K, Callable[[], Tensor]] = {}
        self._plain_calls: Counter[K] = Counter()

    def __call__(self, key: K) -> Tensor:
        """Run the function for a key, capturing it first where that is worth its time."""
        if key in self._replays:
            return self._replays[key]()
        if self._is_worth_a_capture(key):
            with CAPTURES.capture() as alone:
                if alone:
                    return self._capture_and_run(key)
        self._plain_calls[key] += 1
        return self._function(self._state, key)

    def __len__(self) -> int:
        """Return how many keys have been captured."""
        return len(self._replays)

    def prepare(self, key: K) -> bool:
        """Warm up and capture, while there is no running row whose state this would move on.

        CUDA loads kernels and libraries make their workspaces when first used, which a capture does
        not allow. So every kind of key must be prepared once before others are captured in passing.

        Returns False where another model is loaded or captured: it is to be tried again.
        """
        if self._capture is Capture.NONE or key in self._replays:
            return True
        self._warm_up(key)
        with CAPTURES.capture() as alone:
            if alone:
                self._capture_and_run(key)
                self._replays[key]()  # the first replay is ten times slower than the others
        return alone

    def _is_worth_a_capture(self, key: K) -> bool:
        if self._capture is Capture.TRACE:
            return self._plain_calls[key] >= PLAIN_CALLS
        return self._capture is Capture.CUDA_GRAPH

    def _warm_up(self, key: K) -> None:
        if self._stream is None:
            return
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            for _ in range(WARM_UP_RUNS):
                self._function(self._state, key)
        torch.cuda.current_stream().wait_stream(self._stream)

    def _capture_and_run(self, key: K) -> Tensor:
        if self._capture is Capture.TRACE:
            return self._trace(key)
        self._graph(key)
        return self._replays[key]()

    def _graph(self, key: K) -> None:
        """Capture a CUDA graph, which does not run the function."""
        logger.debug("capturing %s", key)
        graph = torch.cuda.CUDAGraph()
        # What is not allowed during a capture is so in this thread alone: others may still free
        # tensors, copy to the host or ask how much memory is left.
        with torch.cuda.graph(
            graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
        ):
            result = self._function(self._state, key)

        def replay() -> Tensor:
            graph.replay()
            return result

        self._replays[key] = replay

    def _trace(self, key: K) -> Tensor:
        """Trace the function, which runs it once; return that run's result.

        The state's tensors are arguments: as constants of the trace, what is computed from them
        alone might be folded into constants, too.
        """
        logger.debug("tracing %s", key)
        tensors = tuple(tensors_of(self._state))
        results: list[Tensor] = []

        def function(*arguments: Tensor) -> Tensor:
            results.append(self._function(with_tensors(self._state, iter(arguments)), key))
            return results[-1]

        with warnings.catch_warnings():
            # Shapes are static here, which is what the tracer warns of.
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(function, tensors, check_trace=False)
        _fold_sizes(traced.graph)

        def replay() -> Tensor:
            # Optimising would take a tenth of a second more, and nothing can be fused on a CPU.
            with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
                result: Tensor = traced(*tensors)
            return result

        self._replays[key] = replay
        return results[0]


def _fold_sizes(graph: Any) -> None:
    """Make constants of the tensors' sizes, which a trace asks for again and again.

    They are a third of its operators, and a fifth of the time of a frame of nano.
    """
    torch._C._jit_pass_peephole(graph, False)
    torch._C._jit_pass_constant_propagation(graph)
    torch._C._jit_pass_dce(graph)


def tensors_of(state: Any) -> Iterator[Tensor]:
    """Yield the tensors of a dataclass and of the dataclasses in it, in the order of its fields."""
    for field in dataclasses.fields(state):
        value = getattr(state, field.name)
        if isinstance(value, Tensor):
            yield value
        elif dataclasses.is_dataclass(value):
            yield from tensors_of(value)


def with_tensors(state: S, tensors: Iterator[Tensor]) -> S:
    """Return a copy of a dataclass with other tensors, in the order of `tensors_of`."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(state):  # type: ignore[arg-type]
        value = getattr(state, field.name)
        if isinstance(value, Tensor):
            changes[field.name] = next(tensors)
        elif dataclasses.is_dataclass(value):
            changes[field.name] = with_tensors(value, tensors)
    return dataclasses.replace(state, **changes)  # type: ignore[type-var]
