"""Map ElevenLabs' names of voices, models, fields and formats to ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from qwen_tts_api.audio import FORMATS
from qwen_tts_api.errors import UnknownFormat
from qwen_tts_api.names import fold, shown

FIELDS = {
    "speaker": "voice_id",
    "model": "model_id",
    "language": "language_code",
    "ssml": "enable_ssml_parsing",
    "audio_format": "output_format",
    "sample_rate": "output_format",
}
"""Our field -> ElevenLabs' field."""

DIALOGUE_FIELDS = {**FIELDS, "turns": "inputs", "voice_settings": "settings"}
"""Likewise, of a dialogue."""

DEFAULT_OUTPUT = "mp3_44100_128"

# ElevenLabs' word -> our format. Their bitrates are not ours (docs/formats.md).
_FORMATS = {
    "mp3": "mp3",
    "pcm": "pcm",
    "opus": "opus",
    "ulaw": "mulaw",
    "alaw": "alaw",
    "wav": "wav",
}
_OUTPUT = re.compile(rf"({'|'.join(_FORMATS)})_(\d{{4,5}})(?:_\d{{1,3}})?", re.ASCII)

_EXAMPLES = "mp3_44100_128, mp3_22050_32, pcm_24000, wav_24000, opus_48000_64, ulaw_8000, alaw_8000"

# A voice's id in ElevenLabs' cloud.
_CLOUD_VOICE = re.compile(r"[A-Za-z0-9]{20}", re.ASCII)
_CLOUD_MODEL = re.compile(r"eleven_\w{1,60}", re.ASCII)


def find_model(requested: str, served: Collection[str]) -> str:
    """Return our name of a model; empty, the default one, for one of ElevenLabs'."""
    if requested not in served and _CLOUD_MODEL.fullmatch(requested):
        return ""
    return requested


def find_voice(requested: str, is_taken: Callable[[str], bool]) -> str | None:
    """Return our name of a voice; None where it is one of ElevenLabs' cloud.

    Args:
        requested: A speaker, a registered voice or an alias, in any case, or such an id; `default`
            is the default voice, for a path has to name one.
        is_taken: Returns whether a name is a speaker's, a voice's or an alias.
    """
    is_default = fold(requested) == "default"
    if not (is_default or _CLOUD_VOICE.fullmatch(requested)) or is_taken(requested):
        return requested
    return "" if is_default else None


def read_output_format(name: str) -> tuple[str, int | None]:
    """Return our format, and the rate in Hz, of an `output_format`; the name of one of ours, too.

    Raises:
        UnknownFormat: It is neither.
    """
    name = name or DEFAULT_OUTPUT
    if name in FORMATS:
        return name, None
    if found := _OUTPUT.fullmatch(name):
        return _FORMATS[found[1]], int(found[2])
    raise UnknownFormat(
        f"Unknown output_format {shown(name)}; examples are {_EXAMPLES}.",
        fields={"output_format": [f"Must be of the form {DEFAULT_OUTPUT}."]},
    )
