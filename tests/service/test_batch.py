"""Several texts of one request: a few at once, each for itself, none refused while others run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from qwen_tts_api.errors import (
    ClientLeft,
    ModelLoading,
    QueueFull,
    SynthesisFailed,
    TTSError,
    UnknownSpeaker,
)
from qwen_tts_api.service import batch as module
from qwen_tts_api.service.request import NULL_CLIENT, Client, SpeechRequest
from qwen_tts_api.service.result import Speech
from tests.conftest import Bench, wait_until
from tests.patience import PATIENCE_S
from tests.service.test_metrics import value

MakeBench = Callable[..., Bench]


class Leaving:
    """A client that leaves when it is told to."""

    def __init__(self) -> None:
        self.leave: Callable[[], object] = lambda: None

    @contextmanager
    def on_disconnect(self, callback: Callable[[], object]) -> Iterator[None]:
        self.leave = callback
        yield


def texts(count: int) -> list[SpeechRequest]:
    return [SpeechRequest("x" * (number + 1), seed=number) for number in range(count)]


def codes(results: list[Speech | TTSError]) -> list[str]:
    return [each.code if isinstance(each, TTSError) else "ok" for each in results]


def test_without_threads_texts_are_spoken_one_after_the_other(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And later ones have all the threads that there may be."""
    bench = make_bench(rows=4)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert codes(bench.service.synthesize_all(texts(4))) == ["ok"] * 4
    for _ in range(bench.config.max_streams):
        assert bench.service._batch_threads.acquire(blocking=False)


def test_each_text_is_as_if_it_were_alone(make_bench: MakeBench) -> None:
    """The same bytes, in the order of the request, whichever ends first."""
    bench = make_bench(rows=4)
    requests = texts(12)[::-1]
    results = bench.service.synthesize_all(requests)
    alone = [bench.service.synthesize(each) for each in requests]
    assert [getattr(each, "data", b"") for each in results] == [each.data for each in alone]
    assert [each.usage for each in results if isinstance(each, Speech)] == [
        each.usage for each in alone
    ]


def test_what_fails_is_one_text_s_own(bench: Bench) -> None:
    """Of the request, and of the model; nothing at all is no failure."""
    bad = [SpeechRequest("b", speaker="Nobody"), SpeechRequest("")]
    assert codes(bench.service.synthesize_all([SpeechRequest("a"), *bad, *texts(2)])) == [
        *("ok", UnknownSpeaker.code, "text_required", "ok", "ok")
    ]
    bench.runner.prefill_error = RuntimeError("broken")
    assert sorted(codes(bench.service.synthesize_all(texts(3)))) == [
        *("ok", "ok", SynthesisFailed.code)
    ]
    assert bench.service.synthesize_all([]) == []


def test_an_unforeseen_failure_is_one_text_s_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesize = bench.service.synthesize

    def fail(request: SpeechRequest, client: Client = NULL_CLIENT) -> Speech:
        if request.text == "xx":
            raise ZeroDivisionError
        return synthesize(request, client)

    monkeypatch.setattr(bench.service, "synthesize", fail)
    assert codes(bench.service.synthesize_all(texts(3))) == ["ok", "internal_error", "ok"]


@pytest.mark.parametrize(("max_streams", "at_once"), [(1, 1), (16, 4), (1024, 16)])
def test_few_are_spoken_at_once(make_bench: MakeBench, max_streams: int, at_once: int) -> None:
    """A quarter of the slots, so that others are heard, too; and all of them in the end."""
    bench = make_bench(rows=32, max_streams=max_streams)
    bench.runner.gate.clear()
    results: list[Speech | TTSError] = []
    thread = threading.Thread(
        target=lambda: results.extend(bench.service.synthesize_all(texts(30)))
    )
    thread.start()
    wait_until(lambda: bench.pool.status().running == at_once)
    assert bench.pool.status().waiting == 0
    bench.runner.gate.set()
    thread.join(30)
    assert codes(results) == ["ok"] * 30


