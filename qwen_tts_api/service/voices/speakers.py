"""Names of speakers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.errors import UnknownSpeaker
from qwen_tts_api.names import field, fold, listed, shown


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
