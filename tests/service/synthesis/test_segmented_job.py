"""Many segments that a client hears as one recording."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress

import numpy as np
import pytest

from qwen_tts_api.engine.pool import ModelPool
from qwen_tts_api.errors import (
    ClientLeft,
    DeadlineExceeded,
    QueueFull,
    ShuttingDown,
    SynthesisFailed,
    TTSError,
)
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, Prompt, SamplingParams
from qwen_tts_api.service.plan import SpeechSegment
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.synthesis.concatenate import WINDOW
from qwen_tts_api.service.synthesis.segmented_job import (
    AHEAD_OF_FILE,
    AHEAD_OF_STREAM,
    SegmentedJob,
)
from tests.conftest import Bench, wait_until
from tests.fakes import SAMPLES_PER_FRAME
from tests.patience import PATIENCE_S

MakeBench = Callable[..., Bench]
SHORT = Prompt("x", "auto", "ryan", "", SamplingParams(seed=1))


def begin(
    pool: ModelPool, *texts: str, streaming: bool = False, timeout_s: float = 60
) -> SegmentedJob:
    prompts = [
        Prompt(text, "auto", "ryan", "", SamplingParams(seed=number), streaming=streaming)
        for number, text in enumerate(texts)
    ]
    segments = [SpeechSegment(prompt, 0.25) for prompt in prompts]
    return SegmentedJob(pool, "voice", segments, timeout_s=timeout_s)


def idle(bench: Bench) -> bool:
    status = bench.pool.status()
    return status.running + status.waiting == 0


@pytest.mark.parametrize("rows", [1, 2, 8])
@pytest.mark.parametrize("streaming", [False, True])
def test_audio_comes_in_the_order_of_the_text(
    make_bench: MakeBench, rows: int, streaming: bool
) -> None:
    """However many are computed at once; each is followed by its pause."""
    bench = make_bench(rows=rows)
    job = begin(bench.pool, "a" * 40, "b" * 9, "c" * 5, streaming=streaming)
    samples = np.concatenate(list(job.samples()))
    assert [prompt.text[0] for prompt in bench.runner.prompts] == ["a", "b", "c"]
    pause = round(0.25 * SAMPLE_RATE_HZ)
    assert len(samples) == (40 + 9 + 5) * SAMPLES_PER_FRAME + 2 * pause
    loud = np.abs(samples.astype(int)) > 2000
    steps = np.diff(np.flatnonzero(loud))
    assert [abs(step - pause) < 2 * WINDOW for step in steps[steps > 1000]] == [True, True]
    assert job.finish_reason == "stop"
    wait_until(lambda: idle(bench))


def test_one_segment_is_what_the_model_made(bench: Bench) -> None:
    samples = np.concatenate(list(begin(bench.pool, "a" * 30).samples()))
    expected = bench.runner._tone(0, 30)
    assert np.array_equal(samples, expected)


@pytest.mark.parametrize(("streaming", "ahead"), [(False, AHEAD_OF_FILE), (True, AHEAD_OF_STREAM)])
def test_few_begin_early(make_bench: MakeBench, streaming: bool, ahead: int) -> None:
    """While the first is read, so many others are begun, and not all that there are."""
    bench = make_bench(rows=16)
    bench.runner.gate.clear()  # none of them ends
    job = begin(bench.pool, *["a" * 2000] * 12, streaming=streaming)

    def read_on() -> None:
        with suppress(TTSError):
            list(job.samples())

    reader = threading.Thread(target=read_on)
    reader.start()
    wait_until(lambda: len(job.jobs) == 1 + ahead)
    num_frames = len(bench.runner.batches)
    wait_until(lambda: len(bench.runner.batches) > num_frames + 50)
    assert len(job.jobs) == 1 + ahead
    job.close()
    reader.join(PATIENCE_S)
    wait_until(lambda: idle(bench))


def test_none_begins_early_on_a_row_that_others_wait_for(make_bench: MakeBench) -> None:
    """Nor on the last one, if somebody is there; the one that is due waits in line."""
    bench = make_bench(rows=2)
    bench.runner.gate.clear()
    job = begin(bench.pool, "a" * 3, "b" * 3, "c" * 3)
    bench.pool.submit("voice", SHORT)
    bench.pool.submit("voice", SHORT)
    reader = threading.Thread(target=lambda: list(job.samples()))
    reader.start()
    bench.runner.gate.set()
    reader.join(PATIENCE_S)
    texts = [prompt.text[0] for prompt in bench.runner.prompts]
    assert texts.index("b") > texts.index("x")
    assert job.finish_reason == "stop"


def test_what_was_admitted_is_not_refused_half_way(make_bench: MakeBench) -> None:
    """The queue is full when the second is due: it waits in line instead."""
    bench = make_bench(max_queue=1)
    bench.runner.gate.clear()
    job = begin(bench.pool, "a" * 30, "b" * 3)
    samples = job.samples()
    wait_until(bench.runner.running.is_set)
    waiting = bench.pool.submit("voice", SHORT)
    with pytest.raises(QueueFull):
        bench.pool.submit("voice", SHORT)
    bench.runner.gate.set()
    for _ in samples:
        pass
    assert job.finish_reason == "stop"
    assert waiting.finish_reason == "stop"


def test_the_first_may_be_refused(make_bench: MakeBench) -> None:
    """As any request; nothing is left behind."""
    bench = make_bench(max_queue=1)
    bench.runner.gate.clear()
    bench.pool.submit("voice", SHORT)
    wait_until(bench.runner.running.is_set)
    bench.pool.submit("voice", SHORT)
    with pytest.raises(QueueFull):
        begin(bench.pool, "a", "b")


def test_a_failure_of_one_ends_all(make_bench: MakeBench) -> None:
    bench = make_bench(rows=2)
    job = begin(bench.pool, "a" * 3000, "b" * 3000, "c" * 3000, streaming=True)
    samples = job.samples()
    for _ in range(3):
        next(samples)
    bench.runner.error = RuntimeError("weights on fire")
    with pytest.raises(SynthesisFailed):
        for _ in samples:
            pass
    wait_until(lambda: idle(bench))
    assert "c" not in {prompt.text[0] for prompt in bench.runner.prompts}


def test_none_begins_behind_a_failure(make_bench: MakeBench) -> None:
    """Though its rows are free before the reader has noticed."""
    bench = make_bench(rows=2)
    job = begin(bench.pool, "a" * 3000, "b" * 3000, "c" * 3000, streaming=True)
    samples = job.samples()
    for _ in range(3):
        next(samples)
    bench.runner.error = RuntimeError("weights on fire")
    wait_until(lambda: idle(bench))
    with pytest.raises(SynthesisFailed):
        next(samples)
    assert len(job.jobs) == 2


def test_a_reader_who_stops_ends_all(make_bench: MakeBench) -> None:
    bench = make_bench(rows=4)
    job = begin(bench.pool, *["a" * 3000] * 4, streaming=True)
    samples = job.samples()
    bench.runner.gate.clear()  # no segment ends by itself
    while len(job.jobs) < 2:
        next(samples)
    samples.close()
    assert all(each.cancelled for each in job.jobs)
    wait_until(lambda: idle(bench))


def test_a_client_that_cannot_be_watched_leaves_nothing_behind(bench: Bench) -> None:
    """Its socket may be closed before anybody looks at it."""

    class Closed:
        def on_disconnect(self, callback: Callable[[], object]) -> AbstractContextManager[None]:
            raise ValueError("invalid file descriptor")

    bench.runner.gate.clear()  # the text would not end by itself
    with pytest.raises(ValueError, match="descriptor"):
        bench.service.synthesize(SpeechRequest("x" * 3000), Closed())
    wait_until(lambda: idle(bench))


class LeavesLater:
    """A client that leaves when it is told to."""

    def __init__(self) -> None:
        self.leave: Callable[[], object] = lambda: None

    def on_disconnect(self, callback: Callable[[], object]) -> AbstractContextManager[None]:
        self.leave = callback
        return nullcontext()


def test_a_client_that_leaves_ends_all(make_bench: MakeBench) -> None:
    """Those that have begun, and those that have not."""
    bench = make_bench(rows=2, max_segment_chars=50)
    client = LeavesLater()
    request = SpeechRequest("Here is a sentence of some length. " * 30, stream=True)
    bench.runner.gate.clear()  # what has begun goes on for hundreds of frames
    stream = bench.service.stream(request, client)
    client.leave()
    num_frames = len(bench.runner.batches)
    with pytest.raises(ClientLeft):
        for _ in stream:
            pass
    wait_until(lambda: idle(bench))
    assert len(bench.runner.batches) <= num_frames + 1
    assert len(bench.runner.prompts) <= 3


def test_the_deadline_is_for_each(make_bench: MakeBench) -> None:
    """The second waits behind somebody else for too long; a slow reader of the first does not."""
    bench = make_bench()
    job = begin(bench.pool, "a" * 100, "b" * 30, timeout_s=0.3, streaming=True)
    samples = job.samples()
    next(samples)
    others = [
        bench.pool.submit("voice", Prompt("x" * 3000, "auto", "ryan", "", SamplingParams()))
        for _ in range(20)
    ]
    threading.Event().wait(0.4)
    wait_until(lambda: job.jobs[0].finish_reason)
    bench.runner.gate.clear()
    with pytest.raises(DeadlineExceeded, match=r"0.3 s"):
        list(samples)
    assert [each.failure for each in job.jobs] == ["", DeadlineExceeded.code]
    for other in others:
        bench.pool.cancel(other, TTSError("Enough."))
    bench.runner.gate.set()
    wait_until(lambda: idle(bench))


def test_times_and_end_are_those_of_all(make_bench: MakeBench) -> None:
    """Time in which two were computed counts once."""
    bench = make_bench(rows=4)
    job = begin(bench.pool, *["a" * 300] * 4)
    assert job.finish_reason == ""
    for _ in job.samples():
        pass
    spans = [one.span for one in job.jobs]
    began_at = min(span[0] for span in spans if span)
    ended_at = max(span[1] for span in spans if span)
    assert 0 < job.model_s <= ended_at - began_at
    assert job.model_s < sum(one.model_s for one in job.jobs)
    assert job.queue_s == job.jobs[0].queue_s
    job.jobs[2]._finish_reason = "length"
    assert job.finish_reason == "length"


def test_what_has_begun_goes_on_to_its_end_while_the_process_ends(make_bench: MakeBench) -> None:
    """The segments that follow, too; new requests are refused meanwhile."""
    bench = make_bench()
    job = begin(bench.pool, "a" * 30, "b" * 30, "c" * 30)
    samples = job.samples()
    next(samples)
    bench.pool.drain()
    with pytest.raises(ShuttingDown):
        bench.pool.submit("voice", SHORT)
    for _ in samples:
        pass
    assert job.finish_reason == "stop"
    assert bench.pool.close(PATIENCE_S)


def test_what_waits_for_its_first_row_does_not(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.runner.gate.clear()
    bench.pool.submit("voice", SHORT)
    wait_until(bench.runner.running.is_set)
    job = begin(bench.pool, "a", "b")
    bench.pool.drain()
    with pytest.raises(ShuttingDown):
        list(job.samples())
    bench.runner.gate.set()
    assert bench.pool.close(PATIENCE_S)


def test_a_model_that_makes_room_does_not_wait_for_a_series(make_bench: MakeBench) -> None:
    """What follows is spoken when the model is back in memory."""
    bench = make_bench(max_loaded_models=1, served=("voice", "small"))
    job = begin(bench.pool, "a" * 30, "b" * 30)
    samples = job.samples()
    next(samples)
    other = bench.pool.submit("small", SHORT)
    for _ in samples:
        pass
    assert job.finish_reason == "stop"
    wait_until(lambda: other.finish_reason)
    assert bench.hub.loads[:2] == ["voice", "small"]


def test_a_segment_that_is_dropped_is_not_computed_to_its_end(make_bench: MakeBench) -> None:
    """Although the model had begun with it: its slot is for others."""
    bench = make_bench(rows=2)
    job = SegmentedJob(bench.pool, "voice", None, timeout_s=60)
    for text in ("a" * 30, "b" * 3000):
        prompt = Prompt(text, "auto", "ryan", "", SamplingParams(), streaming=True)
        job.add(SpeechSegment(prompt, 0.0))
    samples = job.samples_of(0)
    while len(job.jobs) < 2:
        next(samples)
    ahead = job.jobs[1]
    job.drop(1)
    assert ahead.cancelled
    assert len(job.jobs) == len(job.segments) == 1
    for _ in samples:
        pass
    wait_until(lambda: idle(bench))
    job.close()


def test_cancelling_twice_is_as_once(bench: Bench) -> None:
    """The first reason counts."""
    job = begin(bench.pool, "a" * 3000, "b")
    job.cancel(ClientLeft("left"))
    job.cancel(TTSError("other"))
    with pytest.raises(ClientLeft):
        list(job.samples())
    wait_until(lambda: idle(bench))
