"""The path of a GPU at the published sizes, without one: devices, formats, nothing asked for.

Not part of `make test`: needs a build of PyTorch with CUDA; `make test-fake-gpu` has one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.published_sizes import empty_model
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.loading import synthesize_once
from qwen_tts_api.engine.memory.fitting import fit_runner
from qwen_tts_api.engine.memory.planning import Costs, MemoryPlan, WorkingMemory, plan_memory
from qwen_tts_api.engine.runner import graphs, model_runner
from qwen_tts_api.engine.runner.buckets import Buckets
from qwen_tts_api.engine.runner.kernels.choice import fused_kernels
from qwen_tts_api.engine.runner.kernels.paths import PLAIN, Kernels
from qwen_tts_api.engine.runner.model_runner import ModelRunner
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.errors import TTSError
from qwen_tts_api.model import frame
from qwen_tts_api.model.frame_state import FrameState
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.talker_cache import CacheSize
from qwen_tts_api.model.utterance import Prompt, Reference, SamplingParams
from qwen_tts_api.model.voice.cloning import Clone
from qwen_tts_api.model.weights.placement import to_device
from tests.conftest import read
from tests.engine.fake_cuda import CudaRules, HostWaits, fake_cuda
from tests.engine.fake_memory import fake_memory
from tests.engine.fake_triton import LaunchRules, fake_triton

pytestmark = pytest.mark.fake_gpu

POSITIONS = 512


def explain(error: Exception) -> TTSError:
    raise error


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for the miniatures whose tokenizers are used."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[CudaRules]:
    """Pretend that there is a GPU. The captured run is checked; those before it are the same."""
    monkeypatch.setattr(graphs, "WARM_UP_RUNS", 0)
    with fake_cuda() as rules:
        clone = LoadedModel.clone

        def clone_and_wait(model: LoadedModel, reference: Reference) -> Clone:
            with rules.waiting():  # others do, too, while a recording is encoded
                return clone(model, reference)

        monkeypatch.setattr(LoadedModel, "clone", clone_and_wait)
        yield rules


def load(cuda: CudaRules, cache: Path, size: str = "0.6b", kind: str = "nano") -> LoadedModel:
    return empty_model(size, locate(kind, cache), "cuda:0", cuda.tensors(may_wait=True))


def runner_of(
    model: LoadedModel,
    *,
    slots: int = 2,
    enforce_eager: bool = False,
    kernels: Kernels = PLAIN,
) -> ModelRunner:
    size = CacheSize(slots, POSITIONS, num_pages=slots * 4)
    plan = MemoryPlan("cuda:0", size, 0, Costs(0, 0), 0, 200, WorkingMemory(), 0)
    return ModelRunner(model, plan, enforce_eager=enforce_eager, kernels=kernels)


@pytest.fixture
def launches(cuda: CudaRules) -> Iterator[LaunchRules]:
    """Check what Triton would launch."""
    with fake_triton(cuda) as checked:
        yield checked


@pytest.mark.parametrize("kind", ["nano", "nano-base"])
@pytest.mark.parametrize("size", ["0.6b", "1.7b"])
def test_a_server_s_start(cuda: CudaRules, cache: Path, size: str, kind: str) -> None:
    """Every graph is captured, and a first utterance spoken: of a cloned voice, with Base."""
    model = load(cuda, cache, size, kind)
    with cuda.tensors():
        runner = runner_of(model, slots=1)
        runner.warm_up()
        synthesize_once(runner)
    assert len(runner._frames) == len(Buckets(1, POSITIONS, True, False).positions) + 3
    assert len(runner._chunks) == len(runner.chunk_sizes)


@pytest.mark.parametrize(("size", "kind"), [("0.6b", "nano-base"), ("1.7b", "nano")])
def test_a_start_with_fused_kernels(
    cuda: CudaRules, launches: LaunchRules, cache: Path, size: str, kind: str
) -> None:
    """The same graphs but for fewer of frames, of kernels on the device that are aligned alike."""
    model = load(cuda, cache, size, kind)
    with cuda.tensors():
        runner = runner_of(model, slots=3, kernels=fused_kernels())
        runner.warm_up()
        synthesize_once(runner)
    frames = len(runner._frames)
    assert frames == len(Buckets(3, POSITIONS, True, False).slots)
    assert launches.captured["_sample_code_0_kernel"] >= frames
    assert launches.captured["_sample_code_kernel"] == frames * 15
    assert len(runner._chunks) == frames * len(runner.chunk_sizes)
    assert launches.captured["_gather_kernel"] == len(runner._chunks)


def test_utterances_by_fused_kernels_without_graphs(
    cuda: CudaRules, launches: LaunchRules, cache: Path
) -> None:
    """As QWEN_ENFORCE_EAGER has it: nothing is captured."""
    model = load(cuda, cache)
    with cuda.tensors():
        runner = runner_of(model, slots=3, enforce_eager=True, kernels=fused_kernels())
        runner.run_largest()
        synthesize_once(runner)
    assert not launches.captured
    assert launches.eager["_sample_code_0_kernel"] > 2


@pytest.mark.parametrize("kind", ["nano", "nano-base"])
def test_utterances_beside_each_other(cuda: CudaRules, cache: Path, kind: str) -> None:
    """Of different lengths and settings, one of them cancelled, in plain calls."""
    model = load(cuda, cache, kind=kind)
    samples = np.zeros(36_000, np.float32)
    spoken, embedded = Reference(samples, "So."), Reference(samples + 0.1, x_vector_only=True)
    references = (spoken, embedded, spoken) if kind == "nano-base" else (None, None, None)
    samplings = (
        SamplingParams(),
        SamplingParams(temperature=0, top_k=0),
        SamplingParams(seed=3, top_p=0.9),
    )
    jobs = [
        Job(Prompt("Word after word.", "english", speaker, "", sampling, 7, reference=reference))
        for sampling, reference in zip(samplings, references, strict=True)
        for speaker in [None if reference else "ryan"]
    ]
    with cuda.tensors():
        scheduler = Scheduler(runner_of(model, slots=3, enforce_eager=True), explain)
        for job in jobs:
            scheduler.add(job)
            scheduler.step()
        jobs[0].cancel(TTSError("nobody listens"))
        while not scheduler.is_idle:
            scheduler.step()
    assert [len(read(job)) for job in jobs[1:]] == [6 * 1920, 6 * 1920]


@pytest.mark.parametrize("kind", ["nano", "nano-base"])
def test_the_most_there_is(cuda: CudaRules, cache: Path, kind: str) -> None:
    """What is measured before slots are planned."""
    model = load(cuda, cache, kind=kind)
    with cuda.tensors():
        runner_of(model, slots=3).run_largest()


def test_all_that_is_planned_fits(
    cuda: CudaRules, launches: LaunchRules, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start in a memory that it fills: what was measured is taken, and a twentieth is left."""
    monkeypatch.setattr(graphs, "WARM_UP_RUNS", 1)
    model, kernels = load(cuda, cache), fused_kernels()
    plan = partial(plan_memory, model, 12, POSITIONS)
    make = partial(ModelRunner, model, enforce_eager=False, kernels=kernels)
    total = 3 * 2**28
    with fake_memory(total) as memory, cuda.tensors(), memory:
        runner = fit_runner(plan, make, ModelRunner.warm_up, lambda doing: None)
    assert 4 < runner.max_slots < 12
    assert total / 20 < memory.least_free < total / 10


