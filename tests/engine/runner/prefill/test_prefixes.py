"""The store of prompts' beginnings: which are where, and which go."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import torch

from qwen_tts_api.engine.runner.prefill.prefixes import Places, PrefixCache
from qwen_tts_api.engine.runner.prefill.prepared import PrefixKey


def cache_of(num_positions: int) -> PrefixCache:
    pages: Any = SimpleNamespace(key_value=torch.zeros(2, 3, 4, 6, 8))
    return PrefixCache(pages, num_positions)


def key(name: str, reference: str | None = None) -> PrefixKey:
    return PrefixKey(name, "english", "ryan", reference, False)


def add(cache: PrefixCache, name: str, length: int, reference: str | None = None) -> Places:
    places = cache.make_room(length)
    if places:
        cache.add(key(name, reference), places)
    return places


def test_the_least_recently_used_go_and_no_more_than_must() -> None:
    cache = cache_of(10)
    assert cache.store.shape == (2, 10, 6, 8)
    first = add(cache, "a", 4)
    add(cache, "b", 3)
    assert cache.find(key("a")) == first
    assert len(add(cache, "c", 5)) == 5
    assert key("a") in cache
    assert key("b") not in cache
    assert cache.find(key("b")) == ()
    assert (cache.uses.hits, cache.uses.misses) == (1, 1)


def test_what_never_fits_is_not_kept() -> None:
    """It leaves nothing behind that others could not have."""
    cache = cache_of(10)
    assert add(cache, "long", 11) == ()
    assert len(add(cache, "all", 10)) == 10


def test_what_was_not_written_is_free_again() -> None:
    cache = cache_of(10)
    cache.give_back(cache.make_room(7))
    assert len(add(cache, "all", 10)) == 10


def test_a_recording_is_forgotten_with_all_that_begins_with_it() -> None:
    cache = cache_of(10)
    add(cache, "calm", 3, "recording")
    add(cache, "loud", 3, "recording")
    add(cache, "calm", 3, "other")
    cache.forget("recording")
    assert len(cache) == 1
    assert len(add(cache, "new", 7)) == 7
    assert key("calm", "other") in cache


def test_no_place_is_two_prefixes() -> None:
    """Nor lost, whatever happens."""
    random_ = random.Random(1)
    cache = cache_of(40)
    held: dict[PrefixKey, Places] = {}
    for step in range(300):
        length = random_.randint(1, 15)
        places = cache.make_room(length)
        if random_.random() < 0.2:
            cache.give_back(places)
        else:
            held[key(str(step))] = places
            cache.add(key(str(step)), places)
        held = {each: found for each, found in held.items() if each in cache}
        taken = [place for found in held.values() for place in found]
        assert len(set(taken)) == len(taken) <= 40
        if held and random_.random() < 0.5:
            some = random_.choice([*held])
            assert cache.find(some) == held[some]
    for _ in range(len(cache)):
        cache.give_back(cache.make_room(1))
    assert len(cache.make_room(40)) == 40
