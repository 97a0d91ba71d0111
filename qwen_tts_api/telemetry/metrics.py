"""Prometheus metrics of the service.

Counters and histograms are updated where the event happens. The state of the models and of the API
keys is read at each scrape. Each service has its own registry.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

M = TypeVar("M", Counter, Histogram)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

MAX_KEYS = 200
"""How many API keys have a label of their own."""

OTHER_KEYS = "(other)"
"""The label of all others; no name of a key has a parenthesis."""

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)
_FACTORS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 1, 2)


class KeyLabels:
    """The labels of API keys: their names, as long as there are not too many.

    The file of the keys may have any number of names, and others after each change: those behind
    the first MAX_KEYS share a label.
    """

    def __init__(self) -> None:
        self._names: set[str] = set()

    def of(self, key: str) -> str:
        """Return the label of a key, by its name; empty is none."""
        if len(self._names) < MAX_KEYS:
            self._names.add(key)
        return key if key in self._names else OTHER_KEYS


class Metrics:
    """Counters and histograms of one service, and its registry.

    Labels: `route` is the URL's pattern; `outcome` is `stop`, `length`, `loop`, `nothing_to_say` or
    the code of an error; `delivery` is `whole`, `stream` or `live`; `key` is an API key's name.

    Args:
        snapshots: Each returns metric families of the current state, at every scrape.
    """

    def __init__(self, *snapshots: Callable[[], Iterable[Metric]]) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        for snapshot in snapshots:
            registry.register(_Snapshot(snapshot))
        counter = partial(_made, Counter, registry=registry)
        histogram = partial(_made, Histogram, registry=registry, buckets=_SECONDS)

        self._add_connections(counter, histogram)
        self.syntheses = counter(
            "qwen_tts_syntheses",
            "Speech requests by outcome: stop, length, loop, nothing_to_say, or an error's code.",
            ["model", "outcome"],
        )
        self.first_audio_seconds = histogram(
            "qwen_tts_first_audio_seconds",
            "Time from a speech request to its first audio.",
            ["delivery"],
        )
        self.queue_seconds = histogram(
            "qwen_tts_queue_seconds", "Time that a speech request waits before it is computed."
        )
        self.real_time_factor = histogram(
            "qwen_tts_real_time_factor",
            "Computing time divided by the duration of the audio, per speech request.",
            buckets=_FACTORS,
        )
        self.audio_seconds = counter(
            "qwen_tts_audio_seconds", "Duration of the generated audio.", ["model"]
        )
        self.characters = counter(
            "qwen_tts_characters", "Characters of synthesized text.", ["model"]
        )
        self.key_audio_seconds = counter(
            "qwen_tts_key_audio_seconds", "Duration of the audio that was made for a key.", ["key"]
        )
        self.key_characters = counter(
            "qwen_tts_key_characters", "Characters of text that were spoken for a key.", ["key"]
        )
        self.key_labels = KeyLabels()
        self.underruns = counter(
            "qwen_tts_underruns",
            "Chunks of a stream that came after the audio before them had been played.",
        )
        self.empty_audio = counter(
            "qwen_tts_empty_audio", "Responses with status 200 and no audio."
        )

    def _add_connections(
        self, counter: Callable[..., Counter], histogram: Callable[..., Histogram]
    ) -> None:
        self.http_requests = counter(
            "qwen_tts_http_requests", "HTTP responses.", ["route", "method", "status"]
        )
        self.http_seconds = histogram(
            "qwen_tts_http_request_seconds",
            "Duration of an HTTP request, from its head to the last byte of the response.",
            ["route"],
        )
        self.wyoming_requests = counter(
            "qwen_tts_wyoming_requests",
            "Requests on the Wyoming port by outcome: ok, or an error's code.",
            ["event", "outcome"],
        )
        self.sockets = Gauge("qwen_tts_sockets", "Open WebSockets.", registry=self.registry)
        self.socket_messages = counter(
            "qwen_tts_socket_messages",
            "Messages over WebSockets: `received` or `sent`.",
            ["route", "direction"],
        )

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self.registry)


def _made(make: Callable[..., M], *arguments: Any, **options: Any) -> M:
    """Make a metric that finds its children in one call: a request wants eight of them."""
    metric = make(*arguments, **options)
    metric.labels = functools.cache(metric.labels)  # type: ignore[method-assign]
    return metric


class _Snapshot(Collector):
    """Collects what a function returns at the moment of a scrape."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering does not collect before the service is built."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Return the metric families of the current state."""
        return self._collect()
