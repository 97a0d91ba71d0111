"""A request of several prompts, on its way through a pool of models."""

from __future__ import annotations

from qwen_tts_api.engine.engine import Engine
from qwen_tts_api.engine.job import Job


class Series:
    """Prompts for one model, of which the first is admitted or refused, and the others follow.

    Attributes:
        name: The model's name.
        engine: What its last prompt was given to; None while that waits for one.
        jobs: Those of its prompts, but for what ended well.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.engine: Engine | None = None
        self.jobs: list[Job] = []

    @property
    def has_failed(self) -> bool:
        """Whether one of its jobs ended with an error, so that nobody will hear the next."""
        return any(job.failure for job in self.jobs)
