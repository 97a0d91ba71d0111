"""Locate a checkpoint by its id, and read its model card. Imports no PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from qwen_tts_api.checkpoints.documents import (
    OBJECT,
    TEXT,
    Document,
    read_fields,
    read_json,
    refuse_quantised,
)
from qwen_tts_api.checkpoints.hub import CHECKPOINT_FILES, fetch, find_cached
from qwen_tts_api.checkpoints.nano import NANO_NAMES, ensure_nano
from qwen_tts_api.checkpoints.token_timing import TokenTiming, read_timing
from qwen_tts_api.checkpoints.voice_names import TalkerVoices
from qwen_tts_api.config.folders import expand
from qwen_tts_api.errors import LoadError

KINDS = ("custom_voice", "voice_design", "base")
MODEL_TYPE = "qwen3_tts"
TOKENIZER_TYPE = "qwen3_tts_tokenizer_12hz"


@dataclass(frozen=True)
class ModelCard:
    """The capabilities of a checkpoint, from its config.json.

    Attributes:
        kind: `custom_voice`, `voice_design` or `base`.
        size: `0b6`, `1b7`, as in the published config.json.
        speakers: Names as the checkpoint spells them; empty for other kinds than `custom_voice`.
        dialects: Dialect by speaker, of those that have one.
        languages: Names in lower case, without dialects and `auto`.
        streaming_text: Whether the text may come word by word while it is spoken. Published models
            were trained for that, too; `streaming_text` in config.json is false for others.
        token_per_frame: Whether each token of the text is spoken in exactly one frame. It is so in
            the embedded checkpoints (`token_per_frame` in config.json).
        token_timing: When each token of a text is spoken, if config.json has it.
        letters_only: Whether it reads the letters a to z alone (`text_characters` in config.json):
            numbers must be words for it.
    """

    kind: str
    size: str
    speakers: tuple[str, ...]
    dialects: dict[str, str]
    languages: tuple[str, ...]
    streaming_text: bool = True
    token_per_frame: bool = False
    token_timing: TokenTiming | None = None
    letters_only: bool = False

    @property
    def takes_instruct(self) -> bool:
        """Whether `instruct` has an effect: the 0.6B CustomVoice model ignores it."""
        return self.kind == "voice_design" or (self.kind == "custom_voice" and self.size != "0b6")


def locate(model_id: str, cache_dir: Path, files: Sequence[str] = CHECKPOINT_FILES) -> Path:
    """Return the folder of a checkpoint; build or download the checkpoint if needed.

    Args:
        model_id: A local folder, the name of a nano checkpoint, or a repository id of the hub.
        cache_dir: Where nano checkpoints are built. Downloads go to huggingface_hub's own cache.
        files: Glob patterns of the files to download.

    Raises:
        LoadError: There is no such folder, or the checkpoint cannot be downloaded.
    """
    return _locate(model_id, cache_dir, lambda: _download(model_id, files))


def locate_here(model_id: str, cache_dir: Path) -> Path | None:
    """Return the folder of a checkpoint without using the network, or None.

    Raises:
        LoadError: As `locate`, except for errors of the hub.
    """
    return _locate(model_id, cache_dir, lambda: find_cached(model_id))


Found = TypeVar("Found")


def _locate(model_id: str, cache_dir: Path, ask_hub: Callable[[], Found]) -> Path | Found:
    if model_id in NANO_NAMES:
        try:
            return ensure_nano(model_id, cache_dir)
        except OSError as error:
            raise LoadError(str(error)) from error
    try:
        folder = expand(model_id)
        if folder.is_dir():
            next(folder.iterdir(), None)  # raises where it cannot be read
            return folder
        is_file = folder.exists()
    except OSError as error:
        raise LoadError(f"{model_id} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # no home folder, or a NUL
        raise LoadError(f"{model_id!r} is not a folder: {error}") from error
    if is_file:
        raise LoadError(f"{model_id} is a file: give the folder of the checkpoint that it is in.")
    if model_id.startswith(("/", "./", "../", "~")) or model_id.count("/") != 1:
        raise LoadError(
            f"There is no folder {model_id!r}, and it is not a hub id of the form owner/name. "
            f"Set QWEN_MODEL_ID to one of them, or to one of {', '.join(NANO_NAMES)}."
        )
    return ask_hub()


def _download(model_id: str, files: Sequence[str]) -> Path:
    try:
        return fetch(model_id, files)
    except LoadError as error:
        raise LoadError(
            f"{error} Set QWEN_MODEL_ID to a local folder, or download the checkpoint where there "
            "is a network (`qwen-tts-api download`) and bring its folder along."
        ) from error


def describe(model_id: str, cache_dir: Path) -> ModelCard:
    """Read a model's card without loading the model; from the hub only config.json is downloaded.

    Raises:
        LoadError: As `locate` and `read_card`.
    """
    return read_card(locate(model_id, cache_dir, files=["config.json"]))


def read_card(folder: Path) -> ModelCard:
    """Read a model's card from the config.json in its folder.

    Raises:
        LoadError: It is missing, is not JSON, or is not of a Qwen3-TTS model on the 12 Hz codec.
    """
    return card_of(read_config(folder), folder)


def read_config(folder: Path) -> Document:
    """Read the config.json in a model's folder.

    Raises:
        LoadError: It is missing, or is not JSON.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise LoadError(_missing_config_message(folder))
    return read_json(path)


def card_of(config: Document, folder: Path) -> ModelCard:
    """Return a model's card.

    Args:
        config: The config.json.
        folder: Where it is, for messages.

    Raises:
        LoadError: It is not of a Qwen3-TTS model on the 12 Hz codec.
    """
    path = folder / "config.json"
    defaults: Document = {"tokenizer_type": TOKENIZER_TYPE, "model_type": MODEL_TYPE}
    config = defaults | config
    refuse_quantised(config, str(path))
    if "tts_model_type" not in config or config["model_type"] != MODEL_TYPE:
        raise LoadError(
            f"{path} does not describe a Qwen3-TTS model: model_type is "
            f"{config['model_type']!r}, tts_model_type {config.get('tts_model_type')!r}."
        )
    kinds = {"tts_model_type": TEXT, "tts_model_size": TEXT, "talker_config": OBJECT}
    read_fields(config, str(path), kinds)
    kind, tokenizer_type = config["tts_model_type"], config["tokenizer_type"] or TOKENIZER_TYPE
    if kind not in KINDS or tokenizer_type != TOKENIZER_TYPE:
        raise LoadError(
            f"{path} describes a {kind!r} model on {tokenizer_type!r}; served are "
            f"{', '.join(KINDS)} on {TOKENIZER_TYPE!r}."
        )
    voices = TalkerVoices.read(config["talker_config"])
    return ModelCard(
        kind=kind,
        size=config["tts_model_size"],
        speakers=tuple(voices.speaker_ids),
        dialects=voices.dialects,
        languages=tuple(name for name in voices.language_ids if "dialect" not in name),
        streaming_text=config.get("streaming_text", True) is not False,
        token_per_frame=config.get("token_per_frame", False) is True,
        token_timing=read_timing(folder, config),
        letters_only=config.get("text_characters") == "letters",
    )


def _missing_config_message(folder: Path) -> str:
    """Return an error message for a folder without a config.json."""
    found = f"{folder / 'config.json'} cannot be read: No such file or directory."
    if (folder / "adapter_config.json").is_file():
        return f"{found} It is a LoRA adapter: merge it into its base checkpoint first."
    if any(folder.glob("*.gguf")):
        return f"{found} GGUF files are not served, only safetensors in the published format."
    return f"{found} Is it a checkpoint?"
