"""What the probes tell of the models."""

from __future__ import annotations

from dataclasses import dataclass

from qwen_tts_api.engine.runner import Runner


@dataclass(frozen=True)
class PoolStatus:
    """What the probes tell.

    Attributes:
        state: `loading` until the first model has been loaded; `ready`; `recovering` while the last
            thing computed is a failure; `draining` when the process was told to stop; `failed` when
            only a new process helps.
        doing: What the first loading is at, or why the state is not `ready`; may be empty.
        models: Each served model's name and state: `ready`, `loading`, `not loaded`.
        default: The default model's runner while it is in memory; its description is for reading.
        running: Utterances that are being computed, over all models.
        waiting: Utterances that wait.
    """

    state: str
    doing: str
    models: dict[str, str]
    default: Runner | None
    running: int
    waiting: int

    @property
    def ready(self) -> bool:
        """Whether requests are answered with audio."""
        return self.state == "ready"
