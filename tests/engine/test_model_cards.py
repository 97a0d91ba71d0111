"""What could not be read or loaded of late is not tried by every request."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from qwen_tts_api.engine import model_cards
from qwen_tts_api.engine.model_cards import LoadBackoff
from qwen_tts_api.errors import LoadError
from tests.conftest import Bench

MakeBench = Callable[..., Bench]


def test_the_wait_grows_and_ends_with_a_success() -> None:
    """From 5 s to 5 min."""
    backoff = LoadBackoff()
    assert [backoff.record_failure("a") for _ in range(8)] == [5, 10, 20, 40, 80, 160, 300, 300]
    assert backoff.record_failure("b") == 5
    backoff.reset("a")
    assert backoff.retry_after_s("a") == 0
    assert backoff.record_failure("a") == 5


def test_a_card_that_cannot_be_read_is_not_asked_for_by_every_request(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that does not answer costs the first request its time, not all of them."""
    asked: list[str] = []

    def describe(model_id: str) -> None:
        asked.append(model_id)
        raise LoadError("The hub cannot be reached.")

    bench = make_bench()
    monkeypatch.setattr(bench.pool.cards, "_describe", describe)
    for _ in range(3):
        answer = bench.client.post("/api/tts", json={"text": "Hi.", "model": "clone"})
        assert (answer.status_code, answer.get_json()["code"]) == (503, "model_unavailable")
        assert 1 <= int(answer.headers["Retry-After"]) <= 5
    assert asked == ["clone"]
    monkeypatch.setattr(model_cards, "monotonic", lambda: time.monotonic() + 6)
    bench.client.post("/api/tts", json={"text": "Hi.", "model": "clone"})
    assert asked == ["clone", "clone"]
