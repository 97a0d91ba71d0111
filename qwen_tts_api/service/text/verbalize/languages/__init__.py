"""The words of each language: numbers, units, currencies, months, signs, abbreviations."""

from __future__ import annotations

from qwen_tts_api.service.text.verbalize.languages.chinese import Chinese
from qwen_tts_api.service.text.verbalize.languages.english import English
from qwen_tts_api.service.text.verbalize.languages.french import French
from qwen_tts_api.service.text.verbalize.languages.german import German
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.languages.spanish import Spanish

_ALL: tuple[Language, ...] = (Chinese(), English(), French(), German(), Spanish())

LANGUAGES: dict[str, Language] = {language.name: language for language in _ALL}
"""Languages by the name that checkpoints have, in lower case."""