def test_all_batches_share_their_threads(make_bench: MakeBench) -> None:
    """However many there are: one without any beside its own speaks a text at a time."""
    bench = make_bench(rows=32, max_streams=8)
    bench.runner.gate.clear()
    threads = [
        threading.Thread(target=lambda: bench.service.synthesize_all(texts(4))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: bench.pool.status().running == 12 + 8)
    bench.runner.gate.set()
    for thread in threads:
        thread.join(30)
    assert bench.service._batch_threads._value == 8  # all were given back


def test_a_full_queue_is_waited_for(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """No text is refused, nor counted as if it were, while others of the batch are spoken."""
    monkeypatch.setattr(module, "POLL_INTERVAL_S", 0.01)
    bench = make_bench(max_queue=2, max_streams=1024)
    assert codes(bench.service.synthesize_all(texts(32))) == ["ok"] * 32
    assert value(bench, "syntheses_total", model="voice", outcome="stop") == 32
    assert value(bench, "syntheses_total", model="", outcome="queue_full") == 0


def test_a_full_queue_refuses_a_batch_of_which_nothing_is_spoken(make_bench: MakeBench) -> None:
    """With the time to come back: as if it were one text."""
    bench = make_bench(max_queue=1)
    bench.runner.gate.clear()
    running = [bench.service._begin(SpeechRequest("Hello"), stream=False) for _ in range(2)]
    with pytest.raises(QueueFull) as raised:
        bench.service.synthesize_all(texts(5))
    assert raised.value.retry_after_s
    bench.runner.gate.set()
    for each in running:
        list(each.chunks(NULL_CLIENT))


def test_who_waits_too_long_is_refused_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where others keep the queue full for as long as a text may take."""
    monkeypatch.setattr(module, "POLL_INTERVAL_S", 0.01)
    tried: list[SpeechRequest] = []

    def synthesize(request: SpeechRequest, client: Client) -> Speech:
        tried.append(request)
        if len(tried) > 1:
            raise QueueFull("Full.", retry_after_s=1)
        return bench.service.synthesize(request, client)

    batch = module.Batch(synthesize, lambda: False, NULL_CLIENT, timeout_s=0.1)
    results = batch.run(texts(3), threading.Semaphore(0), 1)
    assert codes(results) == ["ok", "queue_full", "queue_full"]
    assert len(tried) == 3  # not again and again


def test_a_server_that_is_not_ready_refuses_all(make_bench: MakeBench) -> None:
    bench = make_bench(start=False)
    with pytest.raises(ModelLoading):
        bench.service.synthesize_all(texts(5))


def test_a_client_that_leaves_ends_all_of_it(make_bench: MakeBench) -> None:
    """What runs and what waits; of what was not begun the model never hears."""
    bench = make_bench(rows=4, max_streams=16)
    bench.runner.gate.clear()
    client = Leaving()
    errors: list[TTSError] = []

    def ask() -> None:
        try:
            bench.service.synthesize_all(texts(20), client)
        except TTSError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: bench.pool.status().running == 4)
    client.leave()
    thread.join(PATIENCE_S)
    assert [each.code for each in errors] == [ClientLeft.code]
    assert value(bench, "syntheses_total", model="voice", outcome=ClientLeft.code) == 4
    bench.runner.gate.set()
    wait_until(lambda: bench.pool.status().running == bench.pool.status().waiting == 0)
    assert len(bench.runner.prompts) == 4


def test_a_text_that_begins_when_the_client_has_left_is_cancelled(bench: Bench) -> None:
    client, cancelled = Leaving(), list[bool]()

    def synthesize(request: SpeechRequest, batch: Client) -> Speech:
        client.leave()
        with batch.on_disconnect(lambda: cancelled.append(True)):
            return bench.service.synthesize(request)

    batch = module.Batch(synthesize, lambda: True, client, timeout_s=60)
    with pytest.raises(ClientLeft):
        batch.run(texts(1), threading.Semaphore(0), 1)
    assert cancelled == [True]
