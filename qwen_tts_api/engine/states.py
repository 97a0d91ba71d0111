"""The states of an engine, and who may cause which change.

`docs/architecture.md` has the same table, and says what happens in each state.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from enum import Enum


class EngineState(Enum):
    """Where an engine is in its life; CHECKING is the first state."""

    CHECKING = "checking"
    """Finds the checkpoint, downloads it if need be, and judges it."""
    QUEUED = "queued"
    """Waits for a place among the loaded models."""
    ABANDONED = "abandoned"
    """Is not loaded any more; its thread ends as soon as it notices."""
    LOADING = "loading"
    """Has a place, and takes the device's memory."""
    LOADING_TO_RETIRE = "loading to retire"
    """Loads for the jobs that it has, and retires then."""
    READY = "ready"
    """Computes what it is given."""
    RETIRING = "retiring"
    """Computes what it has, and what follows in its series while its turn lasts."""
    CLOSING = "closing"
    """Releases the device's memory."""
    CLOSED = "closed"
    """Has ended, and its place is free."""
    FAILED = "failed"
    """Could not be loaded, and its place is free."""
    LOST = "lost"
    """The device is lost, or its thread met an error that nobody expected: the process ends."""

    @property
    def has_place(self) -> bool:
        """Whether it takes, or may take, memory of the device."""
        return self in _HOLDING

    @property
    def gives_way(self) -> bool:
        """Whether its place will soon be another's, unless it is told to stay."""
        return self in _GIVING_WAY


class Actor(Enum):
    """Who causes a change of state."""

    ENGINE = "engine"
    """The engine's own thread."""
    POOL = "pool"
    """Whoever calls the pool, by a method of the engine."""


_S = EngineState
_GIVING_WAY = {_S.LOADING_TO_RETIRE, _S.RETIRING, _S.CLOSING}
_HOLDING = {_S.LOADING, _S.READY, *_GIVING_WAY}

TRANSITIONS: Mapping[tuple[EngineState, EngineState], Actor] = {
    (_S.CHECKING, _S.QUEUED): Actor.ENGINE,
    (_S.CHECKING, _S.ABANDONED): Actor.POOL,
    (_S.CHECKING, _S.FAILED): Actor.ENGINE,
    (_S.QUEUED, _S.LOADING): Actor.POOL,
    (_S.QUEUED, _S.ABANDONED): Actor.POOL,
    (_S.ABANDONED, _S.CLOSED): Actor.ENGINE,
    (_S.ABANDONED, _S.FAILED): Actor.ENGINE,
    (_S.LOADING, _S.READY): Actor.ENGINE,
    (_S.LOADING, _S.LOADING_TO_RETIRE): Actor.POOL,
    (_S.LOADING, _S.FAILED): Actor.ENGINE,
    (_S.LOADING_TO_RETIRE, _S.LOADING): Actor.POOL,
    (_S.LOADING_TO_RETIRE, _S.RETIRING): Actor.ENGINE,
    (_S.LOADING_TO_RETIRE, _S.FAILED): Actor.ENGINE,
    (_S.READY, _S.RETIRING): Actor.POOL,
    (_S.READY, _S.CLOSING): Actor.ENGINE,
    (_S.RETIRING, _S.READY): Actor.POOL,
    (_S.RETIRING, _S.CLOSING): Actor.ENGINE,
    (_S.CLOSING, _S.CLOSED): Actor.ENGINE,
    **{(state, _S.LOST): Actor.ENGINE for state in _S if state is not _S.LOST},
}
"""Every allowed change, and who may cause it."""

ACCEPTING = frozenset({_S.CHECKING, _S.QUEUED, _S.LOADING, _S.READY})
"""Where new jobs may be queued."""

RETIRE = {_S.LOADING: _S.LOADING_TO_RETIRE, _S.READY: _S.RETIRING}
"""What becomes of an engine that is told to give way."""
STAY = {new: old for old, new in RETIRE.items()}
"""What becomes of it when it is told to stay after all."""
DROP = {_S.CHECKING: _S.ABANDONED, _S.QUEUED: _S.ABANDONED}
"""What becomes of one without a place at the end of the process."""
LOADED = {_S.LOADING: _S.READY, _S.LOADING_TO_RETIRE: _S.RETIRING}
"""What becomes of one whose model has been loaded."""


class Tenure:
    """How long an engine without work keeps its place. Its engine's lock guards it.

    Args:
        idle_unload_s: Since its last work, if nobody tells it to retire.

    Attributes:
        turn_s: Once it is told so, while jobs of a series that it has may follow.
    """

    def __init__(self, idle_unload_s: float) -> None:
        self.turn_s = 0.0
        self._idle_unload_s = idle_unload_s
        self._entered_at = self._used_at = time.monotonic()

    def enter_state(self) -> None:
        """Note a change of state."""
        self._entered_at = time.monotonic()

    def use(self) -> None:
        """Note that there is work."""
        self._used_at = time.monotonic()

    def turn_left_s(self, state: EngineState) -> float:
        """Return how long one that is retiring goes on with what follows; 0 for any other."""
        if state is not _S.RETIRING:
            return 0.0
        return max(0.0, self._entered_at + self.turn_s - time.monotonic())

    def left_s(self, state: EngineState, *, has_series: bool, degraded: bool) -> float:
        """Return in how many seconds it ends if no work comes; 0: now.

        Args:
            state: Its state.
            has_series: Whether more may follow of what it had.
            degraded: Whether it is yet to be seen that the model works.
        """
        if state is _S.RETIRING:
            return self.turn_left_s(state) if has_series else 0.0
        if state is not _S.READY or has_series or degraded:
            return math.inf
        return max(0.0, self._used_at + self._idle_unload_s - time.monotonic())


class IllegalTransition(Exception):
    """A change of state that `TRANSITIONS` does not have, or not for this actor."""
