"""The metrics of the service: of requests, from arrival to end, and of the state of models."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import TracebackType

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from qwen_tts_api.audio.provenance import Provenance
from qwen_tts_api.engine.snapshot import PoolStatus
from qwen_tts_api.errors import TTSError
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.service.api_keys import KeysStatus
from qwen_tts_api.service.synthesis.segmented_job import NOTHING_TO_SAY, SegmentedJob
from qwen_tts_api.telemetry.context import UtteranceUsage, current_usage
from qwen_tts_api.telemetry.metrics import Metrics


class RequestMetrics:
    """The metrics of one request. A context manager around the synthesis of its audio.

    At the end they are also added to the usage of the current HTTP request.

    Args:
        metrics: The service's metrics.
        delivery: `whole`; `stream`: the audio is sent while it is made; `live`: the text arrives
            meanwhile, too, so that late audio is no underrun: it may have waited for text.
    """

    def __init__(self, metrics: Metrics, *, delivery: str) -> None:
        self._metrics = metrics
        self._delivery = delivery
        self._usage = current_usage()
        self._arrived_at = time.monotonic()
        self._model = ""
        self._provenance: Provenance | None = None
        self._num_characters = 0
        self._job: SegmentedJob | None = None
        self._num_samples = self._num_void = 0
        self._played_until = 0.0

    def refuse(self, error: TTSError) -> None:
        """Count a request that is refused before it is queued."""
        self._metrics.syntheses.labels(self._model, error.code).inc()

    def start(self, provenance: Provenance, num_characters: int, job: SegmentedJob) -> None:
        """Begin to measure a job that was queued, for a text of so many characters."""
        self._model = provenance.model
        self._provenance = provenance
        self._num_characters = num_characters
        self._job = job

    def record_begin(self) -> None:
        """Restart the clock of the first audio: the first text to speak has arrived."""
        if self._num_samples == 0:
            self._arrived_at = time.monotonic()

    def record_text(self, num_characters: int) -> None:
        """Count characters that were not known at the start."""
        self._num_characters += num_characters

    def restart(self) -> None:
        """Do not count the audio so far: the job was restarted, and nothing was sent."""
        self._num_void = self._num_samples

    def record_audio(self, num_samples: int) -> None:
        """Count the next samples of audio, at `SAMPLE_RATE_HZ`."""
        if self._is_silent:
            return
        now = time.monotonic()
        if self._num_samples == 0:
            seconds = self._metrics.first_audio_seconds.labels(self._delivery)
            seconds.observe(now - self._arrived_at)
            self._played_until = now
        elif self._delivery == "stream" and now > self._played_until:
            self._metrics.underruns.inc()
            self._played_until = now
        self._num_samples += num_samples
        self._played_until += num_samples / SAMPLE_RATE_HZ

    def __enter__(self) -> RequestMetrics:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._job is not None
        metrics, audio_s = self._metrics, self._audio_s
        end = _outcome(error, self._job)
        metrics.syntheses.labels(self._model, end).inc()
        num_characters = self._num_spoken(error)
        self._count_usage(end, num_characters, audio_s)
        if self._is_silent:
            return
        metrics.queue_seconds.observe(self._job.queue_s)
        metrics.audio_seconds.labels(self._model).inc(audio_s)
        metrics.characters.labels(self._model).inc(num_characters)
        if error is None:
            if audio_s:
                metrics.real_time_factor.observe(self._job.model_s / audio_s)
            else:
                metrics.empty_audio.inc()

    def _num_spoken(self, error: BaseException | None) -> int:
        """Return the characters of the text; after an error, of the segments with audio."""
        assert self._job is not None
        if self._is_silent:
            return 0
        if error is None:
            return self._num_characters
        pairs = zip(self._job.segments, self._job.jobs, strict=False)
        begun = sum(len(segment.prompt.text) for segment, job in pairs if job.num_frames)
        return max(begun, self._num_characters) if self._delivery == "live" else begun

    def _count_usage(self, end: str, num_characters: int, audio_s: float) -> None:
        metrics = self._metrics
        label = metrics.key_labels.of(self._usage.key if self._usage is not None else "")
        metrics.key_characters.labels(label).inc(num_characters)
        metrics.key_audio_seconds.labels(label).inc(audio_s)
        if self._usage is not None and (made := self._provenance) is not None:
            self._usage.add(
                UtteranceUsage(made.model, made.voice, made.seed, end, num_characters, audio_s)
            )

    @property
    def _audio_s(self) -> float:
        """Seconds of audio, without what a restart discarded."""
        return (self._num_samples - self._num_void) / SAMPLE_RATE_HZ

    @property
    def _is_silent(self) -> bool:
        """Whether there is nothing to say: such requests would distort rates and times."""
        return self._job is not None and not self._job.num_segments


def outcome(job: SegmentedJob) -> str:
    """Return how a job ended: the error code of a failed segment, else its finish reason."""
    if not job.num_segments:
        return NOTHING_TO_SAY
    return next((each.failure for each in job.jobs if each.failure), job.finish_reason)


def _outcome(error: BaseException | None, job: SegmentedJob) -> str:
    if error is None:
        return outcome(job)
    if isinstance(error, TTSError):
        return error.code
    # Closing a generator that is not exhausted raises GeneratorExit in it.
    return "client_left" if isinstance(error, GeneratorExit) else "internal_error"


def build_metrics(
    pool_status: Callable[[], PoolStatus], keys_status: Callable[[], KeysStatus] | None
) -> Metrics:
    """Return the metrics of a service, given the functions that return its state."""
    snapshots = [lambda: _pool_metrics(pool_status())]
    if keys_status is not None:
        snapshots.append(lambda: _key_metrics(keys_status()))
    return Metrics(*snapshots)


def _pool_metrics(status: PoolStatus) -> Iterator[Metric]:
    """Yield the metric families of the models' state."""
    yield GaugeMetricFamily(
        "qwen_tts_ready", "Whether speech requests are served (1) or refused (0).", status.ready
    )
    yield GaugeMetricFamily(
        "qwen_tts_waiting", "Utterances that wait to be computed.", status.waiting
    )
    gauges = {
        "running": "Utterances that are being computed.",
        "slots": "Utterances that can be computed at once.",
        "pages": "Pages of the KV cache.",
        "pages_used": "Pages of the KV cache that are in use.",
        "memory_bytes": "GPU memory that PyTorch has reserved.",
    }
    counters = {
        "steps": "Steps computed: one frame (80 ms) of every running utterance.",
        "frames": "Frames computed, of all utterances: frames / steps is the mean batch.",
        "prefix_hits": "Prompts whose prefix was found in the prefix cache.",
        "prefix_misses": "Prompts whose prefix was not in the prefix cache.",
        "failures": "Failed computations.",
        "out_of_memory": "Computations that ran out of device memory.",
    }
    for family_type, texts in ((GaugeMetricFamily, gauges), (CounterMetricFamily, counters)):
        for name, text in texts.items():
            family = family_type(f"qwen_tts_{name}", text, labels=["model"])
            for engine in status.engines:
                family.add_metric([engine.name], getattr(engine, name))
            yield family


def _key_metrics(status: KeysStatus) -> Iterator[Metric]:
    """Yield the metric families of the API keys' state."""
    yield GaugeMetricFamily("qwen_tts_api_keys", "Valid API keys.", status.num_keys)
    yield GaugeMetricFamily(
        "qwen_tts_api_keys_file_ok",
        "Whether the API keys file can be read and every line of it is valid.",
        status.state == "ok",
    )
