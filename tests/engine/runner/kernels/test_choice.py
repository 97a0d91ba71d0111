"""Fused kernels are used where they agree with PyTorch's operators; each part falls back alone.

The kernels here are stand-ins, right and wrong ones, that run on a CPU.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.engine import loading
from qwen_tts_api.engine.memory.planning import plan_memory
from qwen_tts_api.engine.runner.graphs import prepare
from qwen_tts_api.engine.runner.kernels import choice
from qwen_tts_api.engine.runner.kernels.choice import agreeing, choose_kernels, kernels_obstacle
from qwen_tts_api.engine.runner.kernels.comparison import codec, frame, prefill, rows
from qwen_tts_api.engine.runner.kernels.paths import PLAIN, Kernels
from qwen_tts_api.engine.runner.model_runner import ModelRunner
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.codec.decoder import CodecState
from qwen_tts_api.model.frame_state import FrameState, SpeechModel
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.prompt import NONE
from qwen_tts_api.model.utterance import SamplingParams
from qwen_tts_api.model.weights.placement import Placement, place
from tests.conftest import assert_same
from tests.engine.runner import fake_graphs
from tests.engine.runner.stand_ins import Codec, Frame, Prefill
from tests.engine.runner.test_model_runner import explain, prompt, say
from tests.rows import for_each


class Rounding(Frame):
    """Off by what rounding makes."""

    def advance(self, num_slots: int) -> None:
        super().advance(num_slots)
        self.state.past_hidden[self.state.running.bool()] *= 1 + 1e-5


class NoCompiler(Frame):
    """What Triton says in an image without a compiler."""

    def __init__(self, model: SpeechModel, state: FrameState) -> None:
        raise RuntimeError("Failed to find C compiler. Please specify via CC.")


class OtherHidden(Frame):
    """Draws the right codes of a state that is a little wrong."""

    def advance(self, num_slots: int) -> None:
        super().advance(num_slots)
        self.state.past_hidden[self.state.running.bool()] *= 1.01


class NotANumber(Frame):
    """As an overflow leaves it."""

    def advance(self, num_slots: int) -> None:
        super().advance(num_slots)
        self.state.past_hidden[1] = torch.nan


class OtherHeads(Frame):
    """Has heads that are off by a fifth: the likeliest code is mostly the same."""

    def __init__(self, model: SpeechModel, state: FrameState) -> None:
        random = torch.Generator().manual_seed(0)
        weights = model.code_predictor
        heads = [
            head * (1 + 0.2 * torch.randn(head.shape, generator=random))
            for head in weights.lm_heads
        ]
        super().__init__(replace(model, code_predictor=replace(weights, lm_heads=heads)), state)


class OtherCodes(Frame):
    """Draws what is beside the likeliest code."""

    def advance(self, num_slots: int) -> None:
        super().advance(num_slots)
        self.state.codes[self.state.running.bool(), 1:] ^= 1


class OtherSamples(Frame):
    """Draws by other random numbers."""

    def sample(self, logits: Tensor, group: int, num_slots: int) -> Tensor:
        self.state.keys.add_(1)
        codes = super().sample(logits, group, num_slots)
        self.state.keys.sub_(1)
        return codes


class OtherPredictor(Frame):
    """Draws the right codes in a way that is a little wrong."""

    def advance(self, num_slots: int) -> None:
        super().advance(num_slots)
        self.state.code_predictor_cache.key_value[-1, :, 1] *= 1.01


class MovesAll(Frame):
    """Moves slots that wait."""

    def advance(self, num_slots: int) -> None:
        self.state.running.fill_(1)
        super().advance(num_slots)


class ForgetsKeys(Frame):
    """Leaves nothing in the cache for the next frame."""

    def advance(self, num_slots: int) -> None:
        cache = self.state.talker_cache.key_value
        before = cache.clone()
        super().advance(num_slots)
        cache.copy_(before)


class ForgetsPast(Codec):
    """Begins each chunk anew."""

    def decode(self, state: CodecState, codes: Tensor, slots: Tensor) -> Tensor:
        state.past.zero_()
        return super().decode(state, codes, slots)


class ShortOfCodes(Codec):
    """Asks for what is not there, as a kernel that was compiled for other shapes does."""

    def decode(self, state: CodecState, codes: Tensor, slots: Tensor) -> Tensor:
        raise ValueError("shapes do not fit")


class SharesPages(Prefill):
    """Has no regard for whose pages they are, but for a prompt that is alone."""

    def _indices(self, places: Tensor) -> Tensor:
        return super()._indices(places * torch.tensor([1, 0, 1]))


class NoCause(Prefill):
    """Leaves out a token before the last one."""

    def embed(self, num_tokens: int) -> None:
        super().embed(num_tokens)
        self.x[1 : num_tokens - 2 : 3] = 0


class OnlyText(Prefill):
    """Does not hear the codes of a prompt."""

    def embed(self, num_tokens: int) -> None:
        self.tokens[3] = NONE
        super().embed(num_tokens)


class LongPrompts(Prefill):
    """Lets a slot begin one position late."""

    def run(self, num_tokens: int) -> None:
        self.ends[1] += self.ends[1] > 0
        super().run(num_tokens)


class OtherFirstCodes(Prefill):
    """Draws what is beside the likeliest code."""

    def run(self, num_tokens: int) -> None:
        super().run(num_tokens)
        self.state.code_0[self.ends[1] > 0] ^= 1


@pytest.fixture(scope="module")
def model(nano_cache: Path) -> LoadedModel:
    """Return a loaded CustomVoice model."""
    folder = locate("nano", nano_cache)
    return LoadedModel.load(Checkpoint.read(folder), place("cpu", "float32", "sdpa"))


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LENGTHS", (9, 5, 7, 2, 1, 3, 8, 4, 6))
    monkeypatch.setattr(rows, "POSITIONS", 64)
    monkeypatch.setattr(frame, "POSITIONS", 64)
    monkeypatch.setattr(frame, "PAUSED", (3,))
    monkeypatch.setattr(codec, "CHUNKS", (1, 2))
    monkeypatch.setattr(prefill, "RUN_TOKENS", 12)


def test_what_agrees_is_used(model: LoadedModel, caplog: pytest.LogCaptureFixture) -> None:
    """Rounding is no difference."""
    names = agreeing(model, Kernels(Rounding, Codec, Prefill)).names()
    assert names == {"frame": "fused", "codec": "fused", "prefill": "fused"}
    assert not caplog.records


def test_codes_that_rounding_changed_are_no_difference(model: LoadedModel) -> None:
    """At a usual temperature they are others half of the time."""
    chosen = agreeing(model, Kernels(OtherHeads))
    assert chosen.left_out == {}


@for_each(
    ("error", "usual", "agrees"),
    [(0.3, 0.3, True), (0.15, 0.1, True), (0.3, 0.1, False), (0.01, 0, False), (5e-4, 0, True)],
)
def test_samples_may_be_as_far_from_float32_as_those_of_operators(
    error: float, usual: float, agrees: bool
) -> None:
    """In bfloat16 that is a third of them, as published with random weights."""
    random = torch.Generator().manual_seed(0)
    right, one, other = (torch.randn(3, 1920, generator=random) for _ in range(3))
    expected = nullcontext() if agrees else pytest.raises(rows.Differs, match="off by")
    with expected:
        codec._check(right + error * one, right + usual * other, right)


def test_samples_that_are_no_numbers_differ() -> None:
    right = torch.ones(1, 3)
    with pytest.raises(rows.Differs, match="off by nan"):
        codec._check(right * torch.nan, right, right)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (NoCompiler, "Failed to find C compiler"),
        (OtherHidden, "past_hidden are off by 0.01"),
        (NotANumber, "past_hidden are off by nan"),
        (OtherCodes, "codes are others"),
        (OtherSamples, "codes of the same logits differ"),
        (OtherPredictor, "keys and values of the code predictor are off by 0.0"),
        (MovesAll, "positions is"),
        (ForgetsKeys, "past_hidden are off by"),
    ],
)
def test_what_differs_falls_back_alone(
    model: LoadedModel, caplog: pytest.LogCaptureFixture, frame: Any, reason: str
) -> None:
    """One warning says which part, why, and how to be rid of it."""
    chosen = agreeing(model, Kernels(frame, Codec))
    assert (chosen.frame, chosen.codec, list(chosen.left_out)) == (None, Codec, ["frame"])
    assert reason in chosen.left_out["frame"]
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "fused kernels of frame cannot be used" in record.getMessage()
    assert "QWEN_KERNELS=plain" in record.getMessage()
    assert reason in record.getMessage()


@pytest.mark.parametrize("codec", [ForgetsPast, ShortOfCodes])
def test_a_codec_that_differs_falls_back_alone(model: LoadedModel, codec: Any) -> None:
    chosen = agreeing(model, Kernels(Frame, codec))
    assert (chosen.frame, chosen.codec, list(chosen.left_out)) == (Frame, None, ["codec"])


@pytest.mark.parametrize(
    ("prefill", "reason"),
    [
        (SharesPages, "changes where the beginnings of prompts are known"),
        (NoCause, "past_hidden are off by"),
        (OnlyText, "past_hidden are off by"),
        (LongPrompts, "positions is"),
        (OtherFirstCodes, "codes are others"),
    ],
)
def test_a_prefill_that_differs_falls_back_alone(
    model: LoadedModel, caplog: pytest.LogCaptureFixture, prefill: Any, reason: str
) -> None:
    chosen = agreeing(model, Kernels(Frame, None, prefill))
    assert (chosen.frame, chosen.prefill, list(chosen.left_out)) == (Frame, None, ["prefill"])
    assert reason in caplog.text


def test_one_reason_for_all_is_one_warning(
    model: LoadedModel, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> Any:
        raise RuntimeError("ptxas is not there\n")

    assert set(agreeing(model, Kernels(broken, broken)).names().values()) == {"plain"}
    assert [record.getMessage().count("frame and codec") for record in caplog.records] == [1]


def test_a_kernel_that_breaks_the_device_says_how_to_do_without(model: LoadedModel) -> None:
    """Nothing can be computed in this process any more: a new one needs another setting."""

    def broken(*_: object) -> Any:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(LoadError, match=r"illegal memory access.*QWEN_KERNELS=plain"):
        agreeing(model, Kernels(frame=broken))


def test_a_cpu_has_the_plain_paths(model: LoadedModel, caplog: pytest.LogCaptureFixture) -> None:
    """That needs no warning."""
    assert choose_kernels(model, "auto") == PLAIN
    assert not caplog.records


def test_weights_of_a_fused_codec_are_stored_as_it_reads_them(
    model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is known to be used: `FusedCodec` would have a copy else. Where not, they stay."""
    monkeypatch.setattr(choice, "kernels_obstacle", lambda *_: None)
    for kernels, is_contiguous in ((PLAIN, True), (Kernels(codec=Codec), False)):
        monkeypatch.setattr(choice, "fused_kernels", lambda kernels=kernels: kernels)
        other = replace(model, codec=copy.deepcopy(model.codec))
        assert choose_kernels(other, "auto") == kernels
        assert other.codec.conv_in.weight.is_contiguous() == is_contiguous
        assert torch.equal(other.codec.conv_in.weight, model.codec.conv_in.weight)


