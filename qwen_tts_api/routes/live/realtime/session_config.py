"""The session of Qwen-TTS-Realtime: what `session.update` may set, and what it means here."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import fields, post_load, validate

from qwen_tts_api.audio import SAMPLE_RATES_HZ
from qwen_tts_api.errors import NotSupported, UnknownModel
from qwen_tts_api.names import shown
from qwen_tts_api.routes.speech import field_types
from qwen_tts_api.routes.speech.field_types import Switch, WholeNumber, integer, number, string
from qwen_tts_api.routes.speech.schema import SpeechSchema, load
from qwen_tts_api.routes.speech.word_fields import NormalizeField
from qwen_tts_api.service.models import ServedModels
from qwen_tts_api.service.request import FULL, SpeechRequest

SERVER_COMMIT, COMMIT = "server_commit", "commit"

FIELDS = {
    "speaker": "voice",
    "language": "language_type",
    "audio_format": "response_format",
    "sample_rate": "sample_rate",
    "speed": "speech_rate",
    "instruct": "instructions",
}
"""Our fields by DashScope's names."""

DEFAULTS: dict[str, Any] = {
    "voice": "",
    "mode": SERVER_COMMIT,
    "language_type": "Auto",
    "response_format": "pcm",
    "sample_rate": 24_000,
    "speech_rate": 1.0,
    "volume": 50,
    "pitch_rate": 1.0,
}
"""Of a session that nobody has updated; without `voice`, the default speaker speaks."""

_NO_EFFECT = ("bit_rate", "optimize_instructions")
"""Fields that are taken and do nothing here."""

_CLOUD_MODEL = re.compile(r"qwen3?-tts(-instruct)?(-flash)?(-(?P<kind>vc|vd))?-realtime(-\d.*)?")
_KINDS = {"vc": "base", "vd": "voice_design", None: ""}


class SessionSchema(SpeechSchema):
    """The fields of `session` in `session.update`: DashScope's, and ours beside them."""

    class Meta:
        """What DashScope calls otherwise, and what is not a session's."""

        exclude = (
            *("text", "model", "stream", "timestamps", "normalize", "ref_audio", "ref_text"),
            *("x_vector_only_mode", *(name for name, other in FIELDS.items() if name != other)),
        )

    voice = string("A speaker or a registered voice.")
    mode = fields.String(validate=validate.OneOf([SERVER_COMMIT, COMMIT]), allow_none=True)
    language_type = string("A language's name or code.")
    response_format = fields.String(
        validate=validate.OneOf(["pcm", "wav", "mp3", "opus"]), allow_none=True
    )
    sample_rate = WholeNumber(
        strict=True, validate=validate.OneOf(SAMPLE_RATES_HZ), allow_none=True
    )
    speech_rate = number(0.5, 2, "2 is twice as fast.")
    volume = integer(0, 100, "50.")
    pitch_rate = number(0.5, 2, "1.")
    bit_rate = integer(6, 510, "Accepted and of no effect.")
    enable_tn = NormalizeField("`true`: as `normalize` `full`.")
    instructions = string("How to say it.")
    optimize_instructions = Switch(allow_none=True)
    live_mode = field_types.live_mode()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value is not None}


_OURS = tuple(sorted({*SpeechSchema().fields, "live_mode"} & {*SessionSchema().fields} - {*FIELDS}))
"""The session's fields that a request has by the same name."""


_SESSION = SessionSchema()


def read_session(document: dict[str, Any], *, strict: bool) -> tuple[dict[str, Any], list[str]]:
    """Return the fields that an update sets, and the names of those without effect.

    Args:
        document: The update's `session`.
        strict: Whether fields that are unknown are refused, and not ignored.

    Raises:
        InvalidRequest: A field has a wrong value, or one that is not supported.
    """
    ignored = [] if strict else [name for name in document if name not in _SESSION.fields]
    known = {name: value for name, value in document.items() if name not in ignored}
    given: dict[str, Any] = load(_SESSION, known)
    for name in ("volume", "pitch_rate"):
        if given.get(name, DEFAULTS[name]) != DEFAULTS[name]:
            raise NotSupported(
                f"{name!r} can only be {DEFAULTS[name]:g}: change it where the audio is played.",
                fields={name: ["Not supported."]},
            )
    return given, [*(name for name in _NO_EFFECT if given.get(name) is not None), *ignored]


_NORMALIZE: dict[Any, bool | str | None] = {None: None, True: FULL, FULL: FULL, False: False}
"""What `enable_tn` means here."""


def speech_request(session: dict[str, Any], model: str) -> SpeechRequest:
    """Return what a session asks for, without a text."""
    return SpeechRequest(
        model=model,
        speaker=session["voice"],
        language=session["language_type"],
        instruct=session.get("instructions", ""),
        audio_format=session["response_format"],
        sample_rate_hz=session["sample_rate"],
        speed=session["speech_rate"],
        normalize=_NORMALIZE[session.get("enable_tn")],
        stream=True,
        lenient=True,
        silence=True,
        **{name: session[name] for name in _OURS if name in session},
    )


def find_model(requested: str, models: ServedModels) -> str:
    """Return our name of a model; for one of the cloud's, a served one of its kind or the default.

    Raises:
        UnknownModel: It is neither.
    """
    if not requested or requested in models.names:
        return requested
    cloud = _CLOUD_MODEL.fullmatch(requested)
    if cloud is None:
        raise UnknownModel(
            f"The model {shown(requested)} is not served; there is {', '.join(models.names)}.",
            fields={"model": ["Unknown."]},
        )
    kind = _KINDS[cloud["kind"]]
    return (models.first_of_kind(kind) or "") if kind else ""
