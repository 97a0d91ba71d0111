"""Which models are in memory, who waits for them, and how it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from qwen_tts_api.engine import model_cards, self_test
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.errors import (
    LoadError,
    ModelLoading,
    ModelUnavailable,
    OutOfMemory,
    QueueFull,
    ShuttingDown,
    SynthesisFailed,
    TTSError,
)
from qwen_tts_api.model.utterance import Prompt, SamplingParams
from tests.conftest import Bench, read, wait_until
from tests.fakes import FakeRunner
from tests.patience import PATIENCE_S

MakeBench = Callable[..., Bench]


def prompt(text: str = "ab") -> Prompt:
    return Prompt(text, "auto", "ryan", "", SamplingParams(seed=1))


def test_the_default_model_is_loaded_at_start_and_no_other(bench: Bench) -> None:
    """The others wait for their first request."""
    assert bench.hub.loads == ["voice"]
    assert bench.pool.status().models == {
        "voice": "ready",
        "small": "not loaded",
        "design": "not loaded",
        "clone": "not loaded",
    }


def test_jobs_run_in_the_order_of_arrival(bench: Bench) -> None:
    """First come, first served."""
    bench.runner.gate.clear()
    jobs = [bench.pool.submit("voice", prompt(text)) for text in "abc"]
    bench.runner.gate.set()
    for job in jobs:
        read(job)
    assert [spoken.text for spoken in bench.runner.prompts] == ["a", "b", "c"]
    assert all(job.finish_reason == "stop" for job in jobs)


def test_work_is_refused_while_the_first_model_loads(make_bench: MakeBench) -> None:
    """503 until then, with what it is doing."""
    bench = make_bench(start=False)
    with pytest.raises(ModelLoading):
        bench.pool.submit("voice", prompt())
    bench.hub.gate.clear()
    bench.pool.start()
    wait_until(lambda: bench.pool.status().doing == "loading the weights")
    with pytest.raises(ModelLoading) as raised:
        bench.pool.submit("voice", prompt())
    assert raised.value.retry_after_s
    bench.hub.gate.set()
    wait_until(lambda: bench.pool.status().ready)
    read(bench.pool.submit("voice", prompt()))


def test_a_failure_to_load_the_first_model_is_reported(make_bench: MakeBench) -> None:
    """The process ends over it; see `tests/suites/server/test_gunicorn.py`."""
    bench = make_bench(start=False)
    bench.hub.error = LoadError("no such folder")
    bench.pool.start()
    wait_until(lambda: bench.startup_failures)
    assert str(bench.startup_failures[0]) == "no such folder"


def test_an_unexpected_failure_to_load_is_a_sentence_too(make_bench: MakeBench) -> None:
    """Whatever a damaged checkpoint makes a library raise."""
    bench = make_bench(start=False)
    bench.hub.error = KeyError("talker_config")
    bench.pool.start()
    wait_until(lambda: bench.startup_failures)
    assert "voice could not be loaded: KeyError('talker_config')" in str(bench.startup_failures[0])


def test_a_later_model_that_cannot_be_loaded_fails_its_requests_only(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service goes on with the others, and tries again after a while."""
    monkeypatch.setattr(model_cards, "FIRST_DELAY_S", 0.0)
    bench.hub.error = LoadError("damaged")
    job = bench.pool.submit("small", prompt())
    with pytest.raises(ModelUnavailable):
        read(job)
    assert not bench.startup_failures
    read(bench.pool.submit("voice", prompt()))
    bench.hub.error = None
    job = bench.pool.submit("small", prompt())
    read(job)
    assert job.finish_reason == "stop"


def test_the_queue_is_bounded(make_bench: MakeBench) -> None:
    """One runs, `max_queue` wait, the next is refused with a time to come back."""
    bench = make_bench(max_queue=2)
    bench.runner.gate.clear()
    jobs = [bench.pool.submit("voice", prompt())]
    wait_until(bench.runner.running.is_set)
    jobs += [bench.pool.submit("voice", prompt()) for _ in range(2)]
    with pytest.raises(QueueFull) as raised:
        bench.pool.submit("voice", prompt())
    assert 1 <= (raised.value.retry_after_s or 0) <= 60
    bench.runner.gate.set()
    for job in jobs:
        read(job)