def on_the_cpu(model: LoadedModel, patched: pytest.MonkeyPatch) -> None:
    allocate = FrameState.allocate

    def misplaced(*args: Any) -> FrameState:
        state = allocate(*args)
        return replace(state, penalty=torch.ones(state.penalty.shape))

    patched.setattr(FrameState, "allocate", misplaced)


def in_32_bits(model: LoadedModel, patched: pytest.MonkeyPatch) -> None:
    talker = model.speech.talker
    decoder = replace(talker.decoder, norm=talker.decoder.norm.float())
    speech = replace(model.speech, talker=replace(talker, decoder=decoder))
    patched.setitem(vars(model), "speech", speech)


def asking_for_a_value(model: LoadedModel, patched: pytest.MonkeyPatch) -> None:
    text_embedding = frame._text_embedding

    def deciding(state: FrameState, frames: Tensor) -> Tensor:
        return text_embedding(state, frames + int(frames[0].item() > 0))

    patched.setattr(frame, "_text_embedding", deciding)


def copying_a_value(model: LoadedModel, patched: pytest.MonkeyPatch) -> None:
    patched.setattr(
        model_runner, "to_device", lambda numbers, device: torch.tensor(numbers).to(device)
    )


def copying_in_a_graph(model: LoadedModel, patched: pytest.MonkeyPatch) -> None:
    text_embedding = frame._text_embedding

    def counting(state: FrameState, frames: Tensor) -> Tensor:
        return text_embedding(state, frames + to_device([0], frames.device))

    patched.setattr(frame, "_text_embedding", counting)