def test_what_keeps_fused_kernels_away(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernels_obstacle("plain", "cuda:0", "bfloat16", (9, 0)) == "QWEN_KERNELS is plain"
    assert "is cpu" in str(kernels_obstacle("auto", "cpu", "float32", None))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert kernels_obstacle("auto", "cuda:0", "float16", (9, 0)) == "Triton is not installed"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    for capability in ((8, 0), (8, 9), (12, 0)):
        assert kernels_obstacle("auto", "cuda:0", "bfloat16", capability) is None
    assert "16 bits" in str(kernels_obstacle("auto", "cuda:0", "float32", (9, 0)))
    too_old = kernels_obstacle("auto", "cuda:0", "bfloat16", (7, 5))
    assert too_old == "compute capability 8.0 is needed, and the device has 7.5"


@for_each(
    ("kernels", "attention", "page_positions"),
    [(PLAIN, "flash_attention_2", 256), (Kernels(frame=Frame), "sdpa", 64)],
)
def test_fused_frames_have_no_flash_attention(
    nano_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    kernels: Kernels,
    attention: str,
    page_positions: int,
) -> None:
    """Its pages would be four times as large, and other than those that were compared."""
    monkeypatch.setattr(choice, "choose_kernels", lambda *_: kernels)
    checkpoint = Checkpoint.read(locate("nano", nano_cache))
    placement = Placement("cpu", "float32", "flash_attention_2")
    options = loading.LoadOptions("cpu", "float32", attention, nano_cache, 2, 512, False)
    runner = loading._load(checkpoint, placement, options, lambda doing: None)
    assert runner.placement.attention == attention
    assert runner.page_positions == page_positions
    runner.close()


def test_a_triton_that_cannot_be_imported_is_one_warning(
    model: LoadedModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As one that was built for another Python."""

    def broken() -> Kernels:
        raise ImportError("libtriton.so: undefined symbol")

    monkeypatch.setattr(choice, "kernels_obstacle", lambda *_: None)
    monkeypatch.setattr(choice, "fused_kernels", broken)
    on_gpu = replace(model, placement=replace(model.placement, device="cuda:0"))
    assert choose_kernels(on_gpu, "auto") == PLAIN
    assert "undefined symbol" in caplog.text


def test_compiled_kernels_are_kept_in_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Unless Triton was told otherwise."""
    monkeypatch.delenv("TRITON_CACHE_DIR", raising=False)
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")
    choice.prepare_triton(tmp_path)
    assert os.environ["TRITON_CACHE_DIR"] == str(tmp_path / "triton")
    choice.prepare_triton(tmp_path / "elsewhere")
    assert os.environ["TRITON_CACHE_DIR"] == str(tmp_path / "triton")


def test_a_cache_that_cannot_be_written_is_no_reason_to_do_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Weights may lie on a disk that is read only; a file stands for it here, also for root."""
    monkeypatch.setenv("TRITON_CACHE_DIR", "")
    monkeypatch.delenv("TRITON_CACHE_DIR")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "cache").touch()
    choice.prepare_triton(tmp_path / "cache")
    folder = Path(os.environ["TRITON_CACHE_DIR"])
    assert folder.is_dir()
    assert folder.parent == tmp_path
    assert "each start compiles the kernels anew" in caplog.text


@pytest.fixture
def fused_runner(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> ModelRunner:
    """Return a runner with stand-ins for fused kernels, that captures graphs."""
    fake_graphs.fake_graphs(monkeypatch)
    plan = plan_memory(model, 3, 256)
    return fake_graphs.graph_runner(model, plan, kernels=Kernels(Frame, Codec))


@pytest.mark.slow
def test_a_graph_serves_all_lengths_and_settings(
    model: LoadedModel, fused_runner: ModelRunner
) -> None:
    """One for each batch size; the audio is the plain path's."""
    assert fused_runner.kernels == {"frame": "fused", "codec": "fused", "prefill": "plain"}
    with torch.inference_mode():
        prepare(each for size in (3, 2, 1) for each in fused_runner._frames.graphs(size))
    assert len(fused_runner._frames) == 3
    plan = plan_memory(model, 3, 256)
    plain = ModelRunner(model, plan, enforce_eager=True)
    requests = [
        prompt("A word.", SamplingParams(seed=1)),
        prompt("Another.", SamplingParams(seed=2, top_k=0, top_p=0.9)),
    ]
    spoken: list[Callable[[], Any]] = [
        lambda: say(Scheduler(fused_runner, explain), *requests),
        lambda: say(Scheduler(plain, explain), *requests),
    ]
    for samples, expected in zip(spoken[0](), spoken[1](), strict=True):
        assert_same(samples, expected)
    assert len(fused_runner._frames) == 3
