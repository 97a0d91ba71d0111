"""Status of the pool and its engines as frozen values, for decisions, probes and metrics."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.engine.self_test import Health
from qwen_tts_api.engine.states import EngineState
from qwen_tts_api.errors import StartupError


@dataclass(frozen=True)
class ModelDetails:
    """A model in memory: its kind, device and kernels.

    Attributes:
        kind: `custom_voice`, `voice_design` or `base`.
        size: As published: `0b6`, `1b7`.
        device: `cpu` or `cuda:N`.
        dtype: Number format of the weights.
        attention: The kernel in use.
        kernels: What computes each part of the work: `fused` or `plain`.
    """

    kind: str
    size: str
    device: str
    dtype: str
    attention: str
    kernels: Mapping[str, str]

    @classmethod
    def of(cls, runner: Runner) -> ModelDetails:
        """Return those of a loaded model."""
        card, place = runner.card, runner.placement
        placement = place.device, place.dtype, place.attention
        return cls(card.kind, card.size, *placement, runner.kernels)


@dataclass(frozen=True)
class EngineSnapshot:
    """The state of an engine that the pool's decisions are based on.

    Attributes:
        name: The model's name.
        state: Its state.
        created_at: When its model was asked for, by `time.monotonic`.
        waiting: Jobs in its queue.
        running: Jobs in slots.
        slots: Jobs that can be computed at once; 0 unless its model is in memory.
        num_free: Free slots; 0 while a job waits for pages.
        pages_used: Pages held by the jobs in slots.
        mean_job_s: Moving average of the seconds that a job is in its slot.
        card: The model card, while the model is in memory.
        failure: Why the model could not be loaded.
    """

    name: str
    state: EngineState
    created_at: float
    waiting: int
    running: int
    slots: int
    num_free: int
    pages_used: int
    mean_job_s: float
    card: ModelCard | None
    failure: StartupError | None


@dataclass(frozen=True)
class EngineStatus:
    """The status of an engine, for probes and metrics.

    Attributes:
        name: The model's name.
        state: The engine's state.
        doing: The stage of loading.
        details: The model, while it is in memory.
        degraded: The last computation failed, and none has succeeded since.
        stalled_s: Seconds without a frame although there are jobs.
        running: Utterances that are being computed.
        waiting: Utterances that wait.
        slots: Utterances that can be computed at once; 0 while it is loading.
        pages: Pages of the KV cache; 0 while it is loading.
        pages_used: Pages held by utterances.
        steps: Steps computed since it was loaded, each one frame of all running jobs.
        frames: Frames computed, summed over jobs: `frames / steps` is the mean batch.
        prefix_hits, prefix_misses: Prompts whose prefix was in the prefix cache, or not.
        failures: Computations that failed.
        out_of_memory: Computations that ran out of device memory.
        memory_bytes: GPU memory that PyTorch has reserved.
    """

    name: str
    state: EngineState
    doing: str
    details: ModelDetails | None
    degraded: bool
    stalled_s: float
    running: int
    waiting: int
    slots: int
    pages: int
    pages_used: int
    steps: int
    frames: int
    prefix_hits: int
    prefix_misses: int
    failures: int
    out_of_memory: int
    memory_bytes: int

    @classmethod
    def of(
        cls, snapshot: EngineSnapshot, doing: str, health: Health, runner: Runner | None
    ) -> EngineStatus:
        """Return that of an engine."""
        return cls(
            name=snapshot.name,
            state=snapshot.state,
            doing=doing,
            details=ModelDetails.of(runner) if runner else None,
            degraded=health.degraded,
            stalled_s=health.idle_s() if runner and snapshot.running else 0.0,
            running=snapshot.running,
            waiting=snapshot.waiting,
            slots=snapshot.slots,
            pages=runner.num_pages if runner else 0,
            pages_used=snapshot.pages_used,
            steps=health.num_steps,
            frames=health.num_frames,
            prefix_hits=runner.prefix_uses.hits if runner else 0,
            prefix_misses=runner.prefix_uses.misses if runner else 0,
            failures=health.num_failures,
            out_of_memory=health.num_out_of_memory,
            memory_bytes=runner.memory_bytes() if runner else 0,
        )

    def hang_fault(self, timeout_s: float) -> str:
        """Return the fault if it has stalled for longer than that, else an empty string."""
        if self.stalled_s <= timeout_s:
            return ""
        return (
            f"{self.name} has jobs, but has computed no frame for {timeout_s:g} s "
            "(QWEN_HANG_TIMEOUT_S)"
        )


class Phase(Enum):
    """The phase of a pool's lifecycle."""

    STARTING = "the first model has not been loaded"
    OPEN = "work is taken"
    DRAINING = "no more work is taken"
    LOST = "the process cannot compute any more"


@dataclass(frozen=True)
class PoolStatus:
    """The status of the pool, for probes.

    Attributes:
        state: `loading` until the first model has been loaded; `ready`; `recovering` after a failed
            computation; `draining` during shutdown; `failed` if the process must be restarted.
        doing: The stage of the first load, or why the state is not `ready`; may be empty.
        models: State by served model: `ready`, `loading`, `not loaded`, `idle` (unloaded for lack
            of requests), `failed` (the load failed, and is not retried yet).
        engines: The engines of models that are loaded or loading.
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


def pool_status(
    phase: Phase,
    fault: str,
    engines: Sequence[EngineStatus],
    failed: Mapping[str, int],
    idle: Collection[str],
    num_unassigned: int,
) -> PoolStatus:
    """Return the status of a pool.

    Args:
        phase: The pool's phase.
        fault: The fault of a hanging model; empty if none hangs.
        engines: The engines of models that are loaded or loading.
        failed: By served model, the seconds until its load may be retried, or 0; the default first.
        idle: Served models that were unloaded for lack of requests.
        num_unassigned: Jobs that wait for models whose engine takes none.
    """
    default = next(iter(failed))
    own = next((each for each in engines if each.name == default), None)
    state, doing = _state(phase, fault, own, engines)
    if state in ("ready", "recovering") and own is None and failed[default]:
        state = "recovering"
        doing = f"{default} could not be loaded; next try after {failed[default]} s"
    if state == "ready" and own is None and default in idle:
        doing = f"{default} was unloaded, since no request used it: the next one loads it"
    absent = {name: "idle" if name in idle else "not loaded" for name in failed}
    absent |= {name: "failed" for name, wait_s in failed.items() if wait_s}
    present = [each for each in engines if each.state is not EngineState.CLOSING]
    return PoolStatus(
        state=state,
        doing=doing,
        models=absent | {each.name: "ready" if each.details else "loading" for each in present},
        engines=tuple(engines),
        default=own.details if own else None,
        running=sum(each.running for each in engines),
        waiting=sum(each.waiting for each in engines) + num_unassigned,
    )


def _state(
    phase: Phase, fault: str, default: EngineStatus | None, engines: Sequence[EngineStatus]
) -> tuple[str, str]:
    if phase is Phase.LOST or fault:
        return "failed", "the model's device or thread is lost" if phase is Phase.LOST else fault
    if phase is Phase.DRAINING:
        return "draining", ""
    if phase is Phase.STARTING:
        return "loading", default.doing if default else "starting"
    if degraded := [each.name for each in engines if each.degraded]:
        return "recovering", f"the last utterance of {', '.join(degraded)} failed"
    return "ready", ""
