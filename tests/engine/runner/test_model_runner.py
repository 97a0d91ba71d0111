"""The real model under the scheduler: upstream's audio, whatever else runs beside it."""

from __future__ import annotations

import json
import shutil
import sys
import weakref
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from bench.upstream import load_upstream
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.memory.planning import plan_memory
from qwen_tts_api.engine.runner import graphs
from qwen_tts_api.engine.runner.frames import top_k_top_p_for
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.engine.runner.model_runner import ModelRunner
from qwen_tts_api.engine.runner.prefill import plain
from qwen_tts_api.engine.runner.state import ChunkKey, FrameKey
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.errors import LoadError, TextTooLong, TTSError
from qwen_tts_api.model import frame
from qwen_tts_api.model.frame import prefill_slots
from qwen_tts_api.model.frame_state import FrameState
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.sampling import TopKTopP
from qwen_tts_api.model.utterance import MAX_REFERENCE_S, SAMPLE_RATE_HZ, Prompt, SamplingParams
from qwen_tts_api.model.voice.encoders import VoiceEncoders
from qwen_tts_api.model.weights.placement import place
from tests.conftest import assert_same, read
from tests.engine.fake_cuda import HostWaits
from tests.engine.runner import fake_graphs

CPU = place("cpu", "float32", "sdpa")
GREEDY = SamplingParams(temperature=0, subtalker_temperature=0)
SLOTS = 4


def load(folder: Path) -> LoadedModel:
    return LoadedModel.load(Checkpoint.read(folder), CPU)


def runner_of(model: LoadedModel, *, enforce_eager: bool = False) -> ModelRunner:
    plan = plan_memory(model, SLOTS, 1024)
    return ModelRunner(model, plan, enforce_eager=enforce_eager)


def explain(error: Exception) -> TTSError:
    raise error


@pytest.fixture(scope="module")
def model(nano_cache: Path) -> LoadedModel:
    """Return a loaded CustomVoice model."""
    return load(locate("nano", nano_cache))


@pytest.fixture(scope="module")
def upstream(nano_cache: Path) -> Any:
    """Return the same checkpoint as upstream's `Qwen3TTSModel`."""
    return load_upstream(locate("nano", nano_cache), CPU)


@pytest.fixture(scope="module")
def scheduler(model: LoadedModel) -> Scheduler:
    """Return a scheduler over it; a test leaves no job behind."""
    return Scheduler(runner_of(model), explain)


def prompt(text: str, sampling: SamplingParams, **fields: Any) -> Prompt:
    arguments: dict[str, Any] = {"language": "english", "speaker": "ryan", "instruct": ""}
    return Prompt(text=text, sampling=sampling, **(arguments | fields))


def say(scheduler: Scheduler, *prompts: Prompt) -> list[npt.NDArray[np.int16]]:
    """Return the audio of some prompts that begin together."""
    jobs = [Job(each) for each in prompts]
    for job in jobs:
        scheduler.add(job)
    while not scheduler.is_idle:
        scheduler.step()
    return [read(job) for job in jobs]


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "Good morning to you all."},
        {"text": "Hello.", "instruct": "Speak slowly."},
        {"text": "Hello.", "speaker": "dylan", "language": "auto"},
        {"text": "Hello.", "speaker": "eric", "language": "chinese"},
        {"text": "Hello.", "speaker": "vivian", "language": "german"},
    ],
)
def test_greedy_audio_is_upstream_s(
    upstream: Any, scheduler: Scheduler, fields: dict[str, Any]
) -> None:
    """The same codes, decoded to the same samples, as `generate_custom_voice`."""
    one = prompt(sampling=GREEDY, **fields)
    [samples] = say(scheduler, one)
    [expected], rate_hz = upstream.generate_custom_voice(
        one.text,
        speaker=one.speaker,
        language=one.language,
        instruct=one.instruct or None,
        do_sample=False,
        subtalker_dosample=False,
    )
    assert rate_hz == 24_000
    assert_same(samples, np.rint(expected * 32767).astype(np.int16))


