"""The schema of `/v1/audio/speech`: OpenAI's, vLLM-Omni's and our fields, at the top level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import fields, post_load

from qwen_tts_api.routes.apis.openai.names import FIELDS
from qwen_tts_api.routes.speech.field_types import choice, integer
from qwen_tts_api.routes.speech.schema import SpeechSchema
from qwen_tts_api.service.request import SpeechRequest

OPENAI_FORMAT = "mp3"
"""OpenAI's default; Open WebUI relies on it, and saves the answer as `.mp3`."""

TASK_TYPES = {
    "CustomVoice": "custom_voice",
    "VoiceDesign": "voice_design",
    "Base": "base",
}
"""vLLM-Omni's task type -> kind of model."""


@dataclass(frozen=True)
class OpenAIRequest:
    """A request for speech to the OpenAI-compatible API.

    Attributes:
        speech: The request in our terms, except for the names of model and speaker.
        events: Whether to answer with server-sent events.
        task_type: A key of TASK_TYPES, or empty.
        is_stream_given: Whether `stream` or `stream_format` is given.
        ignored: Names of fields without effect.
    """

    speech: SpeechRequest
    events: bool
    task_type: str
    is_stream_given: bool
    ignored: tuple[str, ...]


class _Voice(fields.String):
    """A name, or `{"id": name}`."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        if isinstance(value, Mapping):
            value = value.get("id")
        name: str = super()._deserialize(value, *args, **kwargs)
        return name


def _renamed(name: str, description: str) -> fields.String:
    metadata = {"description": description}
    return fields.String(allow_none=True, data_key=FIELDS[name], metadata=metadata)


class OpenAISpeechSchema(SpeechSchema):
    """The fields of `/api/tts`, four of them renamed, and additional ones."""

    text = _renamed("text", "What to say.")
    speaker = _Voice(
        allow_none=True,
        data_key=FIELDS["speaker"],
        metadata={"description": "A speaker or voice, `default`, or one of OpenAI's."},
    )
    instruct = _renamed("instruct", "How to say it, or the voice itself (VoiceDesign).")
    audio_format = _renamed("audio_format", f"A format's name; {OPENAI_FORMAT} if empty.")
    stream_format = choice("Send audio as it is made, plain or as events.", "audio", "sse")
    task_type = choice("The kind that the model must be of.", *TASK_TYPES)
    # The size of the first chunk: here as small as the load allows, one frame if it is low.
    initial_codec_chunk_frames = integer(
        0, 8192, "Accepted and of no effect: a stream begins with one frame."
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> OpenAIRequest:
        given = {name: value for name, value in data.items() if value is not None}
        stream_format = given.pop("stream_format", "")
        task_type = given.pop("task_type", "")
        no_effect = given.pop("initial_codec_chunk_frames", None)
        is_stream_given = "stream" in given or bool(stream_format)
        # A `stream_format` implies `stream`, unless that is given.
        given.setdefault("stream", bool(stream_format))
        given["audio_format"] = given.get("audio_format") or OPENAI_FORMAT
        return OpenAIRequest(
            speech=SpeechRequest(**given),
            events=stream_format == "sse",
            task_type=task_type,
            is_stream_given=is_stream_given,
            ignored=() if no_effect is None else ("initial_codec_chunk_frames",),
        )
