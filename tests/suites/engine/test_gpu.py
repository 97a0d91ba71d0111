"""What only a GPU can show: captured graphs compute what their eager twins do.

Not part of `make test`; on a machine with an NVIDIA GPU: `make test ARGS="-n0 -m gpu
tests/suites/engine/test_gpu.py"`. With those of `tests/model/kernels`, which have Triton interpret
all kernels of the process, it would take hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.memory.planning import plan_memory
from qwen_tts_api.engine.runner.kernels.choice import choose_kernels, with_attention_of
from qwen_tts_api.engine.runner.kernels.paths import PLAIN, Kernels
from qwen_tts_api.engine.runner.model_runner import ModelRunner
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.errors import TTSError
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.utterance import Prompt, SamplingParams
from qwen_tts_api.model.weights.placement import place
from tests.conftest import assert_same, read
from tests.engine.runner.test_capture_lock import assert_speaks_while_another_loads

pytestmark = pytest.mark.gpu

GREEDY = SamplingParams(temperature=0, subtalker_temperature=0)


def explain(error: Exception) -> TTSError:
    raise error


@pytest.fixture(autouse=True)
def _exact_products() -> Iterator[None]:
    """Switch TF32 off, whose products have ten bits."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def load(cache: Path, device: str, dtype: str) -> LoadedModel:
    folder = locate("nano", cache)
    return LoadedModel.load(Checkpoint.read(folder), place(device, dtype, "flash_attention_2"))


def scheduler_of(
    model: LoadedModel, *, enforce_eager: bool, kernels: Kernels = PLAIN, max_slots: int = 8
) -> Scheduler:
    plan = plan_memory(model, max_slots, 1024)
    runner = ModelRunner(model, plan, enforce_eager=enforce_eager, kernels=kernels)
    runner.warm_up()
    return Scheduler(runner, explain)


def say(scheduler: Scheduler, *samplings: SamplingParams) -> list[npt.NDArray[np.int16]]:
    """Return utterances of different lengths that join one after the other."""
    jobs = [
        Job(Prompt("Word after word. " * (index + 1), "english", "ryan", "", sampling))
        for index, sampling in enumerate(samplings)
    ]
    for job in jobs:
        scheduler.add(job)
        scheduler.step()
        scheduler.step()
    while not scheduler.is_idle:
        scheduler.step()
    return [read(job) for job in jobs]


@pytest.mark.parametrize(("dtype", "setting"), [("float32", "plain"), ("bfloat16", "auto")])
def test_graphs_are_their_eager_twins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, setting: str
) -> None:
    """Greedy, sampled and with other settings beside each other, in a batch that grows.

    In 16 bits by fused kernels alone, whose sums depend neither on the batch nor on a bucket:
    those of libraries do, and the batches of graphs are padded.
    """
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "triton"))
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")
    model = load(tmp_path, "cuda:0", dtype)
    kernels = choose_kernels(model, setting)
    assert kernels.left_out == {}
    assert set(kernels.names().values()) == {"plain" if setting == "plain" else "fused"}
    model = with_attention_of(model, kernels)
    samplings = [GREEDY, SamplingParams(seed=1), SamplingParams(seed=2, top_k=0, top_p=0.9)]
    captured, eager = (
        say(scheduler_of(model, enforce_eager=enforce_eager, kernels=kernels), *samplings)
        for enforce_eager in (False, True)
    )
    for samples, expected in zip(captured, eager, strict=True):
        assert_same(samples, expected)


@pytest.mark.parametrize("num_others", [3, 20])
def test_company_changes_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_others: int
) -> None:
    """By fused kernels in 16 bits, also where tiles are larger: for more than 16 slots."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "triton"))
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")
    model = load(tmp_path, "cuda:0", "bfloat16")
    kernels = choose_kernels(model, "auto")
    assert kernels.left_out == {}
    model = with_attention_of(model, kernels)

    def first_of(num_jobs: int) -> npt.NDArray[np.int16]:
        scheduler = scheduler_of(model, enforce_eager=False, kernels=kernels, max_slots=num_jobs)
        jobs = [
            Job(Prompt("One word.", "english", "ryan", "", SamplingParams(seed=seed)))
            for seed in range(num_jobs)
        ]
        for job in jobs:
            scheduler.add(job)
        while not scheduler.is_idle:
            scheduler.step()
        return read(jobs[0])

    assert_same(first_of(1 + num_others), first_of(1))


def test_greedy_speech_is_that_of_a_cpu(tmp_path: Path) -> None:
    """In 32 bits, whose rounding decides no code of this text."""
    on_gpu = say(scheduler_of(load(tmp_path, "cuda:0", "float32"), enforce_eager=False), GREEDY)
    on_cpu = say(scheduler_of(load(tmp_path, "cpu", "float32"), enforce_eager=True), GREEDY)
    assert_same(on_gpu[0], on_cpu[0])


def test_one_speaks_while_another_loads(tmp_path: Path) -> None:
    """Its frames come between the captures of the other, and are the same."""
    assert_speaks_while_another_loads("cuda:0", tmp_path)
