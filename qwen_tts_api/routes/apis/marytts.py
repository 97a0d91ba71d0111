"""The MaryTTS-compatible API: `/process`, `/voices` and `/locales`, for Home Assistant and rhasspy.

Parameters are in the query or, with any Content-Type, in the body. Of MaryTTS's parameters,
`INPUT_TEXT`, `INPUT_TYPE`, `VOICE`, `LOCALE` and `AUDIO` have an effect; our other fields are
accepted by their own names. Errors are plain text, which clients display.
"""

from __future__ import annotations

import re
from dataclasses import replace

from flask import Blueprint, Request, Response, request

from qwen_tts_api.audio import FORMATS
from qwen_tts_api.config import Config
from qwen_tts_api.errors import InvalidRequest, TextRequired, TTSError, Unavailable, UnknownFormat
from qwen_tts_api.names import fold, shown
from qwen_tts_api.routes.bodies.body import parse_parameters, read_body
from qwen_tts_api.routes.errors import ErrorBody
from qwen_tts_api.routes.openapi.operations import TEXT, Answer, Operation
from qwen_tts_api.routes.speech import ranges, response
from qwen_tts_api.routes.speech.parameters import ParameterNames, described, first_given
from qwen_tts_api.routes.speech.response import speech_answer
from qwen_tts_api.service.models import list_languages
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.speech import SpeechService

PATHS = ("/process", "/voices", "/locales")

# MaryTTS's names of container formats; `_FILE` or `_STREAM` may follow (rhasspy sends WAVE alone).
# Only formats with a header, from which its clients read the sample rate.
_FORMATS = {
    "WAVE" if name == "wav" else name.upper(): name
    for name, audio_format in FORMATS.items()
    if audio_format.has_header
}

_LISTED_FORMATS = ", ".join(f"{name}_FILE" for name in _FORMATS)

# What the text is, plain unless it is SSML; what is made of it, which is always audio.
_TYPES = {"INPUT_TYPE": ("TEXT", "SSML"), "OUTPUT_TYPE": ("AUDIO",)}

_NAMES = {"text": "INPUT_TEXT", "speaker": "VOICE", "language": "LOCALE", "audio_format": "AUDIO"}

# MaryTTS's spelling of locales; other languages are their ISO 639-1 code.
_LOCALES = {"en": "en_US", "zh": "zh_CN"}

# Language and sex of the published speakers (their list in Qwen3-TTS's README).
_SPEAKERS = {
    "vivian": ("zh_CN", "female"),
    "serena": ("zh_CN", "female"),
    "uncle_fu": ("zh_CN", "male"),
    "dylan": ("zh_CN", "male"),
    "eric": ("zh_CN", "male"),
    "ryan": ("en_US", "male"),
    "aiden": ("en_US", "male"),
    "ono_anna": ("ja", "female"),
    "sohee": ("ko", "female"),
}
_OTHER_SPEAKERS = ("en_US", "NA")


_PARAMETERS = ParameterNames(_NAMES)

MaryParameters = _PARAMETERS.schema(
    "MaryParameters",
    INPUT_TEXT=described("What to say.", required=True),
    INPUT_TYPE=described("`SSML` where the text is that; else it is plain."),
    VOICE=described("A speaker; any unknown one is the default."),
    LOCALE=described("Of the text's language: `de`, `en_US`."),
    AUDIO=described(f"{_LISTED_FORMATS}."),
)


_AUDIO = speech_answer("The audio.", tuple(FORMATS[name].media_type for name in _FORMATS.values()))


_GET = Operation(
    "Speak a text: MaryTTS-compatible",
    tag="marytts",
    query=MaryParameters,
    answers={200: _AUDIO, 206: ranges.PART},
    errors=(TTSError, *ranges.GET_ERRORS),
    error_schema="Sentence",
)

_POST = Operation(
    "Speak a text; the parameters in the body",
    tag="marytts",
    method="POST",
    query=MaryParameters,
    answers={200: _AUDIO},
    errors=(TTSError,),
    error_schema="Sentence",
)


