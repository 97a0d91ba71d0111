"""From the fields of Wyoming's events to a request for speech."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.names import shown
from qwen_tts_api.server.wyoming.voices import WyomingVoices
from qwen_tts_api.service.request import SpeechRequest


def read_request(data: Mapping[str, Any], text: str, voices: WyomingVoices) -> SpeechRequest:
    """Return what a `synthesize` or `synthesize-start` asks for.

    Args:
        data: Of the event. `voice` may have `name` or, without one, `language`.
        text: What to say.
        voices: By their names.

    Raises:
        InvalidRequest: A field has the wrong type.
        ModelUnavailable: The checkpoint of the voice's model cannot be read.
    """
    voice = data.get("voice") or {}
    if not isinstance(voice, dict):
        raise InvalidRequest(f"'voice' is {shown(voice)}: it is an object with a 'name'.")
    model, speaker = voices.find(read_string(voice, "name") or read_string(voice, "speaker"))
    return SpeechRequest(
        text=text,
        language=read_string(voice, "language"),
        model=model,
        speaker=speaker,
        audio_format="pcm",
        stream=True,
        silence=True,
        ssml=is_ssml(data),
    )


def is_ssml(data: Mapping[str, Any]) -> bool:
    """Return whether the text of a `synthesize` or `synthesize-start` is SSML.

    Raises:
        InvalidRequest: Its `text_format` is neither `text` nor `ssml`.
    """
    text_format = read_string(data, "text_format")
    if text_format.lower() not in ("", "text", "ssml"):
        raise InvalidRequest(f"'text_format' is {shown(text_format)}: it is 'text' or 'ssml'.")
    return text_format.lower() == "ssml"


def read_string(data: Mapping[str, Any], name: str) -> str:
    """Return a field of an event; empty where it is absent or null.

    Raises:
        InvalidRequest: It is no string.
    """
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidRequest(f"{name!r} is {shown(value)}: it is a string.")
    return value
