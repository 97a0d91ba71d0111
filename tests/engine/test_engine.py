"""Every change of an engine's state, by whom it may be caused, and that no other is possible."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qwen_tts_api.engine.engine import Engine
from qwen_tts_api.engine.job import Job, Series
from qwen_tts_api.engine.states import (
    ACCEPTING,
    TRANSITIONS,
    Actor,
    EngineState,
    IllegalTransition,
)
from qwen_tts_api.errors import LoadError, SynthesisFailed, TTSError
from qwen_tts_api.model.utterance import Prompt, SamplingParams
from tests.conftest import read, wait_until
from tests.fakes import FakeRunner
from tests.patience import PATIENCE_S

ARCHITECTURE = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"
S = EngineState
Change = tuple[EngineState, EngineState, Actor]


def job(*, follows: bool = False) -> Job:
    return Job(Prompt("ab", "auto", "ryan", "", SamplingParams(seed=1)), follows=follows)


class Runner(FakeRunner):
    """A runner whose end waits until it is let go.

    Attributes:
        may_close: It waits for this.
        close_error: Raised then.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.may_close = threading.Event()
        self.close_error: Exception | None = None

    def close(self) -> None:
        self.may_close.wait(PATIENCE_S)
        if self.close_error is not None:
            raise self.close_error
        super().close()


class Recorded(Engine):
    """An engine that keeps a record of its changes.

    Attributes:
        changes: The states before and after each, and who caused it.
    """

    changes: list[Change]

    def _transition(self, new: EngineState, actor: Actor) -> EngineState:
        old = super()._transition(new, actor)
        self.changes.append((old, new, actor))
        return old


class Drive:
    """An engine, and what makes it go from one state to the next.

    Attributes:
        engine: The engine.
        runner: What it loads.
        series: A series that it has, which it waits for while it retires.
        told: The changes that it told the pool of.
        judged: The checkpoint's judgement waits for this.
        loaded: The load waits for this.
        error: Raised by what waits next.
        deaf: Telling of the change to this state raises.
    """

    def __init__(self) -> None:
        # It would be unloaded at once, but that it has a series.
        self.engine = Recorded("voice", self._load, self._record, idle_unload_s=0)
        self.engine.changes = []
        self.runner = Runner()
        self.series = Series("voice")
        self.told: list[tuple[EngineState, EngineState]] = []
        self.judged, self.loaded = threading.Event(), threading.Event()
        self.error: BaseException | None = None
        self.deaf: EngineState | None = None
        self.engine.attach(self.series)
        self.engine.start()

    @property
    def state(self) -> EngineState:
        return self.engine.snapshot().state

    def _load(self, report: Callable[[str], None], await_place: Callable[[], None]) -> Runner:
        self.judged.wait(PATIENCE_S)
        self._raise()
        await_place()
        self.loaded.wait(PATIENCE_S)
        self._raise()
        return self.runner

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error

    def _record(self, engine: Engine, old: EngineState, new: EngineState) -> None:
        assert engine is self.engine
        self.told.append((old, new))
        if new is self.deaf:
            raise RuntimeError("the pool has failed")

    def reach(self, *states: EngineState) -> None:
        """Go through states, each by the change that leads there, and stay in the last."""
        for old, new in zip((S.CHECKING, *states), states, strict=False):
            CAUSES[old, new](self)
            wait_until(lambda new=new: self.state is new)  # type: ignore[misc]

    def fail(self, error: BaseException, gate: threading.Event) -> None:
        self.error = error
        gate.set()

    def lose(self) -> None:
        """Let the device be lost in the frame of a job."""
        self.runner.error = RuntimeError("CUDA error: an illegal memory access")
        assert self.engine.follow(job(follows=True), self.series, only_if_free=False)

    def close(self) -> None:
        """Let the engine end, whatever its state."""
        self.engine.detach(self.series)
        for waiting in self.engine.drain():
            waiting.fail(TTSError("the test ends"))
        for gate in (self.judged, self.loaded, self.runner.may_close):
            gate.set()
        assert self.engine.join(PATIENCE_S)


@pytest.fixture
def drive() -> Iterator[Drive]:
    drive = Drive()
    yield drive
    drive.close()


def _deaf(state: EngineState, cause: Callable[[Drive], object]) -> Callable[[Drive], object]:
    def fail(drive: Drive) -> None:
        drive.deaf = state
        cause(drive)

    return fail


