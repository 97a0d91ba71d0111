"""Validate a text and normalize it for speech: remove markup, code, emoji, and count changes.

Plain prose is returned unchanged, byte for byte.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import regex

from qwen_tts_api.config.model_settings import MAX_INSTRUCT_CHARS
from qwen_tts_api.errors import NothingToSay, TextRequired, TextTooLong, UnspeakableText
from qwen_tts_api.service.text.characters import (
    Rule,
    apply_rules,
    clean_characters,
    remove_invisible,
)
from qwen_tts_api.service.text.markup.markup import strip_markup
from qwen_tts_api.service.text.patterns import WINDOW_CHARS, compile_pattern, windows

KINDS = (
    "unicode",  # characters replaced: NFC, ligatures, styled letters
    "markup",  # Markdown, HTML and SSML marks removed
    "code",  # fenced code blocks removed
    "thinking",  # <think> blocks removed
    "emoji",  # removed
    "invisible",  # control and zero-width characters removed
    "spaces",  # unusual spaces and line ends replaced
    "lines",  # wrapped lines joined
    "repeats",  # runs of punctuation shortened
    "pronunciations",  # words respelled
    "numbers",  # written as words, Roman ones and those in names, too
    "dates",  # and times
    "units",  # and amounts of money
    "abbreviations",  # and acronyms, where the model reads letters only
    "signs",  # with a name
    "addresses",  # of the web and of e-mail
    "letters",  # with accents, of which only plain ones can be read
    "unreadable",  # runs of letters that cannot be read, removed
)
"""Kinds of changes, as the header `X-Text-Changes` names them."""

# Coqui's sentence, which clients compare.
TEXT_REQUIRED = "Text parameter is required"

# Symbols that are read aloud, besides currency signs; others are punctuation or pictures.
SPOKEN_SIGNS = frozenset("%‰&@#§°+=±×÷≤≥≠≈√∞∑©®")


@dataclass(frozen=True)
class NormalizedText:
    """A text to be spoken.

    Attributes:
        text: Without surrounding white space.
        changes: Number of changes by kind, in the order of KINDS; only kinds that occurred.
    """

    text: str
    changes: Mapping[str, int] = field(default_factory=dict)


def prepare_text(
    text: str, max_chars: int, *, normalize: bool, has_markup: bool = True
) -> NormalizedText:
    """Validate a text and, if `normalize`, normalize it for speech.

    Args:
        text: Of the request.
        max_chars: How long it may be.
        normalize: Whether what is meant for the eye only is taken out.
        has_markup: Whether Markdown and HTML are some of that.

    Raises:
        TextRequired: The text is empty; and the other errors of `check_text`.
        NothingToSay: After normalization no words are left.
    """
    text = check_text(text, max_chars)
    if not normalize:
        return NormalizedText(text)
    normalized = normalize_text(text, has_markup=has_markup)
    if not has_words(normalized.text):
        raise nothing_to_say()
    return normalized


def nothing_to_say() -> NothingToSay:
    """Return the error of a text without words."""
    return NothingToSay(
        "The text has no letters, numbers or signs with a name (such as % or €), only "
        "punctuation, pictures, markup or emoji.",
        fields={"text": ["Nothing to speak."]},
    )


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
            f"The text has {len(text)} characters; QWEN_MAX_TEXT_CHARS allows {max_chars}: send "
            "it in parts.",
            fields={"text": [f"Longer than {max_chars} characters."]},
        )
    categories = {unicodedata.category(char) for char in set(text)}
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
        TextTooLong: It has more than MAX_INSTRUCT_CHARS characters.
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


def has_words(text: str) -> bool:
    """Return whether a text has a letter, a number or a symbol that is read aloud.

    Compatibility characters count by their NFKC form: ™, ℃, ½, Ⓐ. All else is silent: punctuation,
    arrows, musical notes, hearts, boxes.

    >>> has_words("100"), has_words("%"), has_words("♪ → ♥ ...")
    (True, True, False)
    """
    return any(char in SPOKEN_SIGNS or _has_letter(char) for char in text)


def normalize_text(text: str, *, has_markup: bool = True) -> NormalizedText:
    """Remove markup, code, emoji and invisible characters, and shorten runs of punctuation.

    Args:
        text: Of any length.
        has_markup: Whether it may have markup and code; else what looks like it is read.
    """
    text = text.strip()
    return NormalizedText(text) if is_plain(text) else _normalize(text, has_markup=has_markup)


def is_plain(text: str) -> bool:
    """Return whether a text is a line that no rule changes, as most requests are.

    It has words and single punctuation marks, none that Markdown, HTML or lists have. It is spared
    some fifty substitutions, which take forty times as long as this.
    """
    return (
        len(text) <= WINDOW_CHARS
        and _PLAIN_BEGINNING.match(text) is not None
        and _NOT_PLAIN.search(text) is None
        and _THREE_MARKS.search(text) is None
    )


def _normalize(text: str, *, has_markup: bool) -> NormalizedText:
    changes: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
    text = clean_characters(text, changes)
    if has_markup:
        text = strip_markup(text, changes)
    text = _strip_emoji(text, changes)
    text = remove_invisible(text, changes)
    text = _shorten_runs(text, changes)
    return NormalizedText(text.strip(), {kind: num for kind, num in changes.items() if num})


def _has_letter(char: str) -> bool:
    forms = (char, *unicodedata.normalize("NFKC", char))
    categories = {unicodedata.category(form) for form in forms}
    return "Sc" in categories or any(category[0] in "LN" for category in categories)


def _shorten_runs(text: str, changes: Counter[str]) -> str:
    """Shorten runs of punctuation and marks, until none is left that spans two windows."""
    while True:
        shortened = apply_rules(_RUNS, text, changes)
        if shortened == text or len(text) <= WINDOW_CHARS:
            return shortened
        text = shortened


def _strip_emoji(text: str, changes: Counter[str]) -> str:
    stripped = []
    for window in windows(text):
        window, num_keycaps = _KEYCAP.subn(r"\1", window)
        changes["emoji"] += num_keycaps + len(_EMOJI.findall(window))
        stripped.append(_EMOJI_RUN.sub(_emoji_replacement, window))
    return "".join(stripped)


def _emoji_replacement(emoji: regex.Match[str]) -> str:
    """Return a space where two words would run together, else nothing."""
    text, end = emoji.string, emoji.end()
    before = text[emoji.start() - 1] if emoji.start() else ""
    return " " if _WORDS_MEET.match(before + text[end : end + 1]) else ""


# Of `re`, which for classes of characters is five times as fast as `regex`.
_PLAIN_LETTERS = r"A-Za-zÀ-ÖØ-öø-ÿ"
_PLAIN_MARKS = r".,;:!?'\"()/‘’“”„«»\-"
_PLAIN_BEGINNING = re.compile(f"[{_PLAIN_LETTERS}]")
_NOT_PLAIN = re.compile(
    rf"[^{_PLAIN_LETTERS}0-9\u3041-\u3096\u30A1-\u30FA\u4E00-\u9FFF {_PLAIN_MARKS}]"
)
_THREE_MARKS = re.compile(f"[{_PLAIN_MARKS}]{{3}}")

_WORDS_MEET = compile_pattern(r"[^\s\p{Ps}\p{Pi}][^\s\p{P}]")

# Symbols with emoji presentation by default or in the blocks of pictographs; not ©, ™ or arrows.
_PICTOGRAPH = (
    r"[[\p{Emoji_Presentation}[\p{Extended_Pictographic}&&"
    r"[\u2300-\u23FF\u2600-\u27BF\u2B00-\u2BFF\U0001F000-\U0001FAFF]]]--\p{Regional_Indicator}]"
)
_ONE_EMOJI = (
    r"(?:\p{Regional_Indicator}{1,2}+"
    rf"|{_PICTOGRAPH}\uFE0F?+\p{{Emoji_Modifier}}?+[\U000E0020-\U000E007F]*+"
    r"(?:\u200D\p{Extended_Pictographic}\uFE0F?+\p{Emoji_Modifier}?+)*+)"
)
_KEYCAP = compile_pattern(r"([0-9#*])\uFE0F?\u20E3")
_EMOJI = compile_pattern(_ONE_EMOJI)
_EMOJI_RUN = compile_pattern(rf"(?: ?{_ONE_EMOJI})++")

_RUNS: list[Rule] = [
    ("repeats", compile_pattern(r"([!?！？]{3})[!?！？]++"), r"\1"),
    ("repeats", compile_pattern(r"([.。．])\1{3,}+"), r"\1\1\1"),
    ("repeats", compile_pattern(r"([…—])\1{2,}+"), r"\1\1"),  # two are one sign in Chinese
    ("repeats", compile_pattern(r"([,;:，、；：])\1{2,}+"), r"\1"),
    ("repeats", compile_pattern(r"([-_=*~#+|^])\1{3,}+"), " "),
    ("repeats", compile_pattern(r"(\p{M}{4})\p{M}++"), r"\1"),
]
