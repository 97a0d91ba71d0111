"""What a client asks for and what it gets, in no dialect of HTTP."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SpeechRequest:
    """One request for speech. An empty string means: the default.

    Only the text has none.

    Attributes:
        text: What to say.
        language: A language's name or code, or `Auto`.
        speaker: A speaker's name or alias.
        instruct: How to say it, or, for a VoiceDesign model, the voice.
        model: One of the served models.
        audio_format: One of `audio.FORMATS`.
        seed: Seed of the random draws; None draws one.
    """

    text: str = ""
    language: str = ""
    speaker: str = ""
    instruct: str = ""
    model: str = ""
    audio_format: str = ""
    seed: int | None = None


@dataclass(frozen=True)
class Speech:
    """A whole audio file, and how it came about.

    Attributes:
        data: The file's bytes.
        media_type: Its `Content-Type`.
        duration_s: Length of the audio in seconds.
        queue_s: Seconds that the request waited for the model.
        model_s: Seconds that the model computed.
        encode_s: Seconds that the encoder took.
        model: Name of the model.
        seed: Seed of the random draws.
        finish_reason: `stop`, or `length` where the frame budget ended it.
    """

    data: bytes
    media_type: str
    duration_s: float
    queue_s: float
    model_s: float
    encode_s: float
    model: str
    seed: int
    finish_reason: str
