"""How often a client may do something, by a clock of the test's."""

from __future__ import annotations

from qwen_tts_api.routes.security.rate_limit import WINDOW_S, RateLimit


def test_room_comes_back_as_events_grow_old() -> None:
    """No 60 seconds see more than the limit; what is refused does not count."""
    times = iter([0.0, 20.0, 30.0, 59.0, 60.0, 61.0, 80.0])
    limit = RateLimit(2, clock=lambda: next(times))
    assert [limit.hit("a") for _ in range(7)] == [0, 0, 30, 1, 0, 19, 0]


def test_clients_do_not_share_and_are_forgotten() -> None:
    """Addresses come and go: those of whom nothing counts any more take no memory."""
    now = 0.0
    limit = RateLimit(1, clock=lambda: now)
    for client in range(1000):
        assert limit.hit(str(client)) == 0
    assert limit.hit("0") == WINDOW_S
    now = WINDOW_S
    assert limit.hit("new") == 0
    assert len(limit._events) == 1
