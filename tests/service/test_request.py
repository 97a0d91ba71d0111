"""What a request says, and what holds where it says nothing."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from qwen_tts_api.config import Config
from qwen_tts_api.model.utterance import SamplingParams
from qwen_tts_api.service.request import FULL, SpeechRequest, with_defaults
from tests.rows import for_each

SERVICE = Path(__file__).resolve().parents[2] / "qwen_tts_api" / "service"


def test_every_field_of_a_request_is_read() -> None:
    """By what answers it; those of the sampling by their names."""
    modules = [path.read_text() for path in SERVICE.rglob("*.py")]
    sampling = {field.name for field in fields(SamplingParams)}
    for name in {field.name for field in fields(SpeechRequest)} - sampling:
        assert any(re.search(rf"\brequest\.{name}\b", module) for module in modules), name


@for_each(
    ("asked", "told"),
    [
        ({}, (FULL, True, "German")),
        ({"normalize": True, "pause_marks": False, "language": "en"}, (True, False, "en")),
        ({"normalize": False}, (False, True, "German")),
        ({"ssml": True}, (FULL, False, "German")),
    ],
)
def test_what_a_request_does_not_say_is_by_setting(
    asked: dict[str, Any], told: tuple[bool | str, bool, str]
) -> None:
    config = Config(normalize_text=FULL, pause_marks=True, default_language="German")
    request = with_defaults(config, SpeechRequest("Hello", **asked))
    assert (request.normalize, request.pause_marks, request.language) == told
