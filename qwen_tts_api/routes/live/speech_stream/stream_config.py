"""`session.config` of `/v1/audio/speech/stream`: the fields of `/v1/audio/speech`, and its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from qwen_tts_api.config import Config
from qwen_tts_api.errors import NotSupported
from qwen_tts_api.routes.apis.openai.names import take_speaker
from qwen_tts_api.routes.apis.openai.schema import OpenAIRequest, OpenAISpeechSchema
from qwen_tts_api.routes.apis.openai.speech import translate
from qwen_tts_api.routes.live.speech_stream.units import CLAUSE, NONE, SENTENCE
from qwen_tts_api.routes.speech.field_types import Switch, live_mode
from qwen_tts_api.routes.speech.schema import ignored_fields, load
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.speech import SpeechService

DEFAULT_FORMAT = "wav"

_NOT_OF_A_SESSION = ("input", "stream", "stream_format")
"""Fields of `/v1/audio/speech` that other messages have, or that `stream_audio` decides."""


class StreamOptionsSchema(Schema):
    """The fields that `/v1/audio/speech` does not have."""

    class Meta:
        """The others are another schema's."""

        unknown = EXCLUDE

    stream_audio = Switch(allow_none=True)
    split_granularity = fields.String(
        allow_none=True, validate=validate.OneOf([NONE, SENTENCE, CLAUSE])
    )
    word_timestamps = Switch(allow_none=True)
    speaker_embedding = fields.Raw(allow_none=True)
    live_mode = live_mode()


@dataclass(frozen=True)
class StreamConfig:
    """The configuration of a session.

    Attributes:
        speech: The request, without a text. With timestamps audio comes in JSON, and each unit ends
            with the times of its words.
        stream_audio: Whether a unit's audio is sent while it is made, and not as one message.
        granularity: How text is cut into units.
        by_word: Whether the text is spoken word by word, without units.
        is_wrapped: Whether it came in `session`, as SGLang-Omni's clients send it.
        ignored: Names of fields without effect.
    """

    speech: SpeechRequest
    stream_audio: bool
    granularity: str
    by_word: bool
    is_wrapped: bool
    ignored: tuple[str, ...]


def read_config(document: dict[str, Any], service: SpeechService, config: Config) -> StreamConfig:
    """Return what a `session.config` asks for.

    Raises:
        InvalidRequest: A field has a wrong value, or one that is not supported.
    """
    wrapped = document.get("session")
    is_wrapped = isinstance(wrapped, dict)
    given = dict(wrapped if isinstance(wrapped, dict) else document)
    given.pop("type", None)
    options = load(StreamOptionsSchema(), given)
    if options.get("speaker_embedding"):
        raise NotSupported(
            "'speaker_embedding' is not supported: leave it out.",
            fields={"speaker_embedding": ["Not supported."]},
        )
    rest = {
        name: value for name, value in given.items() if name not in StreamOptionsSchema().fields
    }
    ignored = take_speaker(rest)
    rest["response_format"] = rest.get("response_format") or DEFAULT_FORMAT
    ignored += [name for name in _NOT_OF_A_SESSION if rest.pop(name, None) is not None]
    schema = OpenAISpeechSchema()
    ignored += [] if config.strict_parameters else ignored_fields(schema, rest)
    asked: OpenAIRequest = load(
        schema, {name: value for name, value in rest.items() if name not in ignored}
    )
    speech, idle = translate(asked, config, service)
    stream_audio = bool(options.get("stream_audio"))
    granularity = options.get("split_granularity") or NONE
    mode = options.get("live_mode") or ""
    return StreamConfig(
        speech=replace(
            speech,
            stream=stream_audio,
            live_mode=mode,
            timestamps=bool(options.get("word_timestamps")) or speech.timestamps,
        ),
        stream_audio=stream_audio,
        granularity=granularity,
        by_word=granularity == NONE and mode == "continuous",
        is_wrapped=is_wrapped,
        ignored=(*ignored, *asked.ignored, *idle),
    )
