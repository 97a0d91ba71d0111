"""The queue of one socket: in order, bounded, and cancelled as a whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from qwen_tts_api.errors import QueueFull, Unavailable
from qwen_tts_api.routes.live.speech_queue import MAX_TASKS, SpeechQueue
from tests.conftest import wait_until


class Socket:
    """Counts who works; closing it is noted."""

    def __init__(self) -> None:
        self.num_working = 0
        self.closed: list[int] = []

    @contextmanager
    def working(self) -> Iterator[None]:
        self.num_working += 1
        try:
            yield
        finally:
            self.num_working -= 1

    def close(self, code: int, reason: str) -> None:
        self.closed.append(code)


def queue_of(socket: Any) -> SpeechQueue:
    return SpeechQueue(socket)


def test_no_more_tasks_wait_than_may() -> None:
    """The one that is refused is cancelled; the others are done in their order."""
    socket, gate, done = Socket(), threading.Event(), list[int]()
    queue = queue_of(socket)
    queue.add(gate.wait)
    for number in range(1, MAX_TASKS):
        queue.add(lambda number=number: done.append(number))  # type: ignore[misc]
    assert socket.num_working == MAX_TASKS
    refused = threading.Event()
    with pytest.raises(QueueFull):
        queue.add(lambda: done.append(-1), refused.set)
    assert refused.is_set()
    gate.set()
    wait_until(lambda: queue.current is None and not socket.num_working)
    assert done == list(range(1, MAX_TASKS))


def test_a_task_without_a_thread_is_refused_and_the_next_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    socket, refused, done = Socket(), threading.Event(), threading.Event()
    queue = queue_of(socket)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(Unavailable):
            queue.add(lambda: None, refused.set)
    assert refused.is_set()
    assert (queue.current, socket.num_working) == (None, 0)
    queue.add(done.set)
    wait_until(done.is_set)
    queue.close()


def test_closing_cancels_what_runs_and_what_waits() -> None:
    """And waits for the end of the thread."""
    socket, cancelled = Socket(), [threading.Event() for _ in range(3)]
    queue = queue_of(socket)
    for event in cancelled:
        queue.add(event.wait, event.set)
    queue.close()
    assert all(event.is_set() for event in cancelled)
    assert (queue.current, socket.num_working) == (None, 0)


def test_a_task_that_fails_closes_the_socket() -> None:
    """With 1011; it is cancelled, so that its work ends."""
    socket, cancelled = Socket(), threading.Event()
    queue = queue_of(socket)
    queue.add(lambda: 1 / 0, cancelled.set)
    wait_until(lambda: socket.closed)
    assert socket.closed == [1011]
    assert cancelled.is_set()
