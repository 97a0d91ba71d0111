"""The Wyoming port over a fake model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qwen_tts_api.server.wyoming.listener import WyomingServer
from tests.conftest import Bench

Start = Callable[..., tuple[Bench, WyomingServer]]


@pytest.fixture
def start(make_bench: Callable[..., Bench]) -> Iterator[Start]:
    """Return a function that starts the port over a bench with these settings."""
    with contextlib.ExitStack() as stack:

        def make(**settings: Any) -> tuple[Bench, WyomingServer]:
            bench = make_bench(**{"wyoming_bind": "127.0.0.1:0", **settings})
            server = WyomingServer(bench.config, bench.service)
            server.start()
            stack.callback(server.drain)
            return bench, server

        yield make


def outcomes(bench: Bench) -> dict[tuple[str, str], int]:
    """Return how many requests of each type have ended in which way."""
    [family] = bench.service.metrics.wyoming_requests.collect()
    return {
        (sample.labels["event"], sample.labels["outcome"]): int(sample.value)
        for sample in family.samples
        if sample.name.endswith("_total")
    }
