"""What is measured of requests for speech."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qwen_tts_api.errors import ClientLeft, QueueFull, SynthesisFailed, UnknownModel
from qwen_tts_api.service.metrics import RequestMetrics
from qwen_tts_api.service.request import NULL_CLIENT, SpeechRequest
from tests.conftest import Bench, wait_until
from tests.service.test_speech import Gone

MakeBench = Callable[..., Bench]


def value(bench: Bench, name: str, **labels: str) -> float:
    """Return a sample of the metrics, 0 if there is none."""
    return bench.service.metrics.registry.get_sample_value(f"qwen_tts_{name}", labels) or 0.0


def test_a_whole_file(bench: Bench) -> None:
    """Outcome, audio, text, times."""
    bench.service.synthesize(SpeechRequest("Hello"))
    assert value(bench, "syntheses_total", model="voice", outcome="stop") == 1
    assert value(bench, "audio_seconds_total", model="voice") == pytest.approx(5 * 0.08)
    assert value(bench, "characters_total", model="voice") == 5
    assert value(bench, "first_audio_seconds_count", delivery="whole") == 1
    assert value(bench, "queue_seconds_count") == value(bench, "real_time_factor_count") == 1
    assert value(bench, "empty_audio_total") == value(bench, "underruns_total") == 0


def test_children_of_a_metric_are_looked_up_once(bench: Bench) -> None:
    """A request wants eight of them."""
    labels = bench.service.metrics.syntheses.labels
    assert labels("voice", "stop") is labels("voice", "stop")
    assert labels.cache_info().hits == 1  # type: ignore[attr-defined]


def test_a_stream_counts_when_it_is_over(bench: Bench) -> None:
    """Not when it begins; one that is not read on is a client that left."""
    stream = bench.service.stream(SpeechRequest("Hello", stream=True))
    assert value(bench, "first_audio_seconds_count", delivery="stream") == 1
    assert value(bench, "syntheses_total", model="voice", outcome="stop") == 0
    assert list(stream)
    assert value(bench, "syntheses_total", model="voice", outcome="stop") == 1
    bench.runner.gate.clear()
    left = bench.service.stream(SpeechRequest("Hello again", stream=True))
    left.close()
    assert value(bench, "syntheses_total", model="voice", outcome="client_left") == 1


def test_a_late_piece_is_an_underrun(bench: Bench) -> None:
    """Later than the audio before it had lasted; what follows is played from then on."""
    metrics = RequestMetrics(bench.service.metrics, delivery="stream")
    metrics.record_audio(24_000)
    metrics.record_audio(24_000)
    assert value(bench, "underruns_total") == 0
    metrics._played_until = 0.0
    metrics.record_audio(24_000)
    metrics.record_audio(24_000)
    assert value(bench, "underruns_total") == 1


def test_errors_count_by_their_code(make_bench: MakeBench) -> None:
    """Those of the model, those before it, and clients that leave."""
    bench = make_bench(max_queue=1)
    bench.runner.error = RuntimeError("broken")
    with pytest.raises(SynthesisFailed):
        bench.service.synthesize(SpeechRequest("Hello"))
    assert value(bench, "syntheses_total", model="voice", outcome="synthesis_failed") == 1
    assert value(bench, "failures_total", model="voice") == 1
    with pytest.raises(UnknownModel):
        bench.service.synthesize(SpeechRequest("Hello", model="none"))
    assert value(bench, "syntheses_total", model="", outcome="unknown_model") == 1
    wait_until(lambda: bench.pool.status().ready)
    with pytest.raises(ClientLeft):
        bench.service.synthesize(SpeechRequest("x" * 3000), Gone())
    assert value(bench, "syntheses_total", model="voice", outcome="client_left") == 1


def test_what_the_models_do(make_bench: MakeBench) -> None:
    """Rows, waiting, frames; a full queue is an outcome, too."""
    bench = make_bench(max_queue=1)
    bench.runner.gate.clear()
    streams = [bench.service._begin(SpeechRequest("Hello"), stream=False) for _ in range(2)]
    with pytest.raises(QueueFull):
        bench.service.synthesize(SpeechRequest("Hello"))
    assert value(bench, "syntheses_total", model="", outcome="queue_full") == 1
    wait_until(lambda: value(bench, "running", model="voice") == 1)
    assert value(bench, "slots", model="voice") == 1
    assert value(bench, "waiting") == 1
    assert value(bench, "ready") == 1
    bench.runner.gate.set()
    for begun in streams:
        list(begun.chunks(NULL_CLIENT))
    assert value(bench, "steps_total", model="voice") >= 10
    assert value(bench, "frames_total", model="voice") >= 10
