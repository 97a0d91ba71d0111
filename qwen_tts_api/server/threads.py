"""The threads that handle requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, TypeVar

Task = TypeVar("Task")


class RequestThreads(Generic[Task]):
    """Threads that are started when they are first needed, up to a limit, and stay.

    The first is there from the start: others may take all that the machine, or a container's limit
    of processes, has left.

    `ThreadPoolExecutor` does the same, but makes a future for each task, whose result nobody wants
    here, and takes three locks for it.

    Args:
        name: Prefix of the threads' names.
        limit: The number of threads.
        handle: Does a task in one of them; must not raise.
    """

    def __init__(self, name: str, limit: int, handle: Callable[[Task], None]) -> None:
        self._name = name
        self._limit = limit
        self._handle = handle
        self._tasks: SimpleQueue[Task] = SimpleQueue()
        self._num_threads = 0
        self._start()

    def submit(self, task: Task, num_open: int) -> None:
        """Queue a task; one thread submits all of them.

        Args:
            task: To be done.
            num_open: How many tasks are queued or being done, this one among them.
        """
        self._tasks.put(task)
        if self._num_threads < min(num_open, self._limit):
            # If no thread can be started, the task waits for one of those that run.
            with suppress(RuntimeError):
                self._start()

    def _start(self) -> None:
        name = f"{self._name}_{self._num_threads}"
        threading.Thread(target=self._run, name=name, daemon=True).start()
        self._num_threads += 1

    def _run(self) -> None:
        while True:
            self._handle(self._tasks.get())
