"""What is measured of the service: requests, from their arrival to their end, and its state."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from qwen_tts_api.engine.snapshot import PoolStatus
from qwen_tts_api.errors import TTSError
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.service.keys import KeysStatus
from qwen_tts_api.service.silence import Silence
from qwen_tts_api.telemetry.metrics import Metrics


class Work(Protocol):
    """What is computed for a request."""

    @property
    def queue_s(self) -> float:
        """Seconds between its beginning and its row in the model."""

    @property
    def model_s(self) -> float:
        """Seconds that the model took."""

    @property
    def finish_reason(self) -> str:
        """`stop`, `length` or `nothing_to_say`."""


class Meter:
    """The measurements of one request. A context manager around the making of its audio.

    Args:
        metrics: Where they go.
        streamed: Whether the client hears the audio while it is made.
    """

    def __init__(self, metrics: Metrics, *, streamed: bool) -> None:
        self._metrics = metrics
        self._streamed = streamed
        self._arrived_at = time.monotonic()
        self._model = ""
        self._num_characters = 0
        self._work: Work | None = None
        self._num_samples = 0
        self._played_until = 0.0

    def refused(self, error: TTSError) -> None:
        """Note that nothing was begun."""
        self._metrics.syntheses.labels(self._model, error.code).inc()

    def begun(self, model: str, num_characters: int, work: Work) -> None:
        """Note what is to be made."""
        self._model = model
        self._num_characters = num_characters
        self._work = work

    def piece(self, num_samples: int) -> None:
        """Note the next piece of audio; samples at `SAMPLE_RATE_HZ`."""
        if isinstance(self._work, Silence):
            return
        now = time.monotonic()
        if self._num_samples == 0:
            delivery = "stream" if self._streamed else "whole"
            self._metrics.first_audio_seconds.labels(delivery).observe(now - self._arrived_at)
            self._played_until = now
        elif self._streamed and now > self._played_until:
            self._metrics.underruns.inc()
            self._played_until = now
        self._num_samples += num_samples
        self._played_until += num_samples / SAMPLE_RATE_HZ

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._work is not None
        metrics, audio_s = self._metrics, self._num_samples / SAMPLE_RATE_HZ
        metrics.syntheses.labels(self._model, _outcome(error, self._work)).inc()
        if isinstance(self._work, Silence):  # which would make the model look fast
            return
        metrics.queue_seconds.observe(self._work.queue_s)
        metrics.audio_seconds.labels(self._model).inc(audio_s)
        if error is None:
            metrics.characters.labels(self._model).inc(self._num_characters)
            if self._num_samples:
                metrics.real_time_factor.observe(self._work.model_s / audio_s)
            else:
                metrics.empty_audio.inc()


def _outcome(error: BaseException | None, work: Work) -> str:
    if error is None:
        return work.finish_reason
    if isinstance(error, TTSError):
        return error.code
    # A stream that is not read on is closed, which its generator sees as this.
    return "client_left" if isinstance(error, GeneratorExit) else "internal_error"


def build_metrics(
    models: Callable[[], PoolStatus], keys: Callable[[], KeysStatus] | None
) -> Metrics:
    """Return the metrics of a service, given what tells the state of its models and of its keys."""
    collectors: list[Collector] = [_Models(models)]
    if keys is not None:
        collectors.append(_Keys(keys))
    return Metrics(*collectors)


class _Keys(Collector):
    """Looks at the file of keys at the moment of the scrape."""

    def __init__(self, status: Callable[[], KeysStatus]) -> None:
        self._status = status

    def describe(self) -> list[Metric]:
        """Return nothing, as for the models."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield one family for each thing."""
        status = self._status()
        yield GaugeMetricFamily(
            "qwen_tts_api_keys", "API keys that let clients in.", float(status.num_keys)
        )
        yield GaugeMetricFamily(
            "qwen_tts_api_keys_file_ok",
            "Whether the file of API keys can be read, and has keys and nothing else.",
            float(status.state == "ok"),
        )


class _Models(Collector):
    """Reads the state of the models at the moment of the scrape."""

    def __init__(self, status: Callable[[], PoolStatus]) -> None:
        self._status = status

    def describe(self) -> list[Metric]:
        """Return nothing: there is no need to ask before the service stands."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield one family for each thing."""
        status = self._status()
        yield GaugeMetricFamily(
            "qwen_tts_ready", "Whether requests are answered with audio.", float(status.ready)
        )
        yield GaugeMetricFamily(
            "qwen_tts_waiting", "Utterances that wait for a row.", float(status.waiting)
        )
        gauges = {
            "running": "Utterances that are being computed.",
            "rows": "Utterances that can be computed at once.",
            "memory_bytes": "GPU memory that PyTorch holds for the process.",
        }
        counters = {
            "frames": "Frames (80 ms) that were computed, whatever the number of rows in them.",
            "row_frames": "Rows in those frames: row_frames / frames is the mean batch.",
            "failures": "Computations that failed.",
            "out_of_memory": "Computations for which the device had no memory.",
        }
        for name, text in gauges.items():
            gauge = GaugeMetricFamily(f"qwen_tts_{name}", text, labels=["model"])
            for engine in status.engines:
                gauge.add_metric([engine.name], getattr(engine, name))
            yield gauge
        for name, text in counters.items():
            counter = CounterMetricFamily(f"qwen_tts_{name}", text, labels=["model"])
            for engine in status.engines:
                counter.add_metric([engine.name], getattr(engine, name))
            yield counter
