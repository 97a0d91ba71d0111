"""Map OpenAI's names of voices, models and fields to ours."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from qwen_tts_api.names import fold

# OpenAI's voices, of speech-2 and before (openai-python 3.54, `SpeechCreateParams`), each with the
# published speaker that is nearest in sex and tone; never one with a dialect. Without effect where
# the model has no such speaker.
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

# OpenAI's models, which clients send by default; each means the default model.
MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15")

# Our field -> OpenAI's field.
FIELDS = {
    "text": "input",
    "speaker": "voice",
    "instruct": "instructions",
    "audio_format": "response_format",
}

# The same for a new voice.
VOICE_FIELDS = {
    "audio": "audio_sample",
    "ref_audio": "audio_sample",
    "instruct": "prompt",
    "text": "script_hint",
}


def take_speaker(fields: dict[str, Any]) -> list[str]:
    """Accept `speaker` for `voice`, as in vLLM-Omni; return it as ignored if `voice` differs.

    Args:
        fields: Of a request; changed.
    """
    speaker = fields.pop("speaker", None)
    if speaker is None:
        return []
    if fields.get("voice") is None:
        fields["voice"] = speaker
    return [] if fields["voice"] == speaker else ["speaker"]


def find_model(requested: str, served: Collection[str]) -> str:
    """Return our name of a model; empty, the default model, for one of OpenAI's."""
    return "" if requested in MODELS and requested not in served else requested


def find_voice(requested: str, is_taken: Callable[[str], bool]) -> str | None:
    """Return our name of a voice; None if it is one of OpenAI's without a counterpart.

    Args:
        requested: The name, in any case. `default` is the default voice, for clients that must name
            one.
        is_taken: Returns whether a name is a speaker's, a voice's or an alias, which take
            precedence over OpenAI's.
    """
    name = fold(requested)
    if name not in (*VOICES, DEFAULT_VOICE) or is_taken(requested):
        return requested
    if name == DEFAULT_VOICE:
        return ""
    return VOICES[name] if is_taken(VOICES[name]) else None
