"""A request of several prompts, on its way through a pool of models."""

from __future__ import annotations

from qwen_tts_api.engine.engine import Engine


class Series:
    """Prompts for one model, of which the first is admitted or refused, and the others follow.

    Attributes:
        name: The model's name.
        engine: What its last prompt was given to; None while that waits for one.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.engine: Engine | None = None
