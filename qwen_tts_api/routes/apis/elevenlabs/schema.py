"""The body of `/v1/text-to-speech/{voice_id}`: ElevenLabs' fields, and ours, at the top level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load

from qwen_tts_api.audio.rates import FASTEST, SLOWEST
from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.routes.apis.elevenlabs.names import DIALOGUE_FIELDS, FIELDS
from qwen_tts_api.routes.speech.field_types import Switch, choice, live_mode, number
from qwen_tts_api.routes.speech.schema import SpeechSchema
from qwen_tts_api.routes.speech.turns_field import TurnsField
from qwen_tts_api.service.request import FULL, SpeechRequest

NO_EFFECT = (
    *("previous_text", "next_text", "previous_request_ids", "next_request_ids"),
    *("pronunciation_dictionary_locators", "use_pvc_as_ivc"),
    *("apply_language_text_normalization", "future_text", "audio_effects"),
)
"""Fields that are taken and do nothing here."""

NORMALIZE: dict[str, bool | str | None] = {"auto": None, "on": FULL, "off": False}
"""What `apply_text_normalization` means here."""

_SPEED = number(SLOWEST, FASTEST, "2 is twice as fast, at the same pitch.")


def read_speed(settings: Any) -> float | None:
    """Return the one of a voice's settings that has an effect.

    Raises:
        InvalidRequest: It is no number in its range, or the settings are no object.
    """
    try:
        if not isinstance(settings, dict):
            raise ValidationError("Not a valid mapping type.")
        _check_speed(settings)
    except ValidationError as error:
        sentence = str(error.messages[0])
        raise InvalidRequest(
            f"'voice_settings': {sentence}", fields={"voice_settings": [sentence]}
        ) from None
    speed: float | None = settings.get("speed")
    return speed


def _check_speed(settings: dict[str, Any]) -> None:
    try:
        _SPEED.deserialize(settings.get("speed"))
    except ValidationError as error:
        raise ValidationError(f"speed: {error.messages[0]}") from None


class OutputQuery(Schema):
    """Parameters of the query."""

    class Meta:
        """Others are ignored."""

        unknown = EXCLUDE

    output_format = fields.String(
        metadata={
            "description": "Format, rate in Hz and, without effect, bitrate: `mp3_44100_128`, "
            "`pcm_24000`; or the name of a format of `/api/tts`."
        }
    )


@dataclass(frozen=True)
class ElevenLabsRequest:
    """A request for speech to the ElevenLabs-compatible API.

    Attributes:
        speech: The request in our terms, but for the names of the model; without voice and format.
        ignored: Names of fields without effect.
    """

    speech: SpeechRequest
    ignored: tuple[str, ...]


class ElevenLabsSpeechSchema(SpeechSchema):
    """The fields of `/api/tts` that are not in the path or query, three renamed, and others."""

    class Meta(SpeechSchema.Meta):
        """Voice and format are elsewhere."""

        exclude: tuple[str, ...] = ("speaker", "audio_format", "sample_rate", "stream")

    settings_name: ClassVar = "voice_settings"

    model = fields.String(
        allow_none=True,
        data_key=FIELDS["model"],
        metadata={"description": "One of the served models; ElevenLabs' mean the default one."},
    )
    language = fields.String(
        allow_none=True,
        data_key=FIELDS["language"],
        metadata={"description": "Of the text: `de`; `QWEN_DEFAULT_LANGUAGE` if empty."},
    )
    ssml = Switch(
        allow_none=True,
        data_key=FIELDS["ssml"],
        metadata={
            "description": "Whether `text` is SSML (docs/ssml.md); `<break>` counts without it."
        },
    )
    voice_settings = fields.Dict(
        allow_none=True,
        validate=_check_speed,
        metadata={
            "description": "`speed` is honoured; `stability`, `similarity_boost`, `style` and "
            "`use_speaker_boost` are ignored."
        },
    )

    apply_text_normalization = choice(
        "`on`: as `normalize` `full`; `off`: as `false`; `auto`: `QWEN_NORMALIZE_TEXT`.",
        *NORMALIZE,
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> ElevenLabsRequest:
        given = {name: value for name, value in data.items() if value is not None}
        settings: dict[str, Any] = given.pop("voice_settings", {})
        ignored = []
        if word := given.pop("apply_text_normalization", ""):
            if "normalize" in given:
                ignored.append("apply_text_normalization")
            given.setdefault("normalize", NORMALIZE[word])
        if (speed := settings.get("speed")) is None or "speed" not in given:
            settings.pop("speed", None)
            given.setdefault("speed", speed)
        ignored += [f"{self.settings_name}.{name}" for name in settings]
        return ElevenLabsRequest(SpeechRequest(**given), tuple(ignored))


class AddressSchema(ElevenLabsSpeechSchema):
    """The query parameters of a socket, which are for all its texts."""

    class Meta(ElevenLabsSpeechSchema.Meta):
        """Not what is a text's, or of texts that are there as a whole."""

        exclude = (
            *ElevenLabsSpeechSchema.Meta.exclude,
            *("text", "turns", "ssml", "speaker_marks", "timestamps", "voice_settings"),
            *("ref_audio", "ref_text", "x_vector_only_mode"),
        )

    live_mode = live_mode()


class DialogueSchema(ElevenLabsSpeechSchema):
    """The body of `/v1/text-to-dialogue`: the texts of several voices."""

    class Meta(ElevenLabsSpeechSchema.Meta):
        """Of forms of a text there is this one."""

        exclude = (*ElevenLabsSpeechSchema.Meta.exclude, "text", "ssml", "speaker_marks")

    settings_name: ClassVar = DIALOGUE_FIELDS["voice_settings"]

    turns = TurnsField(
        {"text": "text", "speaker": FIELDS["speaker"]},
        required=("text", "speaker"),
        description="What several voices say, one after the other.",
        data_key=DIALOGUE_FIELDS["turns"],
    )
    voice_settings = fields.Dict(
        allow_none=True,
        validate=_check_speed,
        data_key=DIALOGUE_FIELDS["voice_settings"],
        metadata={"description": "`speed` is honoured, others are ignored."},
    )