def test_an_idle_model_takes_a_job_however_short_the_queue(make_bench: MakeBench) -> None:
    """A job that starts at once does not count as waiting."""
    bench = make_bench(max_queue=1)
    for _ in range(50):
        read(bench.pool.submit("voice", prompt()))


def test_cancelling_a_waiting_job_frees_its_place(make_bench: MakeBench) -> None:
    """The model never hears of it."""
    bench = make_bench(max_queue=1)
    bench.runner.gate.clear()
    bench.pool.submit("voice", prompt("running"))
    wait_until(bench.runner.running.is_set)
    job = bench.pool.submit("voice", prompt("cancelled"))
    bench.pool.cancel(job, TTSError("nobody listens"))
    with pytest.raises(TTSError, match="nobody listens"):
        read(job)
    job = bench.pool.submit("voice", prompt("next"))
    bench.runner.gate.set()
    read(job)
    assert [spoken.text for spoken in bench.runner.prompts] == ["running", "next"]


def test_cancelling_the_running_job_frees_the_model(bench: Bench) -> None:
    """It ends at the next frame, and the next job starts."""
    bench.runner.gate.clear()
    job = bench.pool.submit("voice", prompt("a" * 1000))
    wait_until(bench.runner.running.is_set)
    bench.pool.cancel(job, TTSError("nobody listens"))
    num_frames = len(bench.runner.batches)
    with pytest.raises(TTSError):
        read(job)
    wait_until(lambda: not bench.pool.status().running)
    assert len(bench.runner.batches) <= num_frames + 1
    bench.runner.gate.set()
    read(bench.pool.submit("voice", prompt()))


class OutOfMemoryError(RuntimeError):
    """As PyTorch's is called."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [(ValueError("secret"), SynthesisFailed), (OutOfMemoryError("full"), OutOfMemory)],
)
def test_an_error_of_the_model_fails_its_job_only(
    bench: Bench, error: Exception, expected: type[TTSError]
) -> None:
    """The next one is served; the cause stays in the log."""
    bench.runner.error = error
    job = bench.pool.submit("voice", prompt())
    with pytest.raises(expected) as raised:
        read(job)
    assert "secret" not in str(raised.value)
    bench.runner.error = None
    job = bench.pool.submit("voice", prompt())
    read(job)
    assert job.finish_reason == "stop"


def test_the_least_recently_used_model_makes_room(make_bench: MakeBench) -> None:
    """Two fit: asking for a third closes the one that was not used for longest."""
    bench = make_bench(max_loaded_models=2)
    for name in ("small", "voice", "design"):
        read(bench.pool.submit(name, prompt()))
    assert bench.hub.loads == ["voice", "small", "design"]
    assert bench.hub.runners["small"].closed
    assert not bench.hub.runners["voice"].closed
    assert bench.pool.status().models["small"] == "not loaded"
    assert bench.pool.status().ready


def test_a_retiring_model_finishes_what_it_has(make_bench: MakeBench) -> None:
    """With room for one: the accepted work of the old model comes before the new model."""
    bench = make_bench(max_loaded_models=1)
    old = bench.runner
    old.gate.clear()
    first = [bench.pool.submit("voice", prompt(text)) for text in "ab"]
    other = bench.pool.submit("small", prompt("c"))
    wait_until(lambda: not bench.takes_jobs("voice"))
    again = bench.pool.submit("voice", prompt("d"))
    assert not old.closed
    old.gate.set()
    for job in [*first, other, again]:
        read(job)
        assert job.finish_reason == "stop"
    assert old.closed
    assert bench.hub.loads == ["voice", "small", "voice"]


def test_other_models_are_served_while_one_loads(bench: Bench) -> None:
    """Where there is room, loading disturbs nobody."""
    bench.hub.gate.clear()
    slow = bench.pool.submit("small", prompt())
    wait_until(lambda: bench.pool.status().models["small"] == "loading")
    read(bench.pool.submit("voice", prompt()))
    assert not slow.wait(0)
    bench.hub.gate.set()
    read(slow)


def test_draining_finishes_what_runs_and_refuses_the_rest(bench: Bench) -> None:
    """SIGTERM: one utterance is completed, one that waited and one that comes are refused."""
    bench.runner.gate.clear()
    running = bench.pool.submit("voice", prompt("running"))
    wait_until(bench.runner.running.is_set)
    waiting = bench.pool.submit("voice", prompt("waiting"))
    bench.pool.drain()
    with pytest.raises(ShuttingDown):
        read(waiting)
    with pytest.raises(ShuttingDown):
        bench.pool.submit("voice", prompt())
    assert not bench.pool.status().ready
    assert bench.pool.status().state == "draining"
    bench.runner.gate.set()
    read(running)
    assert running.finish_reason == "stop"
    assert bench.pool.close(PATIENCE_S)
    assert bench.runner.closed


def test_after_a_failure_a_self_test_shows_that_the_model_works(bench: Bench) -> None:
    """Without waiting for a client; until then the process is not ready."""
    bench.runner.error = RuntimeError("broken")
    with pytest.raises(SynthesisFailed):
        read(bench.pool.submit("voice", prompt()))
    wait_until(lambda: bench.pool.status().ready)
    assert bench.runner.prompts[-1].text == "Hi."
    assert not bench.lost.is_set()


def test_as_long_as_self_tests_fail_the_process_is_not_ready(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But it serves whom it can; a success of anybody's ends it."""
    monkeypatch.setattr(self_test, "SELF_TEST_INTERVAL_S", 0.01)
    monkeypatch.setattr(FakeRunner, "prefill", fail)
    with pytest.raises(SynthesisFailed):
        read(bench.pool.submit("voice", prompt()))
    wait_until(lambda: len(bench.runner.prompts) > 4)
    status = bench.pool.status()
    assert (status.state, status.doing) == ("recovering", "the last utterance of voice failed")
    monkeypatch.undo()
    read(bench.pool.submit("voice", prompt()))
    wait_until(lambda: bench.pool.status().ready)