def blueprint(config: Config, service: SpeechService, cache: ranges.ResponseCache) -> Blueprint:
    """Return the routes of the MaryTTS-compatible API."""
    routes = Blueprint("marytts", __name__)

    @routes.route("/process", methods=["GET", "POST"])
    @_GET
    @_POST
    def process() -> Response:
        asked, ignored = _read(_read_parameters(request, config), service)
        if not asked.whole_text and request.method != "HEAD":
            raise TextRequired(
                "INPUT_TEXT is required: the text to speak, in the query or in a body such as "
                "INPUT_TEXT=Hello&LOCALE=en_US."
            )

        def respond(asked: SpeechRequest) -> Response:
            return response.synthesize(service, asked, request, ignored, _NAMES)

        if request.method == "POST":
            return respond(asked)
        return ranges.respond(cache, request, asked, respond)

    @routes.get("/voices")
    @Operation(
        "List the voices: MaryTTS-compatible",
        tag="marytts",
        answers={200: Answer("A line each: name, locale, sex.", TEXT, ["text/plain"])},
        errors=(Unavailable,),
        error_schema="Sentence",
    )
    def voices() -> Response:
        spoken = _locales(service)
        lines = []
        for voice in service.voices.list():
            own, sex = _SPEAKERS.get(fold(voice.id), _OTHER_SPEAKERS)
            # A model may speak only one of the languages that a speaker of this name knows.
            locale = own if own in spoken or not spoken else spoken[0]
            lines.append(f"{voice.id} {locale} {sex}")
        return _plain("\n".join(lines))

    @routes.get("/locales")
    @Operation(
        "List the locales",
        tag="marytts",
        answers={200: Answer("A line each.", TEXT, ["text/plain"])},
        errors=(Unavailable,),
        error_schema="Sentence",
    )
    def locales() -> Response:
        return _plain("\n".join(_locales(service)))

    return routes


def _locales(service: SpeechService) -> list[str]:
    """Return the default model's languages, as MaryTTS spells them."""
    codes = [entry["code"] for entry in list_languages(service.models.card())[1:]]
    return [_LOCALES.get(code, code) for code in codes if code]


def render_error(error: ErrorBody) -> Response:
    """Return the response for an error: a line of plain text."""
    answer = _plain(f"{error.message}\n")
    answer.status_code = error.status
    if error.retry_after_s is not None:
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def _plain(text: str) -> Response:
    return Response(text, mimetype="text/plain")


def _read_parameters(request: Request, config: Config) -> dict[str, str]:
    """Parse the parameters of the query and, with precedence, of the body of a POST.

    Raises:
        InvalidRequest: There are too many.
    """
    body = b""
    if request.method == "POST":
        body = read_body(request, config)
    given = first_given(parse_parameters(body), parse_parameters(request.query_string))
    return {name: value for name, value in given.items() if value}


def _read(given: dict[str, str], service: SpeechService) -> tuple[SpeechRequest, list[str]]:
    """Return the request, and the names of ignored parameters.

    Raises:
        InvalidRequest: A field has the wrong type, or asks for what there is not.
    """
    for name, allowed in _TYPES.items():
        if (kind := given.get(name, allowed[0])).upper() not in allowed:
            listed = " and ".join(allowed)
            raise InvalidRequest(f"Unknown {name} {shown(kind)}; understood: {listed}.")
    # Home Assistant sends MaryTTS's default voice if none is configured.
    unknown_voice = not service.voices.is_taken(given.get("VOICE", ""))
    known = {
        name: value
        for name, value in given.items()
        if name in _PARAMETERS and not (name == "VOICE" and unknown_voice)
    }
    ignored = [name for name in given if name not in known and name not in _TYPES]
    if audio := known.get("AUDIO"):
        known["AUDIO"] = _format(audio)
    asked = _PARAMETERS.read(known)
    is_ssml = asked.ssml or given.get("INPUT_TYPE", "").upper() == "SSML"
    return replace(asked, ssml=is_ssml, lenient=True, silence=True), ignored


def _format(audio: str) -> str:
    """Return our name of a container format."""
    found = _FORMATS.get(re.sub("_(FILE|STREAM)$", "", audio.upper()))
    if found is None:
        raise UnknownFormat(f"Unknown AUDIO {shown(audio)}; allowed are {_LISTED_FORMATS}.")
    return found
