"""The benchmarks measure what they say: the published sizes, and every line runs on a CPU."""

from __future__ import annotations

import copy

import pytest
import torch

from bench import encoders, gpu
from bench.engine_speed import fail, prompts, run_engine
from bench.open_loop import run_open_loop
from bench.published_sizes import codec_document, model_document, random_model
from qwen_tts_api.audio import FORMATS
from qwen_tts_api.engine import memory
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.model.placement import Placement
from qwen_tts_api.model.qwen_tts_import import import_qwen_tts
from tests.fakes import FakeRunner


def num_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("size", "layers", "total"), [("1.7b", 1_409_408_000, 1_916_676_352), ("0.6b", 440_466_432, 0)]
)
def test_sizes_are_the_published_ones(size: str, layers: int, total: int) -> None:
    """Counted on the meta device, against the published checkpoints' parameter counts."""
    core = import_qwen_tts().core
    with torch.device("meta"):
        config = core.models.Qwen3TTSConfig(**copy.deepcopy(model_document(size)))
        talker = core.models.Qwen3TTSForConditionalGeneration(config).talker
        codec_config = core.Qwen3TTSTokenizerV2Config(**codec_document())
        codec = core.Qwen3TTSTokenizerV2Model(codec_config)
    assert num_parameters(talker.model.layers) == layers
    assert num_parameters(talker.code_predictor.model.layers) == 78_654_720
    assert num_parameters(talker.code_predictor.lm_head) == 31_457_280
    assert num_parameters(talker.model.text_embedding) == 311_164_928
    assert num_parameters(codec.decoder) == 114_323_137
    assert total in (0, num_parameters(talker))


def test_the_gpu_benchmark_runs_on_a_cpu() -> None:
    """All but the figures that only a GPU has."""
    result = gpu.measure("nano", "cpu", streams=[1, 2], rates=[20], frames=3, seconds=0.2)
    assert result["graphs"]["2 streams"]["frames"] == 6
    assert result["eager"]["1 streams"]["x"] > 0
    assert result["open_loop"]["20 a second"]["requests"] == 4


def test_an_open_loop_counts_what_a_listener_would_hear() -> None:
    """Every request is served whole; a model that stops makes those that listen run dry."""
    runner = FakeRunner(max_rows=8)
    result = run_open_loop(Scheduler(runner, fail), 100, 0.1, frames=10)
    assert result["requests"] == 10
    assert result["underruns"] == 0
    measured = run_engine(Scheduler(runner, fail), prompts(2, streaming=False, frames=10))
    assert measured["frames"] == 20


def test_eight_streams_of_a_minute_fit_into_8_gb(monkeypatch: pytest.MonkeyPatch) -> None:
    """1.7B in bfloat16 with its codec; computed from the shapes, as the server does at start."""
    monkeypatch.setattr(memory, "available_bytes", lambda device: 8 * 10**9)
    model = random_model("1.7b", Placement("meta", "bfloat16", "sdpa"))
    frames, prompt = 750, 250
    plan = memory.plan_memory(model, 8, frames + prompt)
    assert plan.max_rows == 8
    tables = model.codec.tables.numel() * 4 + sum(
        table.numel() * 2 for table in model.speech.code_predictor.inputs
    )
    total = plan.weights_bytes + tables + 8 * plan.row_bytes
    assert total < 6.5 * 10**9  # the rest is for CUDA's context, graphs and activations


def test_the_encoders_benchmark_knows_every_format() -> None:
    """Each with its speed, and what streams hold back."""
    result = encoders.measure(seconds=3)
    assert set(result["formats"]) == set(FORMATS)
    for figures in result["formats"].values():
        assert figures["x"] > 0
        assert figures["first bytes after ms"] == 80