@pytest.mark.parametrize(
    ("breaking", "error", "message"),
    [
        (on_the_cpu, RuntimeError, "device"),
        (in_32_bits, RuntimeError, "number format"),
        (asking_for_a_value, RuntimeError, "_local_scalar_dense"),
        (copying_a_value, HostWaits, "pinned=False"),
        (copying_in_a_graph, HostWaits, "captured graph"),
    ],
)
def test_the_net_has_no_holes(
    cuda: CudaRules,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    breaking: Callable[[LoadedModel, pytest.MonkeyPatch], None],
    error: type[Exception],
    message: str,
) -> None:
    """What would fail or wait on a GPU, and on a CPU does neither, fails here."""
    model = load(cuda, cache)
    with cuda.tensors():
        breaking(model, monkeypatch)
        runner = runner_of(model, slots=1)
        with pytest.raises(error, match=message):
            prepare_and_speak(runner)


def pairs_on_the_cpu(fused: Any) -> None:
    fused._slots = torch.arange(1)


def unaligned_positions(fused: Any) -> None:
    fused._group_positions = fused._group_positions[:, :1].contiguous()


def hidden_by_columns(fused: Any) -> None:
    fused._talker.x = fused._talker.x.t().contiguous().t()


def kept_from_a_graph(fused: Any) -> None:
    advance = fused.advance

    def keeping(num_slots: int) -> None:
        advance(num_slots)
        fused.kept = fused._hidden + 1, fused._hidden + 2

    fused.advance = keeping


@pytest.mark.parametrize(
    ("breaking", "message"),
    [
        (pairs_on_the_cpu, "slots of .* is on the cpu"),
        (unaligned_positions, "positions of .* is aligned in some"),
        (hidden_by_columns, "has strides"),
        (kept_from_a_graph, "kept from a captured graph"),
    ],
)
def test_the_net_has_no_holes_for_kernels(
    cuda: CudaRules,
    launches: LaunchRules,
    cache: Path,
    breaking: Callable[[Any], None],
    message: str,
) -> None:
    """A pointer says nothing of what it points to, and a graph's memory is the next one's."""
    model = load(cuda, cache)
    with cuda.tensors():
        runner = runner_of(model, slots=2, kernels=fused_kernels())
        frames: Any = runner._frames
        breaking(frames._kernels)
        with pytest.raises(RuntimeError, match=message):
            prepare_and_speak(runner)


@torch.inference_mode()
def prepare_and_speak(runner: ModelRunner) -> None:
    graphs.prepare(runner._frames.graphs(1))
    synthesize_once(runner)
