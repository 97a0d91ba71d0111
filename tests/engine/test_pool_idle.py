"""A model that nobody uses leaves memory, and nobody who comes then is refused."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import pytest

from qwen_tts_api.engine.states import EngineState
from qwen_tts_api.errors import SynthesisFailed
from qwen_tts_api.model.utterance import Prompt, SamplingParams
from tests.conftest import Bench, read, wait_until
from tests.fakes import FakeRunner
from tests.patience import PATIENCE_S

MakeBench = Callable[..., Bench]


def prompt(text: str = "ab") -> Prompt:
    return Prompt(text, "auto", "ryan", "", SamplingParams(seed=1))


def wait_until_idle(bench: Bench, name: str = "voice") -> None:
    wait_until(lambda: bench.pool.status().models[name] == "idle")
    wait_until(lambda: not bench.pool.status().engines)


def test_an_unused_model_leaves_memory_and_comes_back(make_bench: MakeBench) -> None:
    """The process stays ready: the next request waits for the model, as for any that is loaded."""
    bench = make_bench(idle_unload_s=0.02)
    wait_until_idle(bench)
    assert bench.runner.closed
    status = bench.pool.status()
    assert status.ready
    assert status.doing == "voice was unloaded, since no request used it: the next one loads it"
    answer = bench.client.get("/readyz")
    assert (answer.status_code, answer.get_json()["models"]["voice"]) == (200, "idle")
    assert bench.client.get("/healthz").status_code == 200
    job = bench.pool.submit("voice", prompt())
    read(job)
    assert job.finish_reason == "stop"
    assert bench.hub.loads == ["voice", "voice"]
    wait_until_idle(bench)


def test_any_model_leaves_memory(make_bench: MakeBench) -> None:
    """Not the default one alone; and what was never asked for stays what it is."""
    bench = make_bench(idle_unload_s=0.02)
    read(bench.pool.submit("small", prompt()))
    wait_until_idle(bench, "small")
    assert bench.pool.status().models["design"] == "not loaded"


def test_a_model_with_work_stays(make_bench: MakeBench) -> None:
    """However long that takes; and one that has a series of which more may follow."""
    bench = make_bench(idle_unload_s=0.02)
    with bench.pool.series("voice") as series:
        read(bench.pool.submit("voice", prompt(), series))
        runner = bench.runner  # one that was loaded for it, where the first had left before
        time.sleep(0.1)
        assert not runner.closed
        runner.gate.clear()
        follower = bench.pool.follow(series, prompt(), only_if_free=True)
        assert follower is not None
        time.sleep(0.1)
        assert not runner.closed
        runner.gate.set()
        read(follower)
    wait_until_idle(bench)
    assert runner.closed


def test_a_model_that_failed_last_stays_until_it_works(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the process would call itself ready for want of a model that has failed."""
    bench = make_bench(idle_unload_s=0.02)
    wait_until_idle(bench)
    monkeypatch.setattr(FakeRunner, "prefill", fail)
    job = bench.pool.submit("voice", prompt())
    with pytest.raises(SynthesisFailed):
        read(job)
    time.sleep(0.1)
    assert bench.pool.status().state == "recovering"
    monkeypatch.undo()
    read(bench.pool.submit("voice", prompt()))
    wait_until_idle(bench)
    assert bench.pool.status().ready


def fail(*_: object) -> None:
    raise RuntimeError("broken")


def test_who_comes_while_it_leaves_is_served(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the model that is loaded as soon as the memory is free; what goes is not called back."""
    released = threading.Event()
    close = FakeRunner.close

    def slow_close(runner: FakeRunner) -> None:
        released.wait(PATIENCE_S)
        close(runner)

    monkeypatch.setattr(FakeRunner, "close", slow_close)
    bench = make_bench(idle_unload_s=0.02)
    wait_until(
        lambda: [each.state for each in bench.pool.status().engines] == [EngineState.CLOSING]
    )
    assert bench.pool.status().ready
    jobs = [bench.pool.submit("voice", prompt(text)) for text in ("a", "bc")]
    with bench.pool.series("voice") as series:
        jobs.append(bench.pool.submit("voice", prompt(), series))
    assert bench.pool.status().waiting == 3
    released.set()
    for job in jobs:
        read(job)
        assert job.finish_reason == "stop"


def test_a_place_in_memory_is_free_again(make_bench: MakeBench) -> None:
    """With one place: another model need not wait for the turn of an idle one."""
    bench = make_bench(max_loaded_models=1, idle_unload_s=0.02)
    wait_until_idle(bench)
    for name in ("small", "voice", "small"):
        read(bench.pool.submit(name, prompt()))
        wait_until_idle(bench, name)


def test_whenever_requests_come_all_are_served(make_bench: MakeBench) -> None:
    """From several threads, about when the model leaves: before, while and after it does."""
    idle_s = 0.003
    bench = make_bench(idle_unload_s=idle_s, max_loaded_models=1, rows=2, max_queue=1000)
    ends: list[str] = []

    def ask(seed: int) -> None:
        random_source = random.Random(seed)
        for _ in range(30):
            time.sleep(random_source.uniform(0, 2 * idle_s))
            job = bench.pool.submit(random_source.choice(["voice", "small"]), prompt())
            read(job)
            ends.append(job.finish_reason)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert ends == ["stop"] * 120
    assert len(bench.hub.loads) > 2
