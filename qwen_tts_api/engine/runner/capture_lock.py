"""Who may capture: PyTorch allows one capture a process, and no other work of CUDA beside it.

Two models in memory compute in two threads, and each captures: all that it can while it is loaded,
and what is missing when it is wanted. A capture waits until the frames that others have begun are
made, and theirs wait for its end: some tenths of a second at most, and a frame comes between any
two captures. Models are loaded one after the other; each plans for the memory that the others left.

Source: PyTorch's notes on CUDA semantics, "CUDA Graphs", constraints.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class CaptureLock:
    """A lock that work shares and that a capture has alone, first come first served."""

    def __init__(self) -> None:
        self._loading = threading.RLock()
        self._changed = threading.Condition()
        self._turns: deque[object] = deque()
        self._workers: set[int] = set()
        self._captures = False

    @contextmanager
    def load(self) -> Iterator[None]:
        """Load a model; meanwhile no other thread loads or captures."""
        with self._loading:
            yield

    @contextmanager
    def work(self) -> Iterator[None]:
        """Compute, beside others who do, but not while anybody captures. Once a thread."""
        thread = threading.get_ident()
        with self._turn(lambda: not self._captures):
            self._workers.add(thread)
        try:
            yield
        finally:
            with self._changed:
                self._workers.remove(thread)
                self._changed.notify_all()

    @contextmanager
    def capture(self) -> Iterator[bool]:
        """Hold the lock exclusively, for a capture; allowed inside of the thread's own `work`.

        Yields False, at once, where another thread loads or captures.
        """
        if not self._loading.acquire(blocking=False):
            yield False
            return
        try:
            thread = threading.get_ident()
            with self._turn(lambda: self._workers <= {thread}):
                self._captures = True
            try:
                yield True
            finally:
                with self._changed:
                    self._captures = False
                    self._changed.notify_all()
        finally:
            self._loading.release()

    @contextmanager
    def _turn(self, may_begin: Callable[[], bool]) -> Iterator[None]:
        """Wait until those who came before have begun and this may."""
        turn = object()
        with self._changed:
            self._turns.append(turn)
            try:
                self._changed.wait_for(lambda: self._turns[0] is turn and may_begin())
                yield
            finally:
                self._turns.remove(turn)
                self._changed.notify_all()


CAPTURES = CaptureLock()
"""That of the process."""
