"""Which models are loaded, how often, and which make room: never for nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from qwen_tts_api.engine import model_cards
from qwen_tts_api.engine.engine import Engine
from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.roster import Places, PoolSettings, Roster, assign_places
from qwen_tts_api.engine.snapshot import EngineSnapshot
from qwen_tts_api.engine.states import EngineState
from qwen_tts_api.errors import LoadError, ModelUnavailable, ShuttingDown, TTSError
from qwen_tts_api.model.utterance import Prompt, SamplingParams
from tests.conftest import Bench, read, wait_until
from tests.fakes import FakeRunner
from tests.patience import PATIENCE_S
from tests.rows import for_each

MakeBench = Callable[..., Bench]


def prompt(text: str = "ab") -> Prompt:
    return Prompt(text, "auto", "ryan", "", SamplingParams(seed=1))


def state_of(bench: Bench, name: str) -> str:
    return bench.pool.status().models[name]


def fail_to_load(bench: Bench, name: str) -> ModelUnavailable:
    """Ask for a model that cannot be loaded; return what the request ends with."""
    with pytest.raises(ModelUnavailable) as raised:
        read(bench.pool.submit(name, prompt()))
    wait_until(lambda: state_of(bench, name) != "loading")
    return raised.value


def test_a_request_while_a_load_fails_starts_no_second_one(bench: Bench) -> None:
    """It fails with the first; the model is asked for once, and is retired as any other later."""
    bench.hub.error = LoadError("damaged")
    bench.hub.gate.clear()
    first = bench.pool.submit("small", prompt())
    wait_until(lambda: bench.hub.asked[-1] == "small")
    answered = threading.Event()

    def ask_again() -> None:
        wait_until(lambda: first.ended or first.failure)  # a job wakes up one reader alone
        with pytest.raises(ModelUnavailable):
            read(bench.pool.submit("small", prompt()))
        answered.set()

    threading.Thread(target=ask_again).start()
    second = bench.pool.submit("small", prompt())
    bench.hub.gate.set()
    for job in (first, second):
        with pytest.raises(ModelUnavailable):
            read(job)
    assert answered.wait(PATIENCE_S)
    assert bench.hub.asked == ["voice", "small"]
    assert state_of(bench, "small") == "failed"


@pytest.mark.parametrize("how", ["refusal", "error"])
def test_a_failure_is_remembered(bench: Bench, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it was: nothing is tried until the time that the answer says."""
    setattr(bench.hub, how, LoadError("damaged"))
    assert fail_to_load(bench, "small").retry_after_s == 5
    for _ in range(3):
        assert 1 <= (fail_to_load(bench, "small").retry_after_s or 0) <= 5
    assert bench.hub.asked == ["voice", "small"]
    assert bench.pool.status().ready
    setattr(bench.hub, how, None)
    monkeypatch.setattr(model_cards, "monotonic", lambda: time.monotonic() + 6)
    read(bench.pool.submit("small", prompt()))
    assert state_of(bench, "small") == "ready"


def test_a_model_that_is_refused_evicts_none(make_bench: MakeBench) -> None:
    """Its checkpoint is judged while the good one is served."""
    bench = make_bench(max_loaded_models=1)
    bench.hub.refusal = LoadError("quantised")
    fail_to_load(bench, "small")
    assert not bench.runner.closed
    read(bench.pool.submit("voice", prompt()))
    assert bench.hub.loads == ["voice"]


def test_what_made_room_in_vain_is_loaded_again_once(make_bench: MakeBench) -> None:
    """A model whose weights fail has evicted the good one; its next requests do not."""
    bench = make_bench(max_loaded_models=1)
    bench.hub.errors["small"] = LoadError("too little memory")
    for _ in range(3):
        fail_to_load(bench, "small")
        read(bench.pool.submit("voice", prompt()))
    assert bench.hub.loads == ["voice", "voice"]


def test_the_process_is_not_ready_without_its_default_model(make_bench: MakeBench) -> None:
    """Until it is tried again."""
    bench = make_bench(max_loaded_models=1)
    read(bench.pool.submit("small", prompt()))
    bench.hub.errors["voice"] = LoadError("gone")
    fail_to_load(bench, "voice")
    status = bench.pool.status()
    assert status.state == "recovering"
    assert "voice could not be loaded" in status.doing


