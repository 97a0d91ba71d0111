"""Voices: the speakers of a model and registered voices; their names and ids."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from qwen_tts_api.errors import InvalidRequest, UnknownSpeaker
from qwen_tts_api.names import MAX_COMPOSED_CHARS, listed, shown

MAX_NAME_CHARS = 100
MAX_ID_CHARS = 64


@dataclass(frozen=True)
class Voice:
    """A speaker of a model, or a registered voice.

    Attributes:
        id: The value of `speaker` in requests.
        name: The display name.
        kind: `speaker` or `registered`. The attributes below, except `dialect`, are for registered
            voices only.
        dialect: Of a speaker that has one.
        created_at: Unix time in seconds.
        source: `upload`, or `design` if a VoiceDesign model made the recording.
        ref_text: Transcript of the recording; if empty, only the speaker embedding is used.
        consent: The uploader's note on the speaker's consent, unchanged.
        duration_s: Duration of the recording.
        digest: SHA-256 of the samples.
    """

    id: str
    name: str
    kind: str = "registered"
    dialect: str = ""
    created_at: int = 0
    source: str = ""
    ref_text: str = ""
    consent: str = ""
    duration_s: float = 0.0
    digest: str = ""


def check_name(name: str) -> str:
    """Validate the name of a voice; return it in NFC, without surrounding white space.

    Raises:
        InvalidRequest: It is empty, too long, not printable, or has neither letter nor digit.
    """
    name = name.strip()
    if len(name) <= MAX_COMPOSED_CHARS:
        name = unicodedata.normalize("NFC", name).strip()
    if not name or len(name) > MAX_NAME_CHARS:
        raise InvalidRequest(
            f"'name' has {len(name)} characters; allowed are 1 to {MAX_NAME_CHARS}.",
            fields={"name": [f"Must have 1 to {MAX_NAME_CHARS} characters."]},
        )
    if not name.isprintable() or not any(char.isalnum() for char in name):
        raise InvalidRequest(
            f"'name' is {shown(name)}: it needs a letter or digit, and no control characters.",
            fields={"name": ["Needs a letter or digit, and no control characters."]},
        )
    return name


def voice_id(name: str) -> str:
    """Derive a voice's id from its name: a slug of ASCII letters and digits, safe as a file name.

    Accents are removed. Where other characters are lost, a hash of the name is appended, so that
    two names in Chinese have two ids. The id of an id is itself.

    >>> voice_id("Anna Müller")
    'anna-muller'
    >>> voice_id("小明")
    'voice-64ecd41a'
    """
    folded = unicodedata.normalize("NFKD", name.strip()).casefold()
    kept = folded.encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9_]+", "-", kept).strip("-_")
    lost = any(char.isalnum() and not char.isascii() for char in folded)
    if not lost and len(slug) <= MAX_ID_CHARS:
        return slug
    digest = hashlib.sha256(folded.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{slug[: MAX_ID_CHARS - 9].strip('-_') or 'voice'}-{digest}"


def unknown_speaker(requested: str, known: Sequence[str]) -> UnknownSpeaker:
    """Return the error for an unknown speaker, with the known ones listed."""
    if not known:
        return UnknownSpeaker(
            lambda field: (
                f"Unknown speaker {shown(requested)}: no voice is registered yet. Register one, "
                f"or send the recording of a voice in {field('ref_audio')}."
            ),
            fields={"speaker": ["There is none yet."]},
        )
    allowed = listed(known)
    return UnknownSpeaker(
        f"Unknown speaker {shown(requested)}; allowed are {allowed}.",
        fields={"speaker": [f"Must be one of: {allowed}."]},
    )