def test_a_request_sounds_the_same_in_any_company(scheduler: Scheduler) -> None:
    """Alone or in a batch, in any slot, streamed or whole, with other settings beside it."""
    one = prompt("The rain in Spain.", SamplingParams(seed=7))
    [alone] = say(scheduler, one)
    others = [
        prompt("Short.", GREEDY),
        prompt(
            "A longer sentence, to outlast the first.", SamplingParams(seed=8, top_k=0, top_p=0.8)
        ),
    ]
    company = say(scheduler, *others, one, prompt("Hm.", SamplingParams(seed=9, subtalker_top_k=5)))
    assert_same(company[2], alone)
    streamed = prompt(one.text, one.sampling, streaming=True)
    assert_same(say(scheduler, streamed)[0], alone)
    assert not np.array_equal(say(scheduler, prompt(one.text, SamplingParams(seed=8)))[0], alone)


@pytest.fixture
def graph_runner(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> ModelRunner:
    """Return a runner that captures graphs, as on a GPU."""
    fake_graphs.fake_graphs(monkeypatch)
    return fake_graphs.graph_runner(model, plan_memory(model, SLOTS, 1024))


@pytest.mark.slow
def test_graphs_are_their_eager_twins(model: LoadedModel, graph_runner: ModelRunner) -> None:
    """Greedy, sampled and with other settings beside each other, in batches of every size."""
    scheduler = Scheduler(graph_runner, explain)
    eager = Scheduler(runner_of(model), explain)
    requests = [
        prompt("A word.", GREEDY),
        prompt("A word, and another.", SamplingParams(seed=1)),
        prompt("A word, and another, and more.", SamplingParams(seed=2, top_k=0, top_p=0.9)),
    ]
    for samples, expected in zip(say(scheduler, *requests), say(eager, *requests), strict=True):
        assert_same(samples, expected)
    assert len(graph_runner._frames) > 0
    assert len(graph_runner._chunks) > 0


@pytest.mark.slow
@pytest.mark.usefixtures("graph_runner")
def test_after_the_start_no_usual_request_waits_for_a_capture(model: LoadedModel) -> None:
    """Whole and streamed, alone and beside others; and a CPU captures nothing."""
    plan = plan_memory(model, 2, 256)
    runner = fake_graphs.graph_runner(model, plan)
    runner.warm_up()
    captured = len(runner._frames), len(runner._chunks)
    assert captured == (2 + 3, 2 * len(runner.chunk_sizes))
    eager = ModelRunner(model, plan, enforce_eager=False)
    eager.warm_up()
    requests = [
        prompt("Before and after.", SamplingParams(seed=4), streaming=each) for each in (0, 1)
    ]
    spoken, expected = (
        [*say(scheduler, *requests), *say(scheduler, requests[1])]
        for scheduler in (Scheduler(runner, explain), Scheduler(eager, explain))
    )
    for samples, others in zip(spoken, expected, strict=True):
        assert_same(samples, others)
    assert (len(runner._frames), len(runner._chunks)) == captured
    assert len(eager._frames) + len(eager._chunks) == 0


def deciding_on_the_host(frames: torch.Tensor) -> torch.Tensor:
    return frames + int(frames[0].item() > 0)


def reading_a_new_tensor(frames: torch.Tensor) -> torch.Tensor:
    return frames + torch.tensor([0])


def counting_on_the_host(frames: torch.Tensor) -> torch.Tensor:
    COUNTED.append(0)
    return frames * 0 + len(COUNTED)


COUNTED: list[int] = []


@pytest.mark.parametrize(
    ("changing", "error"),
    [
        (deciding_on_the_host, HostWaits),
        (reading_a_new_tensor, fake_graphs.ReadsFromOutside),
        (counting_on_the_host, AssertionError),
    ],
)
def test_the_recorder_finds_what_a_graph_may_not_do(
    model: LoadedModel,
    graph_runner: ModelRunner,
    monkeypatch: pytest.MonkeyPatch,
    changing: Callable[[torch.Tensor], torch.Tensor],
    error: type[Exception],
) -> None:
    """What a CPU does without complaint, and a graph would do wrong or not at all."""
    text_embedding = frame._text_embedding

    def changed(state: FrameState, frames: torch.Tensor) -> torch.Tensor:
        return text_embedding(state, frames) + changing(frames).unsqueeze(-1)

    monkeypatch.setattr(frame, "_text_embedding", changed)
    one = prompt("A word.", GREEDY, max_new_tokens=10)
    [expected] = say(Scheduler(runner_of(model), explain), one)
    COUNTED.clear()
    with pytest.raises(error):
        assert_same(say(Scheduler(graph_runner, explain), one)[0], expected)


def test_the_largest_is_captured_first(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the memory that the captures share, each finds room where a larger one was."""
    runner = ModelRunner(model, plan_memory(model, 6, 1024), enforce_eager=True)
    keys: list[FrameKey | ChunkKey] = []
    warm: list[FrameKey | ChunkKey] = []
    monkeypatch.setattr(graphs.GraphCache, "warm_up", lambda cache, key: warm.append(key))
    monkeypatch.setattr(graphs.GraphCache, "capture", lambda cache, key: keys.append(key))
    runner.warm_up()
    assert warm == keys
    usual, other = keys[:-4], keys[-4:]
    assert [key.num_slots for key in usual] == [n for n in (6, 4, 2, 1) for _ in range(8)]
    of_six = [key for key in usual if key.num_slots == 6]
    assert [key.num_frames for key in of_six if isinstance(key, ChunkKey)] == [24, 12, 8, 4, 2, 1]
    assert [key.kv_len for key in of_six if isinstance(key, FrameKey)] == [1024, 512]
    assert of_six[0] == (6, 24)
    assert {key[:2] for key in other} == {(1, 512)}
    assert len(set(other)) == 4


def test_a_trial_does_the_most_there_is(nano_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All slots, the longest chunk, all positions; for one the longest prompt and recording."""
    runner = runner_of(load(locate("nano-base", nano_cache)), enforce_eager=True)
    keys: list[Any] = []
    seconds: list[float] = []
    prefilled: list[torch.Size] = []

    def prefill(speech: Any, state: Any, embeds: torch.Tensor, *others: Any) -> None:
        prefilled.append(embeds.shape)
        prefill_slots(speech, state, embeds, *others)

    monkeypatch.setattr(graphs.GraphCache, "__call__", lambda cache, key: keys.append(key))

    def encode(encoders: VoiceEncoders, samples: npt.NDArray[np.float32]) -> torch.Tensor:
        seconds.append(len(samples) / SAMPLE_RATE_HZ)
        return torch.zeros(375, 16, dtype=torch.int64)

    monkeypatch.setattr(plain, "prefill_slots", prefill)
    monkeypatch.setattr(VoiceEncoders, "encode", encode)
    runner.run_largest()
    assert [key[:2] for key in keys] == [(SLOTS, 24), (SLOTS, 1024)]
    assert [shape[:2] for shape in prefilled] == [(1, 1024)]
    assert seconds == [MAX_REFERENCE_S]


@pytest.mark.parametrize("kind", ["nano", "nano-base"])
def test_text_in_frames_has_a_bound(nano_cache: Path, kind: str) -> None:
    """Of a clone, and of a text that arrives: what is more is refused, and its slot goes on."""
    loaded = load(locate(kind, nano_cache))
    runner = ModelRunner(loaded, plan_memory(loaded, 1, 2048), enforce_eager=True)
    speaker = "ryan" if kind == "nano" else None
    fits, too_long = (
        prompt("x" * length, GREEDY, speaker=speaker, text_in_frames=True)
        for length in (1024, 1025)
    )
    assert runner.prepare(fits).num_trailing == 1024
    with pytest.raises(TextTooLong, match=r"1025 tokens .* room for 1024"):
        runner.prepare(too_long)
    assert runner.extend(0, fits.text, 1, final=True) == 1024
    with pytest.raises(TextTooLong, match=r"1025 tokens .* room for 1024"):
        runner.extend(0, too_long.text, 1, final=True)


def test_joining_later_changes_nothing(scheduler: Scheduler) -> None:
    """Neither for who joins nor for who was there."""
    first, second = prompt("Who was there first?", GREEDY), prompt("Me.", SamplingParams(seed=3))
    [expected_first], [expected_second] = say(scheduler, first), say(scheduler, second)
    jobs = [Job(first), Job(second)]
    scheduler.add(jobs[0])
    for _ in range(5):
        scheduler.step()
    scheduler.add(jobs[1])
    while not scheduler.is_idle:
        scheduler.step()
    assert_same(read(jobs[0]), expected_first)
    assert_same(read(jobs[1]), expected_second)


def frames_of(runner: Runner, prompts: list[Prompt], waits_at: Container[int]) -> Any:
    """Return the audio of 12 frames of each prompt, of which the first waits at some steps."""
    slots = list(range(len(prompts)))
    prepared = [runner.prepare(each) for each in prompts]
    runner.prefill(slots, prepared).read()
    launched, step = [0] * len(slots), 0
    while min(launched) < 12:
        running = [slot for slot in slots if launched[slot] < 12 and (slot or step not in waits_at)]
        paused = [slot for slot in slots if slot not in running]
        for slot in paused:
            runner.pause(slot)
        if running:
            ends = [prepared[slot].num_positions + launched[slot] for slot in running]
            runner.advance(running, max(ends) + 1).read()
        for slot in paused:
            runner.resume(slot)
        for slot in running:
            launched[slot] += 1
        step += 1
    samples = runner.decode(slots, [0] * len(slots), 12).read()
    for slot in slots:
        runner.stop(slot)
    return samples


def test_what_waits_loses_none_of_its_frames(
    graph_runner: ModelRunner, scheduler: Scheduler
) -> None:
    """Nor does who runs on beside it, with captured graphs and without."""
    prompts = [prompt("Wait for me.", SamplingParams(seed=n)) for n in range(2)]
    expected = frames_of(scheduler.runner, prompts, ())
    for runner in (scheduler.runner, graph_runner):
        assert_same(frames_of(runner, prompts, {0, 5, 6, *range(9, 14)}), expected)


def test_a_slot_that_was_cancelled_is_clean(scheduler: Scheduler) -> None:
    """What its utterance left behind is not heard in the next."""
    one = prompt("Clean.", SamplingParams(seed=5), instruct="Calmly.")
    [expected] = say(scheduler, one)
    job = Job(prompt("Somebody else was here before, for long.", SamplingParams(seed=6)))
    scheduler.add(job)
    for _ in range(9):
        scheduler.step()
    job.cancel(TTSError("nobody listens"))
    scheduler.step()
    assert scheduler.is_idle
    assert scheduler.num_free == SLOTS
    assert_same(say(scheduler, one)[0], expected)


def test_a_runaway_ends_at_its_budget(scheduler: Scheduler) -> None:
    """max_new_tokens is upstream's: one frame less."""
    job = Job(prompt("A text that would take longer.", GREEDY, max_new_tokens=5))
    scheduler.add(job)
    while not scheduler.is_idle:
        scheduler.step()
    assert len(read(job)) == 4 * 1920
    assert job.finish_reason == "length"


def test_a_closed_runner_gives_its_memory_back_and_can_be_read(model: LoadedModel) -> None:
    """Whoever was told of it before, the probes say, still reads what it was."""
    runner = runner_of(model)
    scheduler = Scheduler(runner, explain)
    say(scheduler, prompt("Hm.", GREEDY))
    held = (runner._state, runner._frames, runner._chunks, runner._prefills)
    kept = [weakref.ref(each) for each in held]
    del held
    num_others = sys.getrefcount(model)
    runner.close()
    assert [reference() for reference in kept] == [None] * 4
    assert sys.getrefcount(model) < num_others
    assert (runner.card, runner.placement) == (model.card, CPU)
    assert (runner.max_slots, runner.max_positions, runner.memory_bytes()) == (SLOTS, 1024, 0)


def test_voice_design_hears_the_description(nano_cache: Path) -> None:
    """No speaker, but an instruction."""
    scheduler = Scheduler(runner_of(load(locate("nano-design", nano_cache))), explain)
    fields: dict[str, Any] = {"speaker": None, "language": "auto"}
    low, high = say(
        scheduler,
        prompt("Hello.", GREEDY, instruct="A low voice.", **fields),
        prompt("Hello.", GREEDY, instruct="A high voice.", **fields),
    )
    assert not np.array_equal(low, high)


def test_settings_decide_what_is_ranked() -> None:
    """All logits are sorted only where a slot needs it."""
    usual = SamplingParams()
    assert top_k_top_p_for([usual, GREEDY]) == TopKTopP(64, False)
    assert top_k_top_p_for([usual, SamplingParams(top_k=0)]) == TopKTopP(None, False)
    assert top_k_top_p_for([usual, SamplingParams(subtalker_top_k=65)]) == TopKTopP(None, False)
    assert top_k_top_p_for([usual, SamplingParams(top_p=0.9)]) == TopKTopP(64, True)
    greedy = SamplingParams(temperature=0, subtalker_temperature=0, top_k=0)
    assert top_k_top_p_for([greedy]) == TopKTopP(64, False)


def test_slots_are_as_many_as_fit(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Computed from the shapes before anything is allocated."""
    from qwen_tts_api.engine.memory import planning

    plan = plan_memory(model, SLOTS, 1024)
    runner = runner_of(model)
    state, codec = runner._state.speech, runner._state.codec
    texts = state.text[:, 1:]  # but for tts_pad, which each has, too
    tensors = [state.talker_cache.key_value, texts, codec.past[:SLOTS], codec.key_value[:SLOTS]]
    held = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    assert plan.costs.of(plan.size) == held
    assert (plan.size.num_pages, plan.size.is_whole) == (SLOTS * 16, True)
    available = held - 20 * plan.costs.page_bytes
    monkeypatch.setattr(planning, "available_bytes", lambda device: available)
    fewer = plan_memory(model, SLOTS, 1024).size
    assert (fewer.max_slots, fewer.num_pages, fewer.is_whole) == (SLOTS, SLOTS * 16 - 20, False)
    monkeypatch.setattr(planning, "available_bytes", lambda device: 16 * plan.costs.page_bytes)
    with pytest.raises(LoadError, match="QWEN_MAX_POSITIONS"):
        plan_memory(model, SLOTS, 1024)


def test_a_damaged_checkpoint_is_not_loaded(nano_cache: Path, tmp_path: Path) -> None:
    """Weights that are missing are an error, not random numbers."""
    folder = tmp_path / "damaged"
    shutil.copytree(locate("nano", nano_cache), folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(LoadError, match=r"model\.safetensors"):
        load(folder)


def test_no_speaker_is_hard_coded(nano_cache: Path, tmp_path: Path) -> None:
    """A fine-tuned checkpoint names its own."""
    folder = tmp_path / "tuned"
    shutil.copytree(locate("nano", nano_cache), folder)
    config = json.loads((folder / "config.json").read_text())
    config["talker_config"]["spk_id"] = {"narrator": 3000}
    config["talker_config"]["spk_is_dialect"] = {"narrator": False}
    (folder / "config.json").write_text(json.dumps(config))
    scheduler = Scheduler(runner_of(load(folder)), explain)
    assert len(say(scheduler, prompt("Hm.", GREEDY, speaker="narrator"))[0]) > 0