CAUSES: dict[tuple[EngineState, EngineState], Callable[[Drive], object]] = {
    (S.CHECKING, S.QUEUED): lambda drive: drive.judged.set(),
    (S.CHECKING, S.ABANDONED): lambda drive: drive.engine.drain(),
    (S.CHECKING, S.FAILED): lambda drive: drive.fail(LoadError("damaged"), drive.judged),
    (S.CHECKING, S.LOST): lambda drive: drive.fail(SystemExit(1), drive.judged),
    (S.QUEUED, S.LOADING): lambda drive: drive.engine.grant(),
    (S.QUEUED, S.ABANDONED): lambda drive: drive.engine.abandon(),
    (S.ABANDONED, S.CLOSED): lambda drive: drive.judged.set(),
    (S.ABANDONED, S.FAILED): lambda drive: drive.fail(KeyError("config"), drive.judged),
    (S.ABANDONED, S.LOST): lambda drive: drive.fail(SystemExit(1), drive.judged),
    (S.LOADING, S.READY): lambda drive: drive.loaded.set(),
    (S.LOADING, S.LOADING_TO_RETIRE): lambda drive: drive.engine.retire(60),
    (S.LOADING, S.FAILED): lambda drive: drive.fail(MemoryError("full"), drive.loaded),
    (S.LOADING, S.LOST): lambda drive: drive.fail(SystemExit(1), drive.loaded),
    (S.LOADING_TO_RETIRE, S.LOADING): lambda drive: drive.engine.stay(),
    (S.LOADING_TO_RETIRE, S.RETIRING): lambda drive: drive.loaded.set(),
    (S.LOADING_TO_RETIRE, S.FAILED): lambda drive: drive.fail(LoadError("full"), drive.loaded),
    (S.LOADING_TO_RETIRE, S.LOST): lambda drive: drive.fail(SystemExit(1), drive.loaded),
    (S.READY, S.RETIRING): lambda drive: drive.engine.retire(60),
    (S.READY, S.CLOSING): lambda drive: drive.engine.detach(drive.series),
    (S.READY, S.LOST): lambda drive: drive.lose(),
    (S.RETIRING, S.READY): lambda drive: drive.engine.stay(),
    (S.RETIRING, S.CLOSING): lambda drive: drive.engine.detach(drive.series),
    (S.RETIRING, S.LOST): lambda drive: drive.lose(),
    (S.CLOSING, S.CLOSED): lambda drive: drive.runner.may_close.set(),
    # An error that nobody expects: of the pool when it is told of the state, of the runner's end.
    (S.QUEUED, S.LOST): _deaf(S.QUEUED, lambda drive: drive.judged.set()),
    (S.CLOSING, S.LOST): _deaf(S.CLOSING, lambda drive: drive.engine.detach(drive.series)),
    (S.CLOSED, S.LOST): _deaf(S.CLOSED, lambda drive: drive.runner.may_close.set()),
    (S.FAILED, S.LOST): _deaf(S.FAILED, lambda drive: drive.fail(OSError(), drive.judged)),
}
"""What causes each change, by the public methods of an engine and what its load and runner do."""

PATHS: dict[EngineState, tuple[EngineState, ...]] = {
    S.CHECKING: (),
    S.QUEUED: (S.QUEUED,),
    S.ABANDONED: (S.ABANDONED,),
    S.LOADING: (S.QUEUED, S.LOADING),
    S.LOADING_TO_RETIRE: (S.QUEUED, S.LOADING, S.LOADING_TO_RETIRE),
    S.READY: (S.QUEUED, S.LOADING, S.READY),
    S.RETIRING: (S.QUEUED, S.LOADING, S.READY, S.RETIRING),
    S.CLOSING: (S.QUEUED, S.LOADING, S.READY, S.RETIRING, S.CLOSING),
    S.CLOSED: (S.ABANDONED, S.CLOSED),
    S.FAILED: (S.FAILED,),
    S.LOST: (S.LOST,),
}
"""How each state is reached from the first."""
BEFORE = {S.QUEUED: S.CHECKING, S.CLOSING: S.RETIRING, S.CLOSED: S.CLOSING, S.FAILED: S.CHECKING}
"""Where one has to be for an error in the very change to a state."""


def name_of(change: tuple[EngineState, EngineState]) -> str:
    return f"{change[0].value} to {change[1].value}"


@pytest.mark.parametrize("change", TRANSITIONS, ids=name_of)
def test_every_change_is_caused_by_whom_the_table_says(
    drive: Drive, change: tuple[EngineState, EngineState]
) -> None:
    """And the pool is told of those that the engine causes, of no others."""
    old, new = change
    drive.reach(*PATHS[BEFORE.get(old, old) if new is S.LOST else old])
    num_before = len(drive.engine.changes)
    CAUSES[change](drive)
    expected = (old, new, TRANSITIONS[change])
    wait_until(lambda: expected in drive.engine.changes[num_before:])
    own = [each[:2] for each in drive.engine.changes if each[2] is Actor.ENGINE]
    wait_until(lambda: drive.told[: len(own)] == own)


def test_the_causes_are_of_all_changes() -> None:
    """What the table allows is what can be done, neither more nor less."""
    assert set(CAUSES) == set(TRANSITIONS)


