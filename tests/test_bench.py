"""The benchmarks measure what they say: the published sizes, and every line runs on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch

from bench import encoders, published_sizes, startup
from bench.engine_speed import fail, prompts, run_engine
from bench.host import measure as host
from bench.host.calls import count_calls
from bench.open_loop import run_closed_loop, run_open_loop
from bench.rivals import measure_faster_qwen3_tts
from bench.upstream import load_upstream
from qwen_tts_api.audio import FORMATS
from qwen_tts_api.audio.mp3 import LAME_QUALITY
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.engine.memory import planning
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.weights.placement import Placement
from tests.fakes import FakeRunner

CPU = Placement("cpu", "float32", "sdpa")


def num_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("size", "layers", "total"), [("1.7b", 1_409_408_000, 1_916_676_352), ("0.6b", 440_466_432, 0)]
)
def test_sizes_are_the_published_ones(size: str, layers: int, total: int) -> None:
    """Counted on the meta device, against the published checkpoints' parameter counts."""
    with torch.device("meta"):
        model, codec = published_sizes.upstream_modules(size)
    talker = cast(Any, model).talker
    assert num_parameters(talker.model.layers) == layers
    assert num_parameters(talker.code_predictor.model.layers) == 78_654_720
    assert num_parameters(talker.code_predictor.lm_head) == 31_457_280
    assert num_parameters(talker.model.text_embedding) == 311_164_928
    assert num_parameters(cast(Any, codec).decoder) == 114_323_137
    assert total in (0, num_parameters(talker))


@pytest.mark.bench
def test_a_checkpoint_of_a_published_size_is_one_that_upstream_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the published format: the same numbers in both. Smaller here than published."""
    talker = {"hidden_size": 64, "intermediate_size": 96, "text_vocab_size": 512}
    monkeypatch.setitem(published_sizes._TALKER, "num_hidden_layers", 2)
    monkeypatch.setitem(published_sizes._TALKER_BY_SIZE, "0.6b", talker)
    published_sizes.write_checkpoint("0.6b", tmp_path, "cpu", torch.float32)
    ours = LoadedModel.load(Checkpoint.read(tmp_path), CPU)
    theirs = load_upstream(tmp_path, CPU).model
    embedding = theirs.talker.model.text_embedding.weight
    assert torch.equal(ours.prompts.text_embedding, embedding)
    query = theirs.talker.model.layers[1].self_attn.q_proj.weight
    assert torch.equal(ours.speech.talker.decoder.layers[1].qkv[:, : len(query)].t(), query)


RIVAL = """#!/bin/sh
test -f "$2/config.json" -a -f "$2/speech_tokenizer/model.safetensors" || exit 9
echo 'a line that a library prints'
echo "figures: {\\"x\\": $3}"
echo 'a line at its end' >&2
"""


@pytest.mark.bench
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (RIVAL, {"x": 7}),
        ("#!/bin/sh\necho 'No module named x' >&2; exit 1", {"not measured": "No module named x"}),
        ("#!/bin/sh", {"not measured": "it printed nothing"}),
    ],
)
def test_another_engine_runs_in_its_own_interpreter(
    tmp_path: Path, script: str, expected: dict[str, object]
) -> None:
    """What it says is its result; where it fails, the table says why."""
    published_sizes.write_checkpoint("nano", tmp_path, "cpu", torch.float32)
    python = tmp_path / "python"
    python.write_text(script)
    python.chmod(0o755)
    assert measure_faster_qwen3_tts(str(python), tmp_path, frames=7) == expected


def test_an_interpreter_that_is_not_there_is_no_failure(tmp_path: Path) -> None:
    """The other figures are worth having."""
    result = measure_faster_qwen3_tts("/no/such/python", tmp_path, frames=7)
    assert "/no/such/python" in result["not measured"]


def test_an_open_loop_counts_what_a_listener_would_hear() -> None:
    """Every request is served whole; a model that stops makes those that listen run dry."""
    runner = FakeRunner(max_slots=8)
    result = run_open_loop(Scheduler(runner, fail), 100, 0.1, frames=10)
    assert result["requests"] == 10
    assert result["underruns"] == 0
    assert result["first_audio_p50_ms"] <= result["first_audio_p95_ms"]
    measured = run_engine(Scheduler(runner, fail), prompts(2, streaming=False, frames=10))
    assert measured["frames"] == 20


def test_a_closed_loop_begins_together_as_often_as_asked() -> None:
    """More requests than rows wait for one, and are served all the same."""
    runner = FakeRunner(max_slots=8)
    result = run_closed_loop(Scheduler(runner, fail), 12, rounds=2, frames=10)
    assert result["requests"] == 24
    assert result["frames"] == 240
    assert result["steps"] >= 40


@pytest.mark.bench
def test_a_checkpoint_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    """Each part of the benchmark asks for it; one that was ended leaves nothing half-made."""
    folder = tmp_path / "nano"
    published_sizes.ensure_checkpoint("nano", folder, "cpu", torch.float32)
    config = folder / "config.json"
    config.write_text("as it was")
    published_sizes.ensure_checkpoint("nano", folder, "cpu", torch.float32)
    assert config.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.bench
def test_eight_streams_of_a_minute_fit_into_8_gb(
    nano_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1.7B in bfloat16 with its codec; computed from the shapes, as the server does at start."""
    monkeypatch.setattr(planning, "available_bytes", lambda device: 8 * 10**9)
    model = published_sizes.empty_model("1.7b", locate("nano", nano_cache))
    frames, prompt = 750, 250
    plan = planning.plan_memory(model, 8, frames + prompt)
    assert plan.max_slots == 8
    assert plan.size.is_whole
    total = plan.weights_bytes + plan.costs.of(plan.size)
    assert total < 6.5 * 10**9  # the rest is for CUDA's context, graphs and activations


