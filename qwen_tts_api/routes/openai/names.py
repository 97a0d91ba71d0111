"""OpenAI's names of voices, models and fields, and what they mean here."""

from __future__ import annotations

from collections.abc import Collection

from qwen_tts_api.names import fold

# OpenAI's voices, of speech-2 and before (openai-python 3.54, `SpeechCreateParams`), each with the
# nearest published speaker: in sex and tone, and with no dialect, since nobody who says "echo"
# expects Chinese from Chengdu. They mean nothing where the model has no such speaker.
VOICES = {
    "alloy": "ryan",
    "ash": "aiden",
    "ballad": "ryan",
    "cedar": "uncle_fu",
    "coral": "sohee",
    "echo": "aiden",
    "fable": "ryan",
    "marin": "serena",
    "nova": "vivian",
    "onyx": "uncle_fu",
    "sage": "serena",
    "shimmer": "ono_anna",
    "verse": "aiden",
}

DEFAULT_VOICE = "default"

# What clients send that were written for OpenAI; each means the default model.
MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15")

# Our names of the fields that OpenAI calls otherwise.
FIELDS = {
    "text": "input",
    "speaker": "voice",
    "instruct": "instructions",
    "audio_format": "response_format",
}

# And of those of a new voice.
VOICE_FIELDS = {
    "audio": "audio_sample",
    "ref_audio": "audio_sample",
    "instruct": "prompt",
    "text": "script_hint",
}


def find_model(requested: str, served: Collection[str]) -> str:
    """Return the name of a model for the service; empty, its default, for a name of OpenAI's."""
    return "" if requested in MODELS and requested not in served else requested


def find_voice(requested: str, taken: Collection[str]) -> str | None:
    """Return the name of a speaker for the service; None where OpenAI's name means nobody.

    Args:
        requested: In any case; `default` is the default voice, for clients that must name one.
        taken: Names, as `names.fold` has them, that are speakers, voices or aliases: they win over
            OpenAI's.
    """
    name = fold(requested)
    if name in taken:
        return requested
    if name == DEFAULT_VOICE:
        return ""
    speaker = VOICES.get(name, requested)
    return None if name in VOICES and speaker not in taken else speaker
