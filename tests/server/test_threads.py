"""Threads that handle requests, where the machine has few."""

from __future__ import annotations

import threading
from queue import Queue

import pytest

from qwen_tts_api.server.threads import RequestThreads
from tests.patience import PATIENCE_S


def test_a_port_answers_when_others_have_taken_all_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its probes would fail otherwise, and the server be ended for its load."""
    done: Queue[int] = Queue()
    threads = RequestThreads("test", 4, done.put)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    for number in range(3):
        threads.submit(number, number + 1)
    assert [done.get(timeout=PATIENCE_S) for _ in range(3)] == [0, 1, 2]