@pytest.mark.parametrize("state", EngineState, ids=lambda state: state.value)
def test_every_other_change_is_refused(drive: Drive, state: EngineState) -> None:
    """To whatever state, and by either."""
    drive.reach(*PATHS[state])
    for new in EngineState:
        for actor in Actor:
            if TRANSITIONS.get((state, new)) is not actor:
                with pytest.raises(IllegalTransition, match=state.value):
                    drive.engine._transition(new, actor)
                assert drive.state is state


@pytest.mark.parametrize(
    ("method", "allowed"),
    [
        ("submit", {S.CHECKING, S.QUEUED, S.LOADING, S.READY}),
        ("follow", {S.CHECKING, S.QUEUED, S.LOADING, S.READY, S.RETIRING}),
        ("grant", {S.QUEUED}),
        ("abandon", {S.QUEUED}),
        ("retire", {S.LOADING, S.READY}),
        ("stay", {S.LOADING_TO_RETIRE, S.RETIRING}),
    ],
)
@pytest.mark.parametrize("state", EngineState, ids=lambda state: state.value)
def test_what_the_state_does_not_allow_is_not_done(
    drive: Drive, state: EngineState, method: str, allowed: set[EngineState]
) -> None:
    """And the caller is told, who queues the job elsewhere."""
    drive.reach(*PATHS[state])
    calls: dict[str, Callable[[], bool]] = {
        "submit": lambda: drive.engine.submit(job()),
        "follow": lambda: drive.engine.follow(job(follows=True), drive.series, only_if_free=False),
        "grant": drive.engine.grant,
        "abandon": drive.engine.abandon,
        "retire": lambda: drive.engine.retire(60),
        "stay": drive.engine.stay,
    }
    assert calls[method]() is (state in allowed)


def reached(start: EngineState) -> set[EngineState]:
    """Return the states that can follow on one, at whatever distance, but for LOST."""
    found = {start}
    while True:
        more = {new for old, new in TRANSITIONS if old in found and new is not S.LOST} - found
        if not more:
            return found
        found |= more


def test_every_state_is_reached_and_every_life_ends() -> None:
    """No state is there for nothing, and none is a trap."""
    assert reached(S.CHECKING) == set(EngineState) - {S.LOST}
    for state in set(EngineState) - {S.LOST}:
        assert reached(state) & {S.CLOSED, S.FAILED}


def test_the_documents_have_the_same_table() -> None:
    """Row by row; `any other` stands for all states but the new one."""
    text = ARCHITECTURE.read_text()
    table = text[text.index("| from | to | by |") : text.index("New jobs are taken")]
    documented = {}
    for old, new, actor in re.findall(r"^\| (.+?) \| (.+?) \| (engine|pool) \|", table, re.M):
        names = old.split(", ")
        if old == "any other":
            names = [state.value for state in EngineState if state.value != new]
        for name in names:
            assert (EngineState(name), EngineState(new)) not in documented
            documented[EngineState(name), EngineState(new)] = Actor(actor)
    assert documented == TRANSITIONS


def test_the_documents_say_who_takes_jobs_and_has_a_place() -> None:
    text = " ".join(ARCHITECTURE.read_text().split())
    accepting = [state.value for state in EngineState if state in ACCEPTING]
    assert f"New jobs are taken while {', '.join(accepting[:-1])} and {accepting[-1]};" in text
    holding = [state for state in EngineState if state.has_place]
    assert (holding[0], holding[-1]) == (S.LOADING, S.CLOSING)
    assert "A place is held from loading to closing." in text


def test_a_turn_that_is_over_takes_nothing_more(drive: Drive) -> None:
    """Nor does one take what follows in a series that it does not have."""
    drive.reach(*PATHS[S.READY])
    assert drive.engine.retire(60)
    assert not drive.engine.follow(job(follows=True), Series("voice"), only_if_free=False)
    assert drive.engine.stay()
    assert drive.engine.retire(0)
    assert not drive.engine.follow(job(follows=True), drive.series, only_if_free=False)
    wait_until(lambda: drive.state is S.CLOSING)


def test_what_waits_when_the_device_is_lost_can_be_told(drive: Drive) -> None:
    """The job in the frame has failed; one behind it is given back to the pool."""
    drive.reach(*PATHS[S.READY])
    drive.runner.max_slots = 1
    drive.runner.gate.clear()
    running, behind = job(), job()
    drive.engine.submit(running)
    wait_until(drive.runner.running.is_set)
    drive.engine.submit(behind)
    drive.lose()
    drive.runner.gate.set()
    wait_until(lambda: drive.state is S.LOST)
    with pytest.raises(SynthesisFailed):
        read(running)
    assert behind in drive.engine.drain()
