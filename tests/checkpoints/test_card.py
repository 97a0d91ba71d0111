"""From a model's id to a folder and to what the model can do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qwen_tts_api.checkpoints.card import describe, locate, read_card
from qwen_tts_api.errors import LoadError

CONFIG: dict[str, Any] = {
    "tokenizer_type": "qwen3_tts_tokenizer_12hz",
    "tts_model_type": "custom_voice",
    "tts_model_size": "0b6",
    "talker_config": {
        "spk_id": {"ryan": 3061, "Dylan": 2878},
        "spk_is_dialect": {"ryan": False, "Dylan": "beijing_dialect"},
        "codec_language_id": {"english": 2050, "chinese": 2055, "beijing_dialect": 2074},
    },
}


def write_config(folder: Path, **changes: Any) -> Path:
    """Write a config.json and return its folder."""
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    return folder


def test_the_card_is_the_configuration(tmp_path: Path) -> None:
    """Speakers, dialects and languages come from the checkpoint, not from a list."""
    card = describe(str(write_config(tmp_path)), tmp_path)
    assert (card.kind, card.size) == ("custom_voice", "0b6")
    assert card.speakers == ("ryan", "Dylan")
    assert card.dialects == {"Dylan": "beijing_dialect"}
    assert card.languages == ("english", "chinese")
    assert not card.takes_instruct
    assert read_card(write_config(tmp_path, tts_model_size="1b7")).takes_instruct


@pytest.mark.parametrize(
    "changes",
    [
        {"tts_model_type": "unknown"},
        {"tokenizer_type": "qwen3_tts_tokenizer_25hz"},
        {"talker_config": {}},
        {"talker_config": None},
    ],
)
def test_another_kind_of_model_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    """With the file's name."""
    with pytest.raises(LoadError, match=r"config\.json"):
        read_card(write_config(tmp_path, **changes))


def test_a_file_that_is_not_json(tmp_path: Path) -> None:
    """A Git LFS pointer, say."""
    (tmp_path / "config.json").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(LoadError, match=r"config\.json is not JSON"):
        read_card(tmp_path)


@pytest.mark.parametrize("model_id", ["/no/such", "./no", "../no", "~/no/such", "no", "a/b/c"])
def test_a_path_that_is_not_there_is_not_asked_of_the_hub(tmp_path: Path, model_id: str) -> None:
    """Only owner/name is a hub id."""
    with pytest.raises(LoadError, match="There is no folder"):
        locate(model_id, tmp_path)


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    """The sentence names the setting."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LoadError, match="QWEN_CACHE_DIR"):
        locate("nano", tmp_path / "file")