def test_a_self_test_that_failed_is_not_repeated_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_test, "SELF_TEST_INTERVAL_S", 600)
    monkeypatch.setattr(FakeRunner, "prefill", fail)
    for _ in range(3):
        with pytest.raises(SynthesisFailed):
            read(bench.pool.submit("voice", prompt()))
        wait_until(lambda: "Hi." in [each.text for each in bench.runner.prompts])
    assert [each.text for each in bench.runner.prompts].count("Hi.") == 1


def fail(*_: object) -> None:
    raise RuntimeError("broken")


@pytest.mark.parametrize("where", ["error", "prefill_error"])
def test_a_lost_device_ends_the_process(bench: Bench, where: str) -> None:
    """Its request is answered first; no other is taken."""
    error = RuntimeError("CUDA error: an illegal memory access was encountered")
    setattr(bench.runner, where, error)
    with pytest.raises(SynthesisFailed):
        read(bench.pool.submit("voice", prompt()))
    assert bench.lost.wait(PATIENCE_S)
    assert bench.pool.status().state == "failed"
    with pytest.raises(ShuttingDown):
        bench.pool.submit("voice", prompt())
    bench.pool.drain()
    assert bench.pool.status().state == "failed"


def test_a_lost_thread_ends_the_process(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose thread has gone would never answer again."""
    monkeypatch.setattr(Scheduler, "add", fail)
    bench.pool.submit("voice", prompt())
    assert bench.lost.wait(PATIENCE_S)


def test_a_model_that_hangs_is_seen(
    make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    """It has work and makes no frame; a model without work does not hang."""
    bench = make_bench(hang_timeout_s=0.05)
    time.sleep(0.1)
    assert bench.pool.status().ready
    released = threading.Event()
    bench.runner.hang = released
    bench.pool.submit("voice", prompt())
    wait_until(lambda: bench.pool.status().state == "failed")
    assert "QWEN_HANG_TIMEOUT_S" in bench.pool.status().doing
    assert caplog.text.count("QWEN_HANG_TIMEOUT_S") == 1  # however often it is asked
    released.set()
    wait_until(lambda: bench.pool.status().ready)


@pytest.mark.parametrize(
    ("text", "fatal"),
    [
        ("CUDA error: device-side assert triggered", True),
        ("CUDA driver error: an illegal memory access was encountered", True),
        ("CUBLAS_STATUS_EXECUTION_FAILED when calling cublasGemmEx", True),
        ("Triton Error [CUDA]: an illegal memory access was encountered", True),
        ("Triton Error [CUDA]: unspecified launch failure", True),
        ("Triton Error [CUDA]: out of memory", False),
        ("Triton Error [CUDA]: device kernel image is invalid", False),
        ("shape mismatch", False),
    ],
)
def test_errors_of_the_device_are_told_from_others(text: str, fatal: bool) -> None:
    """By their text, where they have no class of their own."""
    assert self_test.is_fatal(RuntimeError(text)) is fatal
    assert self_test.is_fatal(type("AcceleratorError", (RuntimeError,), {})("unknown"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("OutOfMemoryError", "CUDA out of memory. Tried to allocate 2 GiB."),
        ("AcceleratorError", "CUDA error: out of memory"),
        ("RuntimeError", "CUDA driver error: out of memory"),
        ("RuntimeError", "Triton Error [CUDA]: out of memory"),
        ("RuntimeError", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        ("RuntimeError", "cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        ("RuntimeError", "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        ("RuntimeError", "GET was unable to find an engine to execute this computation"),
    ],
)
def test_no_memory_is_not_the_end_of_the_process(name: str, text: str) -> None:
    """Whoever of PyTorch, the driver and its libraries wanted it."""
    error = type(name, (RuntimeError,), {})(text)
    assert self_test.is_out_of_memory(error)
    assert not self_test.is_fatal(error)


def test_what_follows_is_not_refused_when_the_queue_is_full(make_bench: MakeBench) -> None:
    """It waits in line; ahead of its time it begins only on a slot that nobody needs."""
    bench = make_bench(max_queue=1, rows=2)
    bench.runner.gate.clear()
    with bench.pool.series("voice") as series:
        bench.pool.submit("voice", prompt(), series)
        ahead = bench.pool.follow(series, prompt(), only_if_free=True)
        assert ahead is not None
        assert bench.pool.follow(series, prompt(), only_if_free=True) is None
        waiting = bench.pool.submit("voice", prompt("b"))
        with pytest.raises(QueueFull):
            bench.pool.submit("voice", prompt())
        due = bench.pool.follow(series, prompt("c"), only_if_free=False)
        assert due is not None
        bench.runner.gate.set()
        for job in (ahead, waiting, due):
            read(job)
    assert [spoken.text for spoken in bench.runner.prompts[-2:]] == ["b", "c"]


def test_none_begins_ahead_behind_a_failure(bench: Bench) -> None:
    """It would not be heard; whoever wants it all the same is not refused."""
    with bench.pool.series("voice") as series:
        bench.runner.prefill_error = RuntimeError("broken")
        with pytest.raises(SynthesisFailed):
            read(bench.pool.submit("voice", prompt(), series))
        wait_until(lambda: bench.pool.status().ready and not bench.pool.status().running)
        assert bench.pool.follow(series, prompt(), only_if_free=True) is None
        job = bench.pool.follow(series, prompt(), only_if_free=False)
        assert job is not None
        read(job)


def test_an_engine_waits_for_what_follows_before_the_end(bench: Bench) -> None:
    """Though it has nothing to do; but not if the series is over."""
    with bench.pool.series("voice") as series:
        read(bench.pool.submit("voice", prompt(), series))
        bench.pool.drain()
        assert not bench.pool.close(0.05)
        job = bench.pool.follow(series, prompt(), only_if_free=False)
        assert job is not None
        read(job)
    assert bench.pool.close(PATIENCE_S)
    with pytest.raises(ShuttingDown):
        bench.pool.follow(series, prompt(), only_if_free=False)
    assert bench.pool.follow(series, prompt(), only_if_free=True) is None
