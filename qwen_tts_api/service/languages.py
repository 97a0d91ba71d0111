"""Names and codes of languages."""

from __future__ import annotations

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.errors import UnknownLanguage
from qwen_tts_api.names import fold, shown

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


def resolve_language(requested: str, card: ModelCard) -> str:
    """Return the model's name for a language given by name or code, in any case.

    Codes are ISO 639-1, alone or with a region as in BCP 47 or a locale: `de`, `zh-CN`, `en_US`.

    Raises:
        UnknownLanguage: The model does not speak it.
    """
    name = fold(requested)
    if name == AUTO or name in card.languages:
        return name
    language = CODES.get(name.replace("_", "-").partition("-")[0], "")
    if language in card.languages:
        return language
    allowed = ", ".join(entry["name"] for entry in list_languages(card))
    raise UnknownLanguage(
        f"Unknown language {shown(requested)}; allowed are {allowed}, or their codes such as 'en'.",
        fields={"language": [f"Must be one of: {allowed}."]},
    )


def list_languages(card: ModelCard) -> list[dict[str, str]]:
    """Return the languages of a model as `{"name", "code"}`; `Auto` is first."""
    named = [{"name": name.title(), "code": _CODE_OF.get(name, "")} for name in card.languages]
    return [{"name": "Auto", "code": AUTO}, *sorted(named, key=lambda entry: entry["name"])]
