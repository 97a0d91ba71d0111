"""How a request wants its audio: format, rate and speed."""

from __future__ import annotations

import difflib
import re

from qwen_tts_api.audio import DEFAULT_FORMAT, FORMATS, AudioFormat
from qwen_tts_api.audio.encoders import Output
from qwen_tts_api.audio.formats import named_by
from qwen_tts_api.audio.rates import FASTEST, SLOWEST
from qwen_tts_api.errors import InvalidRequest, UnknownFormat
from qwen_tts_api.names import MAX_SHOWN_CHARS, shown
from qwen_tts_api.service.request import SpeechRequest

_AAC = {"aac", "adts", "m4a", "m4b", "mp4", "mp4a"}


def choose_output(request: SpeechRequest) -> Output:
    """Return how a request wants its audio.

    Raises:
        UnknownFormat: There is no such format.
        InvalidRequest: The format cannot have the rate, or the speed is out of range.
    """
    audio_format = _format(request.audio_format)
    rate_hz = _rate(request.sample_rate_hz, audio_format)
    speed = 1.0 if request.speed is None else request.speed
    if not SLOWEST <= speed <= FASTEST:
        raise InvalidRequest(
            f"'speed' is {speed:g}; allowed are {SLOWEST:g} to {FASTEST:g}.",
            fields={"speed": [f"Must be {SLOWEST:g} to {FASTEST:g}."]},
        )
    return Output(audio_format, rate_hz, speed)


def _format(name: str) -> AudioFormat:
    wanted = name.strip().lower() or DEFAULT_FORMAT
    if wanted in FORMATS:
        return FORMATS[wanted]
    allowed = ", ".join(FORMATS)
    wanted = wanted[:MAX_SHOWN_CHARS]  # comparing takes as long as the name is
    words = set(re.findall(r"[a-z0-9]+", wanted))
    by_words = named_by(words)
    similar = difflib.get_close_matches(wanted, FORMATS, n=1)
    meant = [by_words.name] if by_words else similar
    sentence = f"Unknown audio format {shown(name)}"
    if words & _AAC:
        sentence = "AAC is not made here; use mp3 or opus instead"
    elif meant:
        sentence += f": did you mean {meant[0]!r}?"
    sentence += f"{'' if sentence.endswith('?') else ';'} allowed are {allowed}."
    raise UnknownFormat(sentence, fields={"audio_format": [f"Must be one of: {allowed}."]})


def _rate(rate_hz: int | None, audio_format: AudioFormat) -> int:
    """Return the rate that is asked for, else the format's default."""
    if rate_hz is None:
        return audio_format.default_rate_hz
    if rate_hz in audio_format.sample_rates_hz:
        return rate_hz
    allowed = ", ".join(map(str, audio_format.sample_rates_hz))
    raise InvalidRequest(
        f"'sample_rate' is {rate_hz}; allowed for {audio_format.name} are {allowed} (Hz).",
        fields={"sample_rate": [f"Must be one of: {allowed}."]},
    )
