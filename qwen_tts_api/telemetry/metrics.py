"""What is counted and measured, under the names that Prometheus sees.

Counters and histograms are written where the thing happens; a state is read by a collector when
Prometheus asks. One object a service, so that two in a process do not mix.
"""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)
_FACTORS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 1, 2)


class Metrics:
    """The measurements of one service.

    Args:
        collectors: What reads a state at the moment of the scrape.

    Attributes:
        http_requests: Answers, by `route` (its pattern), `method` and `status`.
        http_seconds: From a request's head to the last byte of its answer, by `route`.
        syntheses: Requests for speech, by `model` and `outcome`: `stop` and `length` are audio,
            `nothing_to_say` is silence, everything else is the code of an error.
        first_audio_seconds: From a request to its first audio, by `delivery`: `whole`, `stream`.
        queue_seconds: From a request to its row in the model.
        real_time_factor: Seconds of computing for a second of audio, of one request.
        audio_seconds: Audio that was made, by `model`.
        characters: Text that was spoken, by `model`.
        underruns: Pieces of a stream that came later than the audio before them had lasted.
        empty_audio: Answers with status 200 and no audio in them. There should be none.
    """

    def __init__(self, *collectors: Collector) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        for collector in collectors:
            registry.register(collector)
        self.http_requests = Counter(
            "qwen_tts_http_requests",
            "Answers of the HTTP server.",
            ["route", "method", "status"],
            registry=registry,
        )
        self.http_seconds = Histogram(
            "qwen_tts_http_request_seconds",
            "From a request's head to the last byte of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.syntheses = Counter(
            "qwen_tts_syntheses",
            "Requests for speech by how they ended: stop, length, or an error's code.",
            ["model", "outcome"],
            registry=registry,
        )
        self.first_audio_seconds = Histogram(
            "qwen_tts_first_audio_seconds",
            "From a request to its first audio.",
            ["delivery"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.queue_seconds = Histogram(
            "qwen_tts_queue_seconds",
            "From a request to its row in the model.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.real_time_factor = Histogram(
            "qwen_tts_real_time_factor",
            "Seconds of computing for a second of audio.",
            buckets=_FACTORS,
            registry=registry,
        )
        self.audio_seconds = Counter(
            "qwen_tts_audio_seconds", "Audio that was made.", ["model"], registry=registry
        )
        self.characters = Counter(
            "qwen_tts_characters", "Text that was spoken.", ["model"], registry=registry
        )
        self.underruns = Counter(
            "qwen_tts_underruns",
            "Pieces of a stream that came later than the audio before them had lasted.",
            registry=registry,
        )
        self.empty_audio = Counter(
            "qwen_tts_empty_audio", "Answers with status 200 and no audio.", registry=registry
        )

    def exposition(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self.registry)
