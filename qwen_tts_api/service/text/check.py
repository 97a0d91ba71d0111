"""Validate the text of a request, and normalize it if it is to be."""

from __future__ import annotations

import unicodedata

from qwen_tts_api.errors import NothingToSay, TextRequired, TextTooLong, UnspeakableText
from qwen_tts_api.service.text.normalize import NormalizedText, normalize_text

# Coqui's sentence, which clients compare.
TEXT_REQUIRED = "Text parameter is required"

MAX_INSTRUCT_CHARS = 4096

# Symbols that are read aloud, besides currency signs; others are punctuation or pictures.
SPOKEN_SIGNS = frozenset("%‰&@#§°+=±×÷≤≥≠≈√∞∑©®")


def has_words(text: str) -> bool:
    """Return whether a text has a letter, a number or a symbol that is read aloud.

    Compatibility characters count by their NFKC form: ™, ℃, ½, Ⓐ. All else is silent: punctuation,
    arrows, musical notes, hearts, boxes.

    >>> has_words("100"), has_words("%"), has_words("♪ → ♥ ...")
    (True, True, False)
    """
    return any(char in SPOKEN_SIGNS or _has_letter(char) for char in text)


def _has_letter(char: str) -> bool:
    forms = (char, *unicodedata.normalize("NFKC", char))
    categories = {unicodedata.category(form) for form in forms}
    return "Sc" in categories or any(category[0] in "LN" for category in categories)


def check_text(text: str, max_chars: int) -> str:
    """Validate a text, and strip surrounding white space.

    Raises:
        TextRequired: It is empty or blank.
        TextTooLong: It has more than `max_chars` characters.
        UnspeakableText: It contains an unpaired surrogate.
        NothingToSay: It has only control characters and spaces.
    """
    text = text.strip()
    if not text:
        raise TextRequired(TEXT_REQUIRED, fields={"text": ["Missing or blank."]})
    if len(text) > max_chars:
        raise TextTooLong(
            f"The text has {len(text)} characters; QWEN_MAX_TEXT_CHARS allows {max_chars}.",
            fields={"text": [f"Longer than {max_chars} characters."]},
        )
    categories = {unicodedata.category(char) for char in text}
    if "Cs" in categories:
        raise UnspeakableText(
            "The text is not valid Unicode: it contains half of a surrogate pair.",
            fields={"text": ["Not valid Unicode."]},
        )
    if all(category[0] in "CZ" for category in categories):
        raise NothingToSay(
            "The text has only control characters; there is nothing to speak.",
            fields={"text": ["Only control characters."]},
        )
    return text


def check_instruct(text: str) -> str:
    """Validate a style instruction, and strip surrounding white space; may be empty.

    Raises:
        TextTooLong: It has more than MAX_INSTRUCT_CHARS characters. The limit is fixed, since the
            instruction is part of the prompt of every segment.
        UnspeakableText: It contains an unpaired surrogate.
    """
    text = text.strip()
    if len(text) > MAX_INSTRUCT_CHARS:
        raise TextTooLong(
            lambda field: (
                f"{field('instruct')} has {len(text)} characters; allowed are up to "
                f"{MAX_INSTRUCT_CHARS}."
            ),
            fields={"instruct": [f"Longer than {MAX_INSTRUCT_CHARS} characters."]},
        )
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise UnspeakableText(
            lambda field: (
                f"{field('instruct')} is not valid Unicode: it contains half of a surrogate pair."
            ),
            fields={"instruct": ["Not valid Unicode."]},
        )
    return text


def prepare_text(text: str, max_chars: int, *, normalize: bool) -> NormalizedText:
    """Validate a text and, if `normalize`, normalize it for speech.

    Raises:
        TextRequired: The text is empty; and the other errors of `check_text`.
        NothingToSay: After normalization no words are left.
    """
    text = check_text(text, max_chars)
    if not normalize:
        return NormalizedText(text)
    normalized = normalize_text(text)
    if not has_words(normalized.text):
        raise NothingToSay(
            "The text has no letters, numbers or signs with a name (such as % or €), only "
            "punctuation, pictures, markup or emoji.",
            fields={"text": ["Nothing to speak."]},
        )
    return normalized
