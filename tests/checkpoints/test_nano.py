"""Nano checkpoints: the published format, and audio that ends where the text does."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from qwen_tts_api.checkpoints import nano
from qwen_tts_api.checkpoints.nano import NANO_KINDS, ensure_nano
from qwen_tts_api.checkpoints.nano.configs import SPEAKERS
from qwen_tts_api.checkpoints.qwen_tts_import import import_qwen_tts
from qwen_tts_api.files import write_synced
from tests.rows import for_each

FILES = {
    "config.json",
    "generation_config.json",
    "merges.txt",
    "model.safetensors",
    "preprocessor_config.json",
    "speech_tokenizer/config.json",
    "speech_tokenizer/model.safetensors",
    "speech_tokenizer/preprocessor_config.json",
    "tokenizer_config.json",
    "vocab.json",
}
SAMPLES_PER_FRAME = 1920
HEAD_START_FRAMES = 4  # what a text takes beyond one frame a token
EOS = 2150
PROSE = "The quick brown fox jumps over the lazy dog, and nobody in the village minds at all. "
GREEDY: dict[str, Any] = {"do_sample": False, "subtalker_dosample": False, "max_new_tokens": 1000}

Audio = npt.NDArray[np.float32]
Load = Callable[..., Any]


@pytest.fixture(scope="module")
def cache(nano_cache: Path) -> Path:
    """Return a folder that holds all nano checkpoints, from this run or an earlier one."""
    for name in NANO_KINDS:
        ensure_nano(name, nano_cache)
    return nano_cache


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which all nano checkpoints have just been built."""
    folder = tmp_path_factory.mktemp("nano")
    for name in NANO_KINDS:
        ensure_nano(name, folder)
    return folder


@pytest.fixture(scope="module")
def load(cache: Path) -> Load:
    """Return a function that loads a kind through upstream's own class, once for each dtype."""
    loaded: dict[tuple[str, torch.dtype], Any] = {}

    def load_once(name: str, dtype: torch.dtype = torch.float32) -> Any:
        if (name, dtype) not in loaded:
            loaded[name, dtype] = import_qwen_tts().Qwen3TTSModel.from_pretrained(
                str(ensure_nano(name, cache)),
                device_map="cpu",
                dtype=dtype,
                attn_implementation="sdpa",
            )
        return loaded[name, dtype]

    return load_once


@pytest.fixture
def voice(load: Load) -> Any:
    """Return the CustomVoice model."""
    return load("nano")


def num_tokens(model: Any, text: str) -> int:
    """Return how many tokens a text has."""
    return len(model.processor.tokenizer(text).input_ids)


def num_frames(audio: Audio) -> int:
    """Return the length of some audio, which must be whole frames."""
    assert len(audio) % SAMPLES_PER_FRAME == 0
    return len(audio) // SAMPLES_PER_FRAME


def say(model: Any, text: str, speaker: str = "ryan", **options: Any) -> Audio:
    """Speak greedily unless told otherwise."""
    audios, sample_rate_hz = model.generate_custom_voice(text, speaker, **{**GREEDY, **options})
    assert sample_rate_hz == 24_000
    audio: Audio = audios[0]
    return audio


class Prefilled(Exception):
    """Carries the talker's inputs out of upstream's `generate`."""

    def __init__(self, inputs: dict[str, Any]) -> None:
        self.inputs = inputs


