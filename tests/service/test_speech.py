"""The use case where threads meet: nothing that failed looks finished."""

from __future__ import annotations

import pytest

from qwen_tts_api.engine.job import Job
from qwen_tts_api.errors import ClientLeft, SynthesisFailed
from qwen_tts_api.service.requests import SpeechRequest
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


def test_a_client_that_has_left_is_noticed_between_pieces(bench: Bench) -> None:
    """Also where pieces come so quickly that nobody ever waits."""
    with pytest.raises(ClientLeft):
        bench.service.synthesize(SpeechRequest("x" * 3000), client_left=lambda: True)
    wait_until(lambda: not bench.runner.rows[0].running)