def test_a_cancelled_request_loads_nothing_and_evicts_nobody(make_bench: MakeBench) -> None:
    """Its client has gone while it waited for the place: the model in use stays."""
    bench = make_bench(max_loaded_models=1)
    bench.runner.gate.clear()
    running = bench.pool.submit("voice", prompt())
    wait_until(bench.runner.running.is_set)
    gone = bench.pool.submit("small", prompt())
    wait_until(lambda: not bench.takes_jobs("voice"))
    behind = bench.pool.submit("voice", prompt("behind"))
    bench.pool.cancel(gone, TTSError("the client left"))
    assert bench.takes_jobs("voice")
    bench.runner.gate.set()
    for job in (running, behind, bench.pool.submit("voice", prompt())):
        read(job)
    wait_until(lambda: state_of(bench, "small") == "not loaded")
    assert bench.hub.loads == ["voice"]
    assert not bench.runner.closed
    read(bench.pool.submit("small", prompt()))
    assert bench.hub.loads == ["voice", "small"]


def test_a_model_is_loaded_as_long_as_anybody_waits(make_bench: MakeBench) -> None:
    """One of two has gone."""
    bench = make_bench(max_loaded_models=1)
    bench.runner.gate.clear()
    bench.pool.submit("voice", prompt())
    wait_until(bench.runner.running.is_set)
    gone, stays = (bench.pool.submit("small", prompt()) for _ in range(2))
    bench.pool.cancel(gone, TTSError("the client left"))
    bench.runner.gate.set()
    read(stays)
    assert bench.hub.loads == ["voice", "small"]


def speak_series(bench: Bench, name: str, num_segments: int, others: dict[int, str]) -> None:
    """Speak a series; before some of its segments, somebody asks for another model."""
    waiting = []
    with bench.pool.series(name) as series:
        read(bench.pool.submit(name, prompt(), series))
        for segment in range(1, num_segments):
            if segment in others:
                waiting.append(bench.pool.submit(others[segment], prompt()))
                wait_until(lambda: not bench.takes_jobs(name))
            job = bench.pool.follow(series, prompt(), only_if_free=False)
            assert job is not None
            read(job)
    for job in waiting:
        read(job)


def test_a_chapter_keeps_its_model_to_the_end(make_bench: MakeBench) -> None:
    """With one place for two models: the other one waits, and each is loaded once."""
    bench = make_bench(max_loaded_models=1)
    speak_series(bench, "voice", 8, {1: "small", 4: "small"})
    assert bench.hub.loads == ["voice", "small"]


def test_a_chapter_gives_way_after_its_turn(make_bench: MakeBench) -> None:
    """And goes on when the other model has done what it was asked for."""
    bench = make_bench(max_loaded_models=1, turn_s=0.0)
    with bench.pool.series("voice") as series:
        read(bench.pool.submit("voice", prompt(), series))
        other = bench.pool.submit("small", prompt())
        wait_until(lambda: not bench.takes_jobs("voice"))
        job = bench.pool.follow(series, prompt(), only_if_free=False)
        assert job is not None
        read(job)
    read(other)
    assert bench.hub.loads == ["voice", "small", "voice"]


def test_a_turn_that_is_not_used_ends(make_bench: MakeBench) -> None:
    """A chapter whose client does not read on holds up nobody for longer."""
    bench = make_bench(max_loaded_models=1, turn_s=0.05)
    with bench.pool.series("voice") as series:
        read(bench.pool.submit("voice", prompt(), series))
        read(bench.pool.submit("small", prompt()))
    assert bench.hub.loads == ["voice", "small"]


