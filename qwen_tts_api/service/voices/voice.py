"""What a request may name as its speaker: a model's own, or a registered voice."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.errors import InvalidRequest, UnknownSpeaker
from qwen_tts_api.names import MAX_COMPOSED_CHARS, field, fold, listed, shown

MAX_NAME_CHARS = 100
MAX_ID_CHARS = 64


@dataclass(frozen=True)
class Voice:
    """A speaker of a model, or a registered voice.

    Attributes:
        id: What requests name.
        name: What people read.
        kind: `speaker` or `registered`. All that follows but `dialect` is of registered ones.
        dialect: Of a speaker that has one.
        created_at: Seconds since 1970.
        source: `upload`, or `design` where a VoiceDesign model made the recording.
        ref_text: What is said in the recording; empty: only the speaker's embedding is taken.
        consent: What the uploader said about the speaker's consent, kept as it is.
        duration_s: Length of the recording.
        digest: SHA-256 of its samples.
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
    """Return a name for a voice without surrounding white space.

    Raises:
        InvalidRequest: It is empty, too long, or has nothing in it that could be written in an id.
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
    """Return the id of a voice's name: always the same, and never a path.

    Accents go; where letters of other scripts would go with them, a hash of the name is appended,
    so that two names in Chinese are two ids. An id's id is itself.

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


def display_name(speaker: str) -> str:
    """Return a speaker's name as it is published: as the checkpoint has it, if that has capitals.

    >>> display_name("uncle_fu"), display_name("Test_man")
    ('Uncle_Fu', 'Test_man')
    """
    return speaker.title() if speaker == speaker.lower() else speaker


def find_speaker(requested: str, card: ModelCard, aliases: Mapping[str, str]) -> str | None:
    """Return the model's name of a speaker given by name or alias in any case, or None."""
    name = fold(requested)
    name = fold(aliases.get(name, name))
    return next((speaker for speaker in card.speakers if fold(speaker) == name), None)


def default_speaker(configured: str, card: ModelCard, aliases: Mapping[str, str]) -> str:
    """Return the configured speaker, or the model's first one where the model lacks it."""
    return find_speaker(configured, card, aliases) or card.speakers[0]


def unknown_speaker(requested: str, known: Sequence[str]) -> UnknownSpeaker:
    """Return the error that names what may be asked for."""
    if not known:
        return UnknownSpeaker(
            f"Unknown speaker {shown(requested)}: no voice is registered yet. Register one, "
            f"or send the recording of a voice in {field('ref_audio')}.",
            fields={"speaker": ["There is none yet."]},
        )
    allowed = listed(known)
    return UnknownSpeaker(
        f"Unknown speaker {shown(requested)}; allowed are {allowed}.",
        fields={"speaker": [f"Must be one of: {allowed}."]},
    )