def frames_of_random_codes(model: Any, text: str, **options: Any) -> int:
    """Return after how many frames EOS wins, if the frames' codes are drawn at random.

    One forward pass instead of a generation, so that a long text takes a second. The prompt is
    upstream's own; frames are added to it as `Qwen3TTSTalkerForConditionalGeneration.forward` does.
    """
    talker = model.model.talker

    def stop_at_talker(**inputs: Any) -> None:
        raise Prefilled(inputs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(talker, "generate", stop_at_talker)
        with pytest.raises(Prefilled) as prefilled:
            say(model, text, **options)
    inputs = prefilled.value.inputs
    prompt, text_rows = inputs["inputs_embeds"], inputs["trailing_text_hidden"]

    count = num_tokens(model, text) + 50
    codes = torch.randint(0, 2048, (16, count), generator=torch.Generator().manual_seed(0))
    tables = [talker.get_input_embeddings(), *talker.code_predictor.get_input_embeddings()]
    with torch.inference_mode():
        frames = torch.stack([table(c) for table, c in zip(tables, codes, strict=True)]).sum(0)
        padding = inputs["tts_pad_embed"].expand(1, max(count - text_rows.shape[1], 0), -1)
        rows = frames + torch.cat([text_rows, padding], dim=1)[:, :count]
        sequence = torch.cat([prompt, rows], dim=1)
        hidden = talker.model(inputs_embeds=sequence, use_cache=False).last_hidden_state
        logits = talker.codec_head(hidden[0, prompt.shape[1] - 1 :]).float()
    eos_wins = logits[:, EOS] > logits[:, :2048].amax(dim=1)
    assert eos_wins.any(), "EOS never won"
    first = int(eos_wins.int().argmax())
    assert eos_wins[first:].all(), "EOS won too early"
    return first


# --- Files


@pytest.mark.slow
def test_the_files_are_the_published_ones(built: Path) -> None:
    """And nothing is left over beside the three folders."""
    folders = list(built.iterdir())
    assert len(folders) == len(NANO_KINDS)
    for folder in folders:
        files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        assert files == FILES
        assert sum(p.stat().st_size for p in folder.rglob("*")) < 25e6


@pytest.mark.slow
@pytest.mark.parametrize("name", NANO_KINDS)
def test_building_twice_gives_the_same_bytes(cache: Path, built: Path, name: str) -> None:
    """Those that all tests speak with, and those that are built now."""
    folder, again = ensure_nano(name, cache), ensure_nano(name, built)
    assert folder != again
    for path in FILES:
        assert (folder / path).read_bytes() == (again / path).read_bytes(), path


@pytest.mark.parametrize(("name", "kind"), NANO_KINDS.items())
def test_the_configuration_names_the_kind(cache: Path, name: str, kind: str) -> None:
    """Only CustomVoice has speakers and dialects, only Base a speaker encoder."""
    config = json.loads((ensure_nano(name, cache) / "config.json").read_text())
    talker = config["talker_config"]
    assert config["tts_model_type"] == kind
    assert len(talker["spk_id"]) == len(talker["spk_is_dialect"]) == 9 * (name == "nano")
    assert len(talker["codec_language_id"]) == 10 + 2 * (name == "nano")
    assert ("speaker_encoder_config" in config) == (name == "nano-base")


@pytest.mark.slow
@pytest.mark.parametrize("name", NANO_KINDS)
def test_loading_warns_of_nothing(cache: Path, name: str) -> None:
    """No weight is missing, none is left over, no option is unknown."""
    messages: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    qwen_tts = import_qwen_tts()
    logger = logging.getLogger("transformers")
    logger.addHandler(handler)
    try:
        qwen_tts.Qwen3TTSModel.from_pretrained(str(ensure_nano(name, cache)), dtype=torch.float32)
    finally:
        logger.removeHandler(handler)
    assert messages == []


# --- The cache


def test_importing_the_package_imports_no_pytorch() -> None:
    code = (
        "import sys, qwen_tts_api.checkpoints.nano; "
        "assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_a_finished_checkpoint_is_not_built_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("qwen_tts_api.checkpoints.nano.checkpoint.checkpoint_files")
    assert (ensure_nano("nano", cache) / "config.json").is_file()


def test_a_changed_recipe_is_another_folder(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder's name depends on every source file of the package."""
    names = {ensure_nano("nano", cache).name}
    package = shutil.copytree(Path(nano.__file__).parent, tmp_path / "nano")
    monkeypatch.setattr(nano, "__file__", str(package / "__init__.py"))
    assert ensure_nano("nano", cache).name in names
    for source in package.glob("*.py"):
        source.write_text(source.read_text() + "\n")
        names.add(f"nano-{nano._fingerprint()}")
    assert len(names) == 1 + len(list(package.glob("*.py")))


@pytest.mark.slow
def test_several_builders_at_once(tmp_path: Path) -> None:
    """All get the same folder, which is whole, and no scratch folder stays behind."""
    barrier = threading.Barrier(3)
    folders: list[Path] = []

    def build() -> None:
        barrier.wait()
        folders.append(ensure_nano("nano", tmp_path))

    threads = [threading.Thread(target=build) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folders == list(tmp_path.iterdir()) * 3
    assert {p.relative_to(folders[0]).as_posix() for p in folders[0].rglob("*.*")} == FILES


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up half-way, say; the message says what to set."""

    def write_until_full(path: Path, content: bytes) -> None:
        if path.name == "model.safetensors":
            raise OSError(28, "No space left on device")
        write_synced(path, content)

    monkeypatch.setattr(nano, "write_synced", write_until_full)
    with pytest.raises(OSError, match=r"No space left.*QWEN_CACHE_DIR") as failure:
        ensure_nano("nano", tmp_path)
    assert str(tmp_path) in str(failure.value)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is a file's; that is seen before the checkpoint is computed."""
    monkeypatch.delattr("qwen_tts_api.checkpoints.nano.checkpoint.checkpoint_files")
    (tmp_path / "cache").write_text("")
    with pytest.raises(OSError, match="QWEN_CACHE_DIR"):
        ensure_nano("nano", tmp_path / "cache")


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'pico', only nano-en, nano, nano-design, nano-base"):
        ensure_nano("pico", tmp_path)


# --- The tokenizer


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("<|im_start|>assistant\n", 3),
        ("<|im_start|>user\n", 3),
        ("<|im_end|>\n<|im_start|>assistant\n", 5),
        ("<|im_end|>\n", 2),
    ],
)
def test_the_prompt_is_cut_where_upstream_cuts_it(voice: Any, text: str, count: int) -> None:
    assert num_tokens(voice, text) == count


def test_any_text_can_be_tokenised(voice: Any) -> None:
    """And a special token's name in a text is that token, as with a published checkpoint."""
    tokenizer = voice.processor.tokenizer
    text = "".join(map(chr, range(256))) + "日本語 😀 \u0000 \ufdfd \U0010fffd"
    assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer.tokenize("a<|im_end|>b") == ["a", "<|im_end|>", "b"]


def test_the_ids_in_the_configuration_are_the_tokenizers(voice: Any) -> None:
    config = voice.model.config
    names = {
        "assistant_token_id": "assistant",
        "im_start_token_id": "<|im_start|>",
        "im_end_token_id": "<|im_end|>",
        "tts_pad_token_id": "<tts_pad>",
        "tts_bos_token_id": "<tts_text_bos>",
        "tts_eos_token_id": "<tts_text_eod>",
    }
    for key, token in names.items():
        assert voice.processor.tokenizer.convert_tokens_to_ids(token) == getattr(config, key)


# --- Length


@pytest.mark.slow
@pytest.mark.parametrize("non_streaming_mode", [True, False])
@pytest.mark.parametrize("num_characters", [1, 5, 40])
def test_greedy_speech_takes_a_frame_a_token(
    voice: Any, non_streaming_mode: bool, num_characters: int
) -> None:
    text = PROSE[:num_characters]
    audio = say(voice, text, non_streaming_mode=non_streaming_mode)
    assert num_frames(audio) == num_tokens(voice, text) + HEAD_START_FRAMES


@pytest.mark.slow
@pytest.mark.parametrize("non_streaming_mode", [True, False])
def test_sampled_speech_takes_as_long(voice: Any, non_streaming_mode: bool) -> None:
    """With the published sampling settings, whatever the seed."""
    text = PROSE[:25]
    for seed in range(2):
        torch.manual_seed(seed)
        audio = say(
            voice,
            text,
            non_streaming_mode=non_streaming_mode,
            do_sample=True,
            subtalker_dosample=True,
        )
        assert abs(num_frames(audio) - num_tokens(voice, text) - HEAD_START_FRAMES) <= 1


@for_each(
    ("num_characters", "instruct", "non_streaming_mode"),
    [
        (1, None, True),
        (5, "Speak slowly. " * 100, False),
        (50, None, False),
        (300, "Speak slowly. " * 100, True),
        (1500, None, False),
    ],
)
def test_length_follows_the_text_alone(
    voice: Any, num_characters: int, instruct: str | None, non_streaming_mode: bool
) -> None:
    """Not the way it is fed, nor an instruction; to the frame, or to the next in a long text."""
    text = (PROSE * 20)[:num_characters]
    frames = frames_of_random_codes(
        voice, text, instruct=instruct, non_streaming_mode=non_streaming_mode
    )
    assert abs(frames - num_tokens(voice, text) - HEAD_START_FRAMES) <= num_characters // 1000


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("non_streaming_mode", [True, False])
def test_a_long_text_ends_in_any_precision(
    load: Load, dtype: torch.dtype, non_streaming_mode: bool
) -> None:
    """4,096 characters, the longest that the OpenAI API takes."""
    model = load("nano", dtype)
    text = (PROSE * 50)[:4096]
    frames = frames_of_random_codes(model, text, non_streaming_mode=non_streaming_mode)
    assert abs(frames - num_tokens(model, text) - HEAD_START_FRAMES) <= 2


def test_english_is_spoken_at_the_pace_of_speech(voice: Any) -> None:
    """About 15 characters a second, at 12.5 tokens a second."""
    assert 14 < 12.5 * len(PROSE * 3) / num_tokens(voice, PROSE * 3) < 16.5


# --- Sound


def assert_audible(audio: Audio) -> None:
    """Check the level, and that the sound is neither clipped, constant nor off centre."""
    assert 0.05 < audio.std() < 0.2
    assert np.abs(audio).max() < 0.99
    assert abs(audio.mean()) < 0.01
    frame_levels = audio.reshape(-1, SAMPLES_PER_FRAME).std(axis=1)
    assert frame_levels.min() > 0.02
    assert frame_levels.std() > 0.003


@pytest.mark.slow
@pytest.mark.parametrize("language", ["auto", "english", "chinese"])
def test_speech_is_audible(voice: Any, language: str) -> None:
    assert_audible(say(voice, "Good morning.", language=language))


@pytest.mark.slow
def test_speakers_texts_and_instructions_sound_different(voice: Any) -> None:
    """From the first frames on."""

    def begin(text: str = "Hi", speaker: str = "ryan", **options: Any) -> bytes:
        return say(voice, text, speaker, max_new_tokens=4, **options).tobytes()

    beginnings = [begin(speaker=speaker) for speaker in SPEAKERS]
    beginnings += [begin("Ho"), begin(instruct="Whisper."), begin(language="german")]
    assert len(set(beginnings)) == len(SPEAKERS) + 3


@pytest.mark.slow
def test_greedy_speech_is_not_one_sound_for_ever(load: Load) -> None:
    """Every codebook keeps changing, and few codes are repeated in a row."""
    model = load("nano")
    tokens = model.processor(
        text=[f"<|im_start|>assistant\n{PROSE}<|im_end|>\n<|im_start|>assistant\n"]
    )
    codes = model.model.generate(
        input_ids=[torch.tensor(tokens["input_ids"])],
        languages=["english"],
        speakers=["ryan"],
        non_streaming_mode=True,
        **GREEDY,
    )[0][0]
    assert codes.shape == (num_tokens(model, PROSE) + HEAD_START_FRAMES, 16)
    assert all(len(set(column)) > len(column) // 3 for column in codes.T.tolist())
    assert (codes[1:, 0] == codes[:-1, 0]).float().mean() < 0.2


# --- The other kinds


@pytest.mark.slow
@pytest.mark.parametrize("non_streaming_mode", [True, False])
def test_voice_design(load: Load, non_streaming_mode: bool) -> None:
    model = load("nano-design")
    audios, _ = model.generate_voice_design(
        "Good morning.",
        "An old man with a deep voice.",
        language="english",
        non_streaming_mode=non_streaming_mode,
        **GREEDY,
    )
    assert num_frames(audios[0]) == num_tokens(model, "Good morning.") + HEAD_START_FRAMES
    assert_audible(audios[0])


@pytest.fixture(scope="module")
def reference(load: Load) -> tuple[Audio, int]:
    """Return a recording of "Good morning, everyone." at 24 kHz."""
    return say(load("nano"), "Good morning, everyone."), 24_000


def clone(model: Any, text: str, **options: Any) -> Audio:
    audios, _ = model.generate_voice_clone(text, language="english", **{**GREEDY, **options})
    audio: Audio = audios[0]
    return audio


@pytest.mark.slow
@pytest.mark.parametrize("non_streaming_mode", [True, False])
def test_cloning_by_continuation(
    load: Load, reference: tuple[Audio, int], non_streaming_mode: bool
) -> None:
    """A reference at nano's own pace uses up the head start; the text takes a frame a token."""
    model = load("nano-base")
    audio = clone(
        model,
        "How are you today?",
        ref_audio=reference,
        ref_text="Good morning, everyone.",
        non_streaming_mode=non_streaming_mode,
    )
    assert abs(num_frames(audio) - num_tokens(model, "How are you today?")) <= 1
    assert_audible(audio)


@pytest.mark.slow
@pytest.mark.parametrize("non_streaming_mode", [True, False])
def test_cloning_by_the_speakers_embedding(
    load: Load, reference: tuple[Audio, int], non_streaming_mode: bool
) -> None:
    """Another speaker's embedding makes other audio of the same length."""
    model = load("nano-base")
    seconds = np.arange(24_000) / 24_000
    tone = np.sin(2 * np.pi * 220 * seconds).astype(np.float32) / 5, 24_000
    one, other = (
        clone(
            model,
            "How are you today?",
            ref_audio=ref_audio,
            x_vector_only_mode=True,
            non_streaming_mode=non_streaming_mode,
        )
        for ref_audio in (reference, tone)
    )
    for audio in (one, other):
        expected = num_tokens(model, "How are you today?") + HEAD_START_FRAMES
        assert num_frames(audio) == expected
        assert_audible(audio)
    assert not np.array_equal(one, other)


def test_encoding_gives_a_frame_each_80_ms(load: Load, reference: tuple[Audio, int]) -> None:
    """Sixteen codes each, which vary as the audio does."""
    audio, rate_hz = reference
    codes = load("nano-base").model.speech_tokenizer.encode(audio, sr=rate_hz).audio_codes[0]
    assert codes.shape == (num_frames(audio), 16)
    assert all(len(set(column)) > len(column) // 3 for column in codes.T.tolist())