def test_what_is_asked_for_anew_while_its_load_fails_fails_with_it(make_bench: MakeBench) -> None:
    """Its engine was to give way and took no more; the load that failed is not begun again."""
    bench = make_bench(max_loaded_models=1)
    bench.hub.gate.clear()
    first = bench.pool.submit("small", prompt())
    wait_until(lambda: bench.runner.closed)
    other = bench.pool.submit("design", prompt())
    wait_until(lambda: not bench.takes_jobs("small"))
    again = bench.pool.submit("small", prompt())
    bench.hub.errors["small"] = LoadError("damaged")
    bench.hub.gate.set()
    for job in (first, again):
        with pytest.raises(ModelUnavailable):
            read(job)
    read(other)
    assert bench.hub.asked == ["voice", "small", "design"]


def test_a_series_that_waits_for_another_turn_holds_up_no_end(make_bench: MakeBench) -> None:
    """Its model, which goes on with it at the end, has it no more."""
    bench = make_bench(max_loaded_models=1, turn_s=0.0)
    bench.runner.gate.clear()
    with bench.pool.series("voice") as series:
        running = bench.pool.submit("voice", prompt(), series)
        wait_until(bench.runner.running.is_set)
        bench.pool.submit("small", prompt())
        wait_until(lambda: not bench.takes_jobs("voice"))
        waiting = bench.pool.follow(series, prompt(), only_if_free=False)
        assert waiting is not None
        bench.pool.drain()
        bench.runner.gate.set()
        assert bench.pool.close(PATIENCE_S)
    read(running)
    with pytest.raises(ShuttingDown):
        read(waiting)


def test_what_an_engine_does_not_take_goes_on_waiting() -> None:
    """It may have failed in the same moment; then the pool fails what waits."""

    def make_engine(name: str) -> Engine:
        engine = Engine(name, lambda report, await_place: FakeRunner(), lambda *_: None)
        engine.drain()
        return engine

    roster = Roster(make_engine, PoolSettings(max_loaded=1, max_queue=1, hang_timeout_s=60))
    job = Job(prompt())
    roster.queue_job("small", job, None)
    roster.start("small")
    assert roster.num_unassigned == 1
    assert roster.take("small") == [job]


def snapshot(name: str, state: EngineState, created_at: float = 0.0) -> EngineSnapshot:
    return EngineSnapshot(name, state, created_at, 0, 0, 0, 0, 0, 1.0, None, None)


S = EngineState


@for_each(
    ("engines", "max_loaded", "expected"),
    [
        ([("a", S.QUEUED)], 1, Places(("a",), (), ())),
        ([("a", S.READY), ("b", S.QUEUED)], 2, Places(("b",), (), ())),
        ([("a", S.READY), ("b", S.QUEUED)], 1, Places((), ("a",), ())),
        ([("a", S.READY), ("b", S.LOADING), ("c", S.QUEUED)], 2, Places((), ("a",), ())),
        ([("a", S.LOADING), ("b", S.QUEUED), ("c", S.QUEUED)], 2, Places(("b",), ("a",), ())),
        ([("b", S.QUEUED), ("a", S.QUEUED)], 1, Places(("b",), ("b",), ())),
        ([("a", S.RETIRING), ("b", S.QUEUED)], 1, Places((), (), ())),
        ([("a", S.CLOSING), ("b", S.READY), ("c", S.QUEUED)], 2, Places((), (), ())),
        ([("a", S.RETIRING), ("b", S.RETIRING), ("c", S.QUEUED)], 2, Places((), (), ("b",))),
        ([("a", S.LOADING_TO_RETIRE)], 1, Places((), (), ("a",))),
        ([("a", S.CLOSING)], 1, Places((), (), ())),
        ([("a", S.CHECKING), ("b", S.ABANDONED), ("c", S.READY)], 1, Places((), (), ())),
        ([("a", S.CLOSED), ("b", S.FAILED), ("c", S.QUEUED)], 1, Places(("c",), (), ())),
    ],
)
def test_places_are_given_to_who_came_first_and_taken_from_the_least_used(
    engines: list[tuple[str, EngineState]], max_loaded: int, expected: Places
) -> None:
    """As many retire as lack a place, counting those that do already; too many: the latest stays.

    Engines are given in the order of their use, the least recently used first.
    """
    snapshots = [snapshot(name, state, number) for number, (name, state) in enumerate(engines)]
    assert assign_places(snapshots, max_loaded) == expected
