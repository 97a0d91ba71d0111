"""A job's reader is woken up when there is something for it, and only then."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from qwen_tts_api.engine.job import Job
from qwen_tts_api.errors import SynthesisFailed
from qwen_tts_api.model.utterance import Prompt, SamplingParams
from tests.patience import PATIENCE_S

FRAME = np.ones(1920, np.int16)


@pytest.fixture
def job() -> Job:
    return Job(Prompt("Hello.", "auto", "ryan", "", SamplingParams(), streaming=True))


class CountedLock:
    """A lock that counts how often it is released, and tells when it is waited for."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self.num_released = 0
        self.is_awaited = threading.Event()

    def acquire(self, timeout: float = -1) -> bool:
        self.is_awaited.set()
        taken: bool = self._lock.acquire(timeout=timeout)
        return taken

    def release(self) -> None:
        self.num_released += 1
        self._lock.release()


def test_a_chunk_wakes_its_reader_up_once(job: Job) -> None:
    """However much is written before the reader runs; and nobody is woken up who does not wait."""
    wake_up = job._wake_up = CountedLock(job._wake_up)  # type: ignore[assignment]
    reader = threading.Thread(target=job.wait, args=[10])
    reader.start()
    assert wake_up.is_awaited.wait(PATIENCE_S)
    for _ in range(3):
        job.write(FRAME)
    job.finish("stop")
    reader.join(PATIENCE_S)
    assert wake_up.num_released == 1
    assert job.wait(PATIENCE_S)
    assert [job.take() is not None for _ in range(4)] == [True, True, True, False]
    assert job.ended


def test_a_wait_ends_in_vain_and_the_next_does_not(job: Job) -> None:
    """A time-out leaves nothing behind that the next wait would take for news."""
    assert not job.wait(0)
    assert not job.wait(-1)
    assert not job.wait(0.01)
    job.write(FRAME)
    assert job.wait(0)
    job.take()
    assert not job.wait(0)


def test_news_at_the_moment_of_the_time_out_is_no_time_out(job: Job) -> None:
    """It was written after the wait gave up and before it was noted; the next wait is whole."""
    write = job.write

    class LateLock(CountedLock):
        def acquire(self, timeout: float = -1) -> bool:
            if timeout == 0:
                write(FRAME)
                return False
            return super().acquire(timeout)

    job._wake_up = LateLock(job._wake_up)  # type: ignore[assignment]
    assert job.wait(0)
    assert job.take() is not None
    job._wake_up = job._wake_up._lock  # type: ignore[attr-defined]
    assert not job.wait(0.01)


def test_an_endless_wait_is_one(job: Job) -> None:
    """Until it is over, for whatever reason."""
    job.cancel(SynthesisFailed("no more"))
    assert job.wait(float("inf"))
    with pytest.raises(SynthesisFailed):
        job.take()
