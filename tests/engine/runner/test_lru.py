"""A cache that forgets what was not used for longest."""

from __future__ import annotations

import pytest

from qwen_tts_api.engine.runner.lru import LruCache


def test_the_least_recently_used_value_goes() -> None:
    """And no more than that; what is there is not made again."""
    made: list[str] = []
    cache: LruCache[str, str] = LruCache(2)

    def get(key: str) -> str:
        def make() -> str:
            made.append(key)
            return key.upper()

        return cache.get(key, make)

    assert [get(key) for key in "abac"] == list("ABAC")
    assert made == ["a", "b", "c"]
    assert ("a" in cache, "b" in cache, "c" in cache) == (True, False, True)
    assert len(cache) == 2


def test_what_cannot_be_made_leaves_no_trace() -> None:
    """Neither a value nor a hole."""
    cache: LruCache[str, int] = LruCache(1)
    cache.get("a", lambda: 1)
    with pytest.raises(ZeroDivisionError):
        cache.get("b", lambda: 1 // 0)
    assert "a" in cache
    assert "b" not in cache
