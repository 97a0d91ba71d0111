"""The use case where threads meet: nothing that failed looks finished."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest

from qwen_tts_api.engine.job import Job
from qwen_tts_api.errors import ClientLeft, SynthesisFailed
from qwen_tts_api.service.request import SpeechRequest
from tests.conftest import Bench, wait_until


def test_a_job_that_fails_between_two_looks_fails_the_request(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever it happens: here, just after a wait that saw nothing."""

    def fail_unseen(job: Job, timeout_s: float) -> bool:
        job.fail(SynthesisFailed("broken"))
        return False

    monkeypatch.setattr(Job, "wait", fail_unseen)
    with pytest.raises(SynthesisFailed):
        bench.service.synthesize(SpeechRequest("Hello"))


class Gone:
    """A client that has left already."""

    def on_disconnect(self, callback: Callable[[], object]) -> AbstractContextManager[None]:
        callback()
        return nullcontext()


def test_a_client_that_has_left_gets_nothing(bench: Bench) -> None:
    """Whether its job is in the model by then or not, its row is free, and its place in the queue.

    The wait for audio is one wait: nobody looks every few milliseconds whether the client is there.
    """
    with pytest.raises(ClientLeft):
        bench.service.synthesize(SpeechRequest("x" * 3000), Gone())
    wait_until(lambda: bench.service.status().running + bench.service.status().waiting == 0)
    bench.service.synthesize(SpeechRequest("next"))