@pytest.mark.bench
def test_the_encoders_benchmark_knows_every_format() -> None:
    """Each with its speed, and what streams hold back."""
    result = encoders.measure(seconds=3)
    assert set(result["formats"]) == set(FORMATS)
    for name, figures in result["formats"].items():
        assert figures["x"] > 0
        first_ms = 80 if FORMATS[name].streams else 38 * 80  # all of it comes at the end
        assert figures["first bytes after ms"] == first_ms
    qualities = result["mp3 by LAME's quality"]
    chosen = qualities.pop(LAME_QUALITY)
    for (
        slower
    ) in qualities.values():  # the fast one is chosen because it costs nothing that is heard
        assert chosen["noise to mask dB"] <= slower["noise to mask dB"] + 0.1
        assert chosen["above the mask %"] <= slower["above the mask %"] + 1


@pytest.mark.bench
def test_the_startup_benchmark_waits_until_it_speaks() -> None:
    """A real server, polled from its start."""
    result = startup.measure(runs=1)
    best = result["best"]
    assert 0 < best["healthy after s"] <= best["ready after s"]
    assert best["CPU seconds until ready"] > 0
    assert best["first request's first audio after s"] > 0


@pytest.mark.bench
def test_the_host_benchmark_hears_every_stream() -> None:
    """A real server over a model that costs nothing; each client hears its audio, and it costs."""
    result = host.measure({"pcm": (3,), "opus": (3,)}, frames=13, rounds=1, alone=1, many=1)
    for rows in result["bursts"].values():
        row = rows["3"]
        assert 0 < row["first audio p50 ms"] <= row["first audio p95 ms"]
        assert row["x"] > 0
    assert all(cost["best"] > 0 for cost in [result["loop ms"], *result["CPU ms"].values()])
    calls = count_calls(requests=1)
    assert calls["a file"]["request, Python"] > calls["/healthz"]["request, Python"] > 0
    assert calls["a file"]["engine, Python"] < calls["a stream of 25 frames"]["engine, Python"]
    assert "cumtime" in host.profile(requests=2, top=5)
