"""What an engine asks of the pool that keeps it, and what it tells it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from qwen_tts_api.engine.runner.interface import Runner

if TYPE_CHECKING:
    from qwen_tts_api.engine.engine import Engine

LoadRunner = Callable[[Callable[[str], None], Callable[[], None]], Runner]
"""Loads a model; raises StartupError. Its first argument is told what it does. It calls the second
when the checkpoint has been judged, before it takes memory of the device: that waits for a place
among the loaded models, and raises NotWanted where nobody waits for the model any more."""


class NotWanted(Exception):
    """Nobody waits any more for a model that was to be loaded."""


class Owner(Protocol):
    """Who keeps engines. The first three are called under the condition that they share."""

    def place_asked(self) -> None:
        """Note that an engine has asked for a place."""

    def is_wanted(self, engine: Engine) -> bool:
        """Return whether an engine that waits for a place is to have one."""

    def awaits_s(self, engine: Engine) -> float:
        """Return how long an engine that retires is to wait for prompts that follow."""

    def engine_ready(self, engine: Engine, runner: Runner) -> None:
        """Note that a model was loaded."""

    def engine_ended(self, engine: Engine) -> None:
        """Note that an engine's thread ends, the memory given back."""

    def engine_lost(self) -> None:
        """Note that the process cannot compute any more."""
