"""The fields of a request for speech, checked for type and presence; meaning is the service's."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, post_load

from qwen_tts_api.audio import DEFAULT_FORMAT, FORMATS, SAMPLE_RATES_HZ
from qwen_tts_api.audio.rates import FASTEST, SLOWEST
from qwen_tts_api.config.model_settings import MAX_INSTRUCT_CHARS
from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, SamplingParams
from qwen_tts_api.names import MAX_SHOWN_CHARS, shown
from qwen_tts_api.routes.bodies.audio_field import AudioField
from qwen_tts_api.routes.speech.field_types import (
    Switch,
    WholeNumber,
    integer,
    number,
    seed,
    string,
    switch,
)
from qwen_tts_api.routes.speech.turns_field import TurnsField
from qwen_tts_api.routes.speech.word_fields import NormalizeField, PronunciationsField
from qwen_tts_api.service.request import SpeechRequest

SAMPLING_DEFAULTS = SamplingParams()
"""What holds where a request says nothing."""
MAX_EXPLAINED = 5
"""How many fields an error names."""

# What other APIs call our fields.
_SYNONYMS = {
    **dict.fromkeys(("input", "input_text"), "text"),
    **dict.fromkeys(("voice", "voice_id", "voice_name", "speaker_id", "speaker_name"), "speaker"),
    **dict.fromkeys(("pauses", "pause"), "pause_marks"),
    **dict.fromkeys(("dialogue", "dialog", "speakers"), "turns"),
    **dict.fromkeys(("instructions", "instruction"), "instruct"),
    **dict.fromkeys(("format", "output_format", "response_format", "encoding"), "audio_format"),
}

# How much a name must be like a field's, by difflib, to be hinted at, and to be taken for it:
# "presence_penalty" is no misspelled "repetition_penalty" (0.71), "streaming" is "stream" (0.8).
_SIMILAR, _TYPO = 0.6, 0.8


class SpeechSchema(Schema):
    """JSON and form fields of `/api/tts`. Empty and null mean the default."""

    class Meta:
        """Refuses unknown fields."""

        unknown = RAISE

    # That it is required is the service's to say.
    text = string("What to say, up to `QWEN_MAX_TEXT_CHARS` characters.")
    turns = TurnsField(allow_none=True)
    ssml = switch("Whether `text` is SSML: see docs/ssml.md.")
    pause_marks = switch(
        "Whether `[pause 1.5s]` in the text is a pause; `QWEN_PAUSE_MARKS` if null."
    )
    speaker_marks = switch("Whether lines of `text` may begin with a speaker: `[Ryan] Hello.`.")
    language = string(
        "A name or code: `German`, `de`, `de-DE`; `Auto` lets the model decide; "
        "`QWEN_DEFAULT_LANGUAGE` if empty."
    )
    speaker = string(
        "A speaker of the model, in any case (CustomVoice); a registered voice (Base); "
        "`QWEN_DEFAULT_SPEAKER` if empty."
    )
    instruct = string(
        "How to say it (CustomVoice 1.7B); the voice itself, described (VoiceDesign). Up to "
        f"{MAX_INSTRUCT_CHARS} characters; `QWEN_DEFAULT_INSTRUCT` if empty."
    )
    ref_audio = AudioField(
        allow_none=True,
        metadata={
            "description": "A recording whose voice is cloned (Base): base64, a data URL, or a "
            "file of a multipart form."
        },
    )
    ref_text = string("The transcript of the recording.")
    x_vector_only_mode = Switch(
        allow_none=True,
        metadata={"description": "Whether only the speaker embedding is used, without `ref_text`."},
    )
    model = string("One of the served models; `QWEN_MODEL_ID` if empty.")
    audio_format = string(f"One of {', '.join(FORMATS)}; {DEFAULT_FORMAT} if empty.")
    sample_rate = WholeNumber(
        allow_none=True,
        strict=True,
        attribute="sample_rate_hz",
        metadata={
            "description": f"One of {', '.join(map(str, SAMPLE_RATES_HZ))} Hz, as far as the "
            f"format has it; {SAMPLE_RATE_HZ} if null, which is the model's own."
        },
    )
    speed = number(SLOWEST, FASTEST, "2 is twice as fast, at the same pitch; 1 if null.")
    stream = Switch(
        allow_none=True, metadata={"description": "Whether the audio is sent as it is made."}
    )
    timestamps = Switch(
        allow_none=True,
        metadata={
            "description": "Whether the answer is JSON, in which the audio is and when each "
            "segment and word is heard."
        },
    )
    seed = seed(
        "The same request and seed give the same audio, whatever else runs. Or its digits as a "
        "string: JavaScript changes numbers above 2^53. Random if null."
    )
    normalize = NormalizeField(
        "Whether markup, emoji and the like are removed from the text; `full`: numbers, dates, "
        "units, abbreviations and signs become words, too; `QWEN_NORMALIZE_TEXT` if null."
    )
    pronunciations = PronunciationsField(
        'Words and how they are spelled for the model: `{"nginx": "engine ex"}`; before those of '
        "`QWEN_PRONUNCIATIONS`."
    )
    non_streaming_mode = Switch(
        allow_none=True,
        metadata={
            "description": "Whether all text of a segment is heard before its first frame, or a "
            "token in each frame; if null `true`, and for clones `QWEN_NON_STREAMING_MODE`."
        },
    )
    max_new_tokens = integer(
        2,
        8192,
        "Frames of 80 ms, of which at most one less is made of each segment; by the text if null.",
    )
    temperature = number(
        0, 10, f"0 always takes the likeliest code; {SAMPLING_DEFAULTS.temperature:g} if null."
    )
    top_k = integer(
        0, 3072, f"How many codes to choose from, 0 is all; {SAMPLING_DEFAULTS.top_k} if null."
    )
    top_p = number(
        0,
        1,
        f"How much probability to choose from; {SAMPLING_DEFAULTS.top_p:g} if null.",
        min_inclusive=False,
    )
    repetition_penalty = number(
        0.1, 10, f"1 is none; {SAMPLING_DEFAULTS.repetition_penalty:g} if null."
    )
    subtalker_temperature = number(
        0,
        10,
        f"Of the other 15 codes of a frame; {SAMPLING_DEFAULTS.subtalker_temperature:g} if null.",
    )
    subtalker_top_k = integer(
        0, 3072, f"Of the other 15 codes of a frame; {SAMPLING_DEFAULTS.subtalker_top_k} if null."
    )
    subtalker_top_p = number(
        0,
        1,
        f"Of the other 15 codes of a frame; {SAMPLING_DEFAULTS.subtalker_top_p:g} if null.",
        min_inclusive=False,
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> SpeechRequest:
        return SpeechRequest(**{name: value for name, value in data.items() if value is not None})


def has_text(name: str) -> dict[str, Any]:
    """Return what the document says of a body that needs a text, by its name, or turns."""
    return {"anyOf": [{"required": [name]}, {"required": ["turns"]}]}


SPEECH = SpeechSchema()
"""What checks every request. Built once: each new one copies its fields, for 0.5 ms."""


def load_speech_request(document: Mapping[str, Any]) -> SpeechRequest:
    """Return the request that values by the names of our fields describe.

    Raises:
        InvalidRequest: A field is unknown or has the wrong type.
    """
    request: SpeechRequest = load(SPEECH, document)
    return request


def load(schema: Schema, document: Mapping[str, Any]) -> Any:
    """Return what a schema makes of a JSON object or a form.

    Raises:
        InvalidRequest: The schema refuses it.
    """
    try:
        given = frozenset(_given(schema, document))
        return _given_part(type(schema), given, schema.unknown).load(document)
    except ValidationError as error:
        raise _explain(error.messages_dict, schema, list(document)) from None


def _given(schema: Schema, document: Mapping[str, Any]) -> Iterator[str]:
    """Yield our names of the fields that a document has, and of those that it must have."""
    for name, field in schema.fields.items():
        if field.required or (field.data_key or name) in document:
            yield name


@functools.lru_cache(maxsize=64)
def _given_part(kind: type[Schema], given: frozenset[str], unknown: Any) -> Schema:
    """Return a schema of the fields that are given: a missing one takes as long as a given one.

    A client sends the same fields every time.
    """
    return kind(only=given, unknown=unknown)


def ignored_fields(schema: Schema, document: Mapping[str, Any]) -> list[str]:
    """Return the unknown names that are ignored.

    One that resembles a field, or is a synonym of one, is refused instead: it is probably a typo.
    """
    known = _names(schema)
    return [
        name
        for name, value in document.items()
        if name not in known.values() and (value in (None, "") or not _meant(name, known, _TYPO))
    ]


def _explain(messages: dict[str, list[str]], schema: Schema, order: list[str]) -> InvalidRequest:
    """Return the error that says what is wrong with the first few fields, known ones before all."""
    known = _names(schema)
    names = sorted(
        messages,
        key=lambda name: (name not in known.values(), order.index(name) if name in order else -1),
    )
    explained = [(name, messages[name]) for name in names[:MAX_EXPLAINED]]
    sentences = [
        f"{name}: {texts[0]}" if name in known.values() else _unknown_field(name, known)
        for name, texts in explained
    ]
    if len(messages) > MAX_EXPLAINED:
        sentences.append(f"So are {len(messages) - MAX_EXPLAINED} more.")
    return InvalidRequest(
        " ".join(sentences), fields={name[:MAX_SHOWN_CHARS]: texts for name, texts in explained}
    )


def _names(schema: Schema) -> dict[str, str]:
    """Map our names of the fields to those of the schema's API."""
    return {name: field.data_key or name for name, field in schema.fields.items()}


def _unknown_field(name: str, known: dict[str, str]) -> str:
    """Return a hint at the field that is probably meant."""
    meant = _meant(name, known, _SIMILAR)
    hint = f"did you mean {meant!r}?" if meant else f"known are {', '.join(known.values())}."
    return f"Unknown field {shown(name)}: {hint}"


def _meant(name: str, known: dict[str, str], similarity: float) -> str:
    """Return the field that a synonym or a typo means; empty if there is none."""
    if len(name) > MAX_SHOWN_CHARS:  # comparing takes as long as the names are
        return ""
    ours = _SYNONYMS.get(name, name)
    similar = difflib.get_close_matches(name, known.values(), n=1, cutoff=similarity)
    return known.get(ours) or next(iter(similar), "")
