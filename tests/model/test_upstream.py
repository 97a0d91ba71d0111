"""The real model code on nano checkpoints, loaded as a published one is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from qwen_tts_api.model import upstream
from qwen_tts_api.model.checkpoint import locate, read_card
from qwen_tts_api.model.placement import place
from qwen_tts_api.model.upstream import UpstreamModel
from qwen_tts_api.model.utterance import GenerationCancelled, Prompt

PROMPT = Prompt("Good morning.", "english", "ryan", "", seed=1)


def load(folder: Path) -> UpstreamModel:
    """Load a checkpoint onto the CPU."""
    return UpstreamModel.load(folder, read_card(folder), place("cpu", "float32", "sdpa"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for the nano checkpoints of these tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def model(cache: Path) -> UpstreamModel:
    """Return a loaded CustomVoice model."""
    return load(locate("nano", cache))


def test_an_utterance_is_whole_frames_of_audible_sound(model: UpstreamModel) -> None:
    """24 kHz, 1,920 samples a frame, ended by the model itself."""
    utterance = model.generate(PROMPT, lambda: False)
    assert utterance.sample_rate_hz == 24_000
    assert len(utterance.samples) % 1920 == 0
    assert utterance.finish_reason == "stop"
    assert utterance.duration_s == len(utterance.samples) / 24_000
    assert np.sqrt(np.mean(utterance.samples**2)) > 0.02


def test_the_seed_decides(model: UpstreamModel) -> None:
    """Same seed, same audio; another seed, other audio."""
    first, second, other = (
        model.generate(
            Prompt(PROMPT.text, PROMPT.language, PROMPT.speaker, "", seed), lambda: False
        ).samples
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_a_runaway_ends_at_the_frame_budget(
    model: UpstreamModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly that many frames, and the answer says that it was cut."""
    monkeypatch.setattr(upstream, "MIN_FRAME_BUDGET", 4)
    monkeypatch.setattr(upstream, "FRAMES_PER_TEXT_TOKEN", 0)
    utterance = model.generate(PROMPT, lambda: False)
    assert len(utterance.samples) == 4 * 1920
    assert utterance.finish_reason == "length"


def test_cancellation_ends_between_two_frames(model: UpstreamModel) -> None:
    """And leaves the model as it was."""
    expected = model.generate(PROMPT, lambda: False)
    asked = iter([False, False, False, True])
    with pytest.raises(GenerationCancelled):
        model.generate(PROMPT, lambda: next(asked))
    assert next(asked, None) is None
    assert np.array_equal(model.generate(PROMPT, lambda: False).samples, expected.samples)


def test_voice_design(cache: Path) -> None:
    """The description is heard."""
    model = load(locate("nano-design", cache))
    model.warm_up()
    low, high = (
        model.generate(Prompt("Hello.", "auto", None, instruct, seed=1), lambda: False).samples
        for instruct in ("A low voice.", "A high voice.")
    )
    assert not np.array_equal(low, high)


def test_a_damaged_checkpoint_is_not_loaded(cache: Path, tmp_path: Path) -> None:
    """Weights that are missing are an error, not random numbers."""
    folder = tmp_path / "damaged"
    shutil.copytree(locate("nano", cache), folder)
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(Exception, match=r"."):
        load(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(Exception, match=r"model\.safetensors"):
        load(folder)


def test_no_speaker_is_hard_coded(cache: Path, tmp_path: Path) -> None:
    """A fine-tuned checkpoint names its own."""
    folder = tmp_path / "tuned"
    shutil.copytree(locate("nano", cache), folder)
    config = json.loads((folder / "config.json").read_text())
    config["talker_config"]["spk_id"] = {"narrator": 3000}
    config["talker_config"]["spk_is_dialect"] = {"narrator": False}
    (folder / "config.json").write_text(json.dumps(config))
    model = load(folder)
    assert model.card.speakers == ("narrator",)
    model.warm_up()
