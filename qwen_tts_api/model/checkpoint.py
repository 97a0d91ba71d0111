"""Find a checkpoint's folder by its name, and read what kind of model it is. Imports no PyTorch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.hub import CHECKPOINT_FILES, fetch
from qwen_tts_api.model.nano import NANO_NAMES, ensure_nano

KINDS = ("custom_voice", "voice_design", "base")
TOKENIZER_TYPE = "qwen3_tts_tokenizer_12hz"


@dataclass(frozen=True)
class ModelCard:
    """What a checkpoint can do, as its config.json says.

    Attributes:
        kind: `custom_voice`, `voice_design` or `base`.
        size: As published: `0b6`, `1b7`.
        speakers: Names in lower case; empty where the kind has none.
        dialects: The dialect of each speaker that has one.
        languages: Names in lower case, without the dialects and without `auto`.
    """

    kind: str
    size: str
    speakers: tuple[str, ...]
    dialects: dict[str, str]
    languages: tuple[str, ...]

    @property
    def takes_instruct(self) -> bool:
        """Whether a style instruction is honoured: the 0.6B CustomVoice model drops it."""
        return self.kind == "voice_design" or (self.kind == "custom_voice" and self.size != "0b6")


def locate(model_id: str, cache_dir: Path, files: Sequence[str] = CHECKPOINT_FILES) -> Path:
    """Turn a model's id into the folder of its checkpoint, building or downloading it if needed.

    Args:
        model_id: A local folder, the name of a nano checkpoint, or an id on the hub.
        cache_dir: Where nano checkpoints are built. Downloads go to huggingface_hub's own cache.
        files: Patterns of the files that a download must bring.

    Raises:
        LoadError: There is no such folder, or the hub has or gives no such checkpoint.
    """
    if model_id in NANO_NAMES:
        try:
            return ensure_nano(model_id, cache_dir)
        except OSError as error:
            raise LoadError(str(error)) from error
    folder = Path(model_id).expanduser()
    if folder.is_dir():
        return folder
    if model_id.startswith(("/", "./", "../", "~")) or model_id.count("/") != 1:
        raise LoadError(
            f"There is no folder {model_id!r}, and it is not a hub id of the form owner/name. "
            f"Set QWEN_MODEL_ID to one of them, or to one of {', '.join(NANO_NAMES)}."
        )
    try:
        return fetch(model_id, files)
    except LoadError as error:
        raise LoadError(
            f"{error} Set QWEN_MODEL_ID to a local folder, or download the checkpoint where there "
            "is a network (`qwen-tts-api download`) and bring its folder along."
        ) from error


def describe(model_id: str, cache_dir: Path) -> ModelCard:
    """Read what a model can do without loading it: of a checkpoint on the hub only config.json.

    Raises:
        LoadError: As `locate` and `read_card`.
    """
    return read_card(locate(model_id, cache_dir, files=["config.json"]))


def read_card(folder: Path) -> ModelCard:
    """Read a checkpoint's config.json.

    Raises:
        LoadError: It is missing, is not JSON, or is not of a Qwen3-TTS model on the 12 Hz codec.
    """
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        talker = config["talker_config"]
        card = ModelCard(
            kind=config["tts_model_type"],
            size=config["tts_model_size"],
            speakers=tuple(name.lower() for name in talker["spk_id"] or {}),
            dialects={
                name.lower(): dialect
                for name, dialect in (talker["spk_is_dialect"] or {}).items()
                if dialect
            },
            languages=tuple(name for name in talker["codec_language_id"] if "dialect" not in name),
        )
        tokenizer_type = config["tokenizer_type"]
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {error.strerror}. Is it a checkpoint?") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LoadError(f"{path} does not describe a Qwen3-TTS model ({error!r}).") from error
    if card.kind not in KINDS or tokenizer_type != TOKENIZER_TYPE:
        raise LoadError(
            f"{path} describes a {card.kind!r} model on {tokenizer_type!r}; served are "
            f"{', '.join(KINDS)} on {TOKENIZER_TYPE!r}."
        )
    return card
