"""Speakers and languages, of a server and of a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qwen_tts_api.cli.voices import _table
from tests.checkpoints.test_card import CONFIG, write_config
from tests.cli.command import run


def test_a_checkpoint_needs_no_weights(tmp_path: Path) -> None:
    """Its configuration is enough."""
    write_config(tmp_path)
    result = run("voices", "--model", tmp_path)
    assert result.stdout.decode().splitlines() == [
        "Speakers:",
        "  Ryan",
        "  Dylan  beijing dialect",
        "Languages: Auto (auto), Chinese (zh), English (en)",
    ]
    listing = json.loads(run("voices", "--model", tmp_path, "--json").stdout)
    assert [entry["name"] for entry in listing["speakers"]] == ["Ryan", "Dylan"]
    assert listing["languages"][2] == {"name": "English", "code": "en"}


def test_a_model_without_speakers_says_so(tmp_path: Path) -> None:
    talker = CONFIG["talker_config"] | {"spk_id": {}, "spk_is_dialect": {}}
    write_config(tmp_path, tts_model_type="voice_design", talker_config=talker)
    assert run("voices", "--model", tmp_path).stdout.startswith(b"This model has no speakers.\n")


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    result = run("voices", "--model", tmp_path / "nothing")
    assert result.returncode == 1
    assert b"There is no folder" in result.stderr


def test_registered_voices_are_marked() -> None:
    """A server tells them by their kind."""
    speakers: list[dict[str, Any]] = [
        {"name": "Ryan", "dialect": None, "kind": "speaker"},
        {"name": "Ann", "kind": "registered"},
    ]
    table = _table({"speakers": speakers, "languages": [{"name": "Auto", "code": "auto"}]})
    assert table.splitlines()[1:3] == ["  Ryan", "  Ann   registered"]
