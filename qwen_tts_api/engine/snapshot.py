"""What is told of the models: frozen values, which nobody can reach an engine through."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelDetails:
    """A model that is in memory, and where it computes.

    Attributes:
        kind: `custom_voice`, `voice_design` or `base`.
        size: As published: `0b6`, `1b7`.
        device: `cpu` or `cuda:N`.
        dtype: Number format of the weights.
        attention: The kernel in use.
    """

    kind: str
    size: str
    device: str
    dtype: str
    attention: str


@dataclass(frozen=True)
class EngineStatus:
    """A model that is in memory or on its way there.

    Attributes:
        name: The model's name.
        running: Utterances that are being computed.
        rows: Utterances that can be computed at once; 0 while it is loading.
        frames: Frames that were computed since it was loaded, whatever the number of rows in them.
        row_frames: Rows in those frames.
        failures: Computations that failed.
        out_of_memory: Computations for which the device had no memory.
        memory_bytes: GPU memory that PyTorch holds for the process.
    """

    name: str
    running: int
    rows: int
    frames: int
    row_frames: int
    failures: int
    out_of_memory: int
    memory_bytes: int


@dataclass(frozen=True)
class PoolStatus:
    """What the probes tell.

    Attributes:
        state: `loading` until the first model has been loaded; `ready`; `recovering` while the last
            thing computed is a failure; `draining` when the process was told to stop; `failed` when
            only a new process helps.
        doing: What the first loading is at, or why the state is not `ready`; may be empty.
        models: Each served model's name and state: `ready`, `loading`, `not loaded`, `failed` (it
            could not be loaded, and is not tried again yet).
        engines: What is in memory, or on its way there.
        default: The default model, while it is in memory.
        running: Utterances that are being computed, over all models.
        waiting: Utterances that wait.
    """

    state: str
    doing: str
    models: dict[str, str]
    engines: tuple[EngineStatus, ...]
    default: ModelDetails | None
    running: int
    waiting: int

    @property
    def ready(self) -> bool:
        """Whether requests are answered with audio."""
        return self.state == "ready"
