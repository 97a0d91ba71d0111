"""What the served models can do: their names, cards and languages."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.engine.pool import ModelPool
from qwen_tts_api.errors import ModelUnavailable, UnknownLanguage, UnknownModel
from qwen_tts_api.model.utterance import Reference
from qwen_tts_api.names import fold, listed, shown

AUTO = "auto"

# ISO 639-1 codes of the languages that published checkpoints speak.
CODES = {
    "zh": "chinese",
    "en": "english",
    "fr": "french",
    "de": "german",
    "it": "italian",
    "ja": "japanese",
    "ko": "korean",
    "pt": "portuguese",
    "ru": "russian",
    "es": "spanish",
}
_CODE_OF = {name: code for code, name in CODES.items()}

MODEL_STATES = ("ready", "loading", "not loaded", "idle", "failed")


@dataclass(frozen=True)
class ServedModel:
    """A model that requests may name.

    Attributes:
        name: Its name.
        state: One of MODEL_STATES.
        card: What it can do; None while its checkpoint cannot be read.
    """

    name: str
    state: str
    card: ModelCard | None


class ServedModels:
    """The served models by the names that requests use, loaded or not.

    Attributes:
        names: Of all of them, the default one first.
        default: The name of the one that is used where a request names none.
    """

    def __init__(self, pool: ModelPool) -> None:
        self._pool = pool
        self.names = pool.names
        self.default = pool.names[0]

    def list(self) -> Sequence[ServedModel]:
        """Return the served models, the default one first."""
        states = self._pool.status().models
        return [ServedModel(name, state, self._find_card(name)) for name, state in states.items()]

    def name(self, requested: str) -> str:
        """Return the name of the model that a request means; an empty one is the default.

        Raises:
            UnknownModel: It is not served.
        """
        if not requested:
            return self.default
        if requested not in self.names:
            allowed = listed(self.names)
            raise UnknownModel(
                f"Unknown model {shown(requested)}; allowed are {allowed}.",
                fields={"model": [f"Must be one of: {allowed}."]},
            )
        return requested

    def card(self, requested: str = "") -> ModelCard:
        """Return what the model that a request means can do.

        Raises:
            UnknownModel: It is not served.
            ModelUnavailable: Its checkpoint cannot be found or read.
        """
        return self._pool.cards.get(self.name(requested))

    def forget(self, reference: Reference) -> None:
        """Release what the models have cached of a recording."""
        self._pool.forget(reference)

    def first_of_kind(self, kind: str) -> str | None:
        """Return the first served model of a kind; the default model is looked at first."""
        return next((name for name, card in self._available() if card.kind == kind), None)

    def speakers(self) -> set[str]:
        """Return the speakers of all served models, as `names.fold` has them."""
        return {fold(speaker) for _, card in self._available() for speaker in card.speakers}

    def _available(self) -> Iterator[tuple[str, ModelCard]]:
        for name in self.names:
            if (card := self._find_card(name)) is not None:
                yield name, card

    def _find_card(self, name: str) -> ModelCard | None:
        try:
            return self._pool.cards.get(name)
        except ModelUnavailable:  # it was logged when it was tried
            return None


def resolve_language(requested: str, card: ModelCard) -> str:
    """Return the model's name for a language given by name or code, in any case.

    Codes are ISO 639-1, alone or with a region as in BCP 47 or a locale: `de`, `zh-CN`, `en_US`.

    Raises:
        UnknownLanguage: The model does not speak it.
    """
    name = fold(requested)
    if name == AUTO or name in card.languages:
        return name
    language = name_language(name)
    if language in card.languages:
        return language
    allowed = ", ".join(entry["name"] for entry in list_languages(card))
    raise UnknownLanguage(
        f"Unknown language {shown(requested)}; allowed are {allowed}, or their codes such as 'en'.",
        fields={"language": [f"Must be one of: {allowed}."]},
    )


def name_language(requested: str) -> str:
    """Return the name of a language that is given by name or code, whoever speaks it."""
    name = fold(requested)
    return CODES.get(name.replace("_", "-").partition("-")[0], name)


def list_languages(card: ModelCard) -> list[dict[str, str]]:
    """Return the languages of a model as `{"name", "code"}`; `Auto` is first."""
    named = [{"name": name.title(), "code": _CODE_OF.get(name, "")} for name in card.languages]
    return [{"name": "Auto", "code": AUTO}, *sorted(named, key=lambda entry: entry["name"])]


def display_name(speaker: str) -> str:
    """Return a speaker's display name: in title case if the checkpoint spells it in lower case.

    >>> display_name("uncle_fu"), display_name("Test_man")
    ('Uncle_Fu', 'Test_man')
    """
    return speaker.title() if speaker == speaker.lower() else speaker


def find_speaker(requested: str, card: ModelCard, aliases: Mapping[str, str]) -> str | None:
    """Return a speaker as the model spells it, by name or alias without case, or None."""
    name = fold(requested)
    if name in aliases:
        name = fold(aliases[name])
    return _spellings(card.speakers).get(name)


@functools.cache
def _spellings(speakers: tuple[str, ...]) -> dict[str, str]:
    """Return a model's speakers as it spells them, by their folded names; the first one counts."""
    return {fold(speaker): speaker for speaker in reversed(speakers)}


def default_speaker(configured: str, card: ModelCard, aliases: Mapping[str, str]) -> str:
    """Return the configured speaker, or the model's first one if the model does not have it."""
    return find_speaker(configured, card, aliases) or card.speakers[0]
