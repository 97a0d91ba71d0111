"""The states of an engine, and its allowed transitions.

`docs/architecture.md` has the same table, and describes each state.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from enum import Enum


class EngineState(Enum):
    """The states of an engine; CHECKING is the first."""

    CHECKING = "checking"
    """Finds (or downloads) and validates the checkpoint."""
    QUEUED = "queued"
    """Waits for a place among the loaded models."""
    ABANDONED = "abandoned"
    """The load was cancelled; the thread ends as soon as it notices."""
    LOADING = "loading"
    """Has a place, and loads the model into device memory."""
    LOADING_TO_RETIRE = "loading to retire"
    """Loads for the jobs that it has, then retires."""
    READY = "ready"
    """Computes jobs."""
    RETIRING = "retiring"
    """Completes its jobs, and those of its series that come before its turn ends."""
    CLOSING = "closing"
    """Releases the device's memory."""
    CLOSED = "closed"
    """Has ended, and its place is free."""
    FAILED = "failed"
    """Could not be loaded, and its place is free."""
    LOST = "lost"
    """The device is lost, or the thread met an unexpected error: the process ends."""

    @property
    def has_place(self) -> bool:
        """Whether it holds a place: it uses, or may allocate, device memory."""
        return self in _HOLDING

    @property
    def gives_way(self) -> bool:
        """Whether it will release its place, unless `retire` is revoked."""
        return self in _GIVING_WAY


class Actor(Enum):
    """The thread that makes a transition."""

    ENGINE = "engine"
    """The engine's own thread."""
    POOL = "pool"
    """Any thread that calls the pool, by a method of the engine."""


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
"""Every allowed transition, and who may make it."""

ACCEPTING = frozenset({_S.CHECKING, _S.QUEUED, _S.LOADING, _S.READY})
"""States in which new jobs are accepted."""

RETIRE = {_S.LOADING: _S.LOADING_TO_RETIRE, _S.READY: _S.RETIRING}
"""Transitions of `Engine.retire`."""
STAY = {new: old for old, new in RETIRE.items()}
"""Transitions of `Engine.stay`, which revokes `retire`."""
DROP = {_S.CHECKING: _S.ABANDONED, _S.QUEUED: _S.ABANDONED}
"""Transitions at shutdown of an engine without a place."""
LOADED = {_S.LOADING: _S.READY, _S.LOADING_TO_RETIRE: _S.RETIRING}
"""Transitions when the model has been loaded."""


class UnloadTimer:
    """Decides when an engine without jobs unloads its model. The engine's lock guards it.

    Args:
        idle_unload_s: How long after the last job, unless it retires.

    Attributes:
        turn_s: How long after `retire`, while it has a series.
    """

    def __init__(self, idle_unload_s: float) -> None:
        self.turn_s = 0.0
        self._idle_unload_s = idle_unload_s
        self._entered_at = self._used_at = time.monotonic()

    def enter_state(self) -> None:
        """Record a change of state."""
        self._entered_at = time.monotonic()

    def use(self) -> None:
        """Record that there are jobs."""
        self._used_at = time.monotonic()

    def turn_left_s(self, state: EngineState) -> float:
        """Return how long a retiring engine still accepts jobs of its series; else 0."""
        if state is not _S.RETIRING:
            return 0.0
        return max(0.0, self._entered_at + self.turn_s - time.monotonic())

    def left_s(self, state: EngineState, *, has_series: bool, degraded: bool) -> float:
        """Return the seconds until it unloads if no job comes; 0: now.

        Args:
            state: The engine's state.
            has_series: Whether it has a series, whose next job may come.
            degraded: Whether a self-test after a failure is still to come.
        """
        if state is _S.RETIRING:
            return self.turn_left_s(state) if has_series else 0.0
        if state is not _S.READY or has_series or degraded:
            return math.inf
        return max(0.0, self._used_at + self._idle_unload_s - time.monotonic())


class IllegalTransition(Exception):
    """A transition that `TRANSITIONS` does not have, or not for this actor."""
