"""When pings are due, and when their pong is missing."""

from __future__ import annotations

import pytest

from qwen_tts_api.routes.live.heartbeat import SLOWEST_BYTES_S, Heartbeat


def test_a_ping_is_sent_each_interval_and_needs_its_pong() -> None:
    heartbeat = Heartbeat(20, now=100)
    assert not heartbeat.beat(119.9)
    assert heartbeat.beat(120)
    assert not heartbeat.beat(139.9)
    heartbeat.pong(121)
    assert heartbeat.due_at == 141
    assert heartbeat.beat(141)
    with pytest.raises(TimeoutError):
        heartbeat.beat(161)


def test_a_client_that_has_much_to_read_may_take_longer() -> None:
    """The ping is behind the audio, and its pong comes when that was played."""
    heartbeat = Heartbeat(20, now=0)
    heartbeat.sent(30 * SLOWEST_BYTES_S)
    assert heartbeat.beat(20)
    heartbeat.sent(10 * SLOWEST_BYTES_S)
    assert not heartbeat.beat(79)
    with pytest.raises(TimeoutError):
        heartbeat.beat(80)
