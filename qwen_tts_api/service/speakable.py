"""Make a text speakable: take out what is for the eye only, and say how much that was.

Plain prose stays as it is, byte for byte.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import regex

from qwen_tts_api.service.markup import strip_markup


@dataclass(frozen=True)
class SpeakableText:
    """A text that can be spoken.

    Attributes:
        text: What is left, without white space around it.
        changes: How often something was taken out or replaced, by kind: `unicode` (composed),
            `markup`, `emoji`, `invisible` (control and zero-width characters), `spaces`, `repeats`.
    """

    text: str
    changes: Mapping[str, int] = field(default_factory=dict)


def make_speakable(text: str) -> SpeakableText:
    """Take markup, emoji, invisible characters and runs of punctuation out of a text."""
    changes: Counter[str] = Counter()
    composed = unicodedata.normalize("NFC", text)
    changes["unicode"] = int(composed != text)
    text, changes["markup"] = strip_markup(composed)
    text, changes["emoji"] = _strip_emoji(text)
    for kind, pattern, replacement in _RULES:
        text, num = pattern.subn(replacement, text)
        changes[kind] += num
    return SpeakableText(text.strip(), {kind: num for kind, num in changes.items() if num})


def _strip_emoji(text: str) -> tuple[str, int]:
    text, num_keycaps = _KEYCAP.subn(r"\1", text)
    num_emoji = len(_EMOJI.findall(text))
    return _EMOJI_RUN.sub(_gap, text), num_keycaps + num_emoji


def _gap(emoji: regex.Match[str]) -> str:
    """Return what stands for emoji: a space where two words would run together, else nothing."""
    text, end = emoji.string, emoji.end()
    before = text[emoji.start() - 1] if emoji.start() else ""
    return " " if _INSIDE.match(before + text[end : end + 1]) else ""


def _compile(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern, regex.VERSION1)  # has sets such as [\w--\d]


_INSIDE = _compile(r"[^\s\p{Ps}\p{Pi}][^\s\p{P}]")

# Symbols that are pictures by default or in the blocks of pictures; not ©, ™ or arrows.
_PICTURE = (
    r"[[\p{Emoji_Presentation}[\p{Extended_Pictographic}&&"
    r"[\u2300-\u23FF\u2600-\u27BF\u2B00-\u2BFF\U0001F000-\U0001FAFF]]]--\p{Regional_Indicator}]"
)
_ONE_EMOJI = (
    r"(?:\p{Regional_Indicator}{1,2}+"
    rf"|{_PICTURE}\uFE0F?+\p{{Emoji_Modifier}}?+[\U000E0020-\U000E007F]*+"
    r"(?:\u200D\p{Extended_Pictographic}\uFE0F?+\p{Emoji_Modifier}?+)*+)"
)
_KEYCAP = _compile(r"([0-9#*])\uFE0F?\u20E3")
_EMOJI = _compile(_ONE_EMOJI)
_EMOJI_RUN = _compile(rf"(?: ?{_ONE_EMOJI})++")

_RULES = [
    ("invisible", _compile(r"\x1b\[[0-9;]*+[A-Za-z]"), ""),  # a terminal's colours
    (
        "invisible",
        _compile(
            r"[[\p{Cc}\p{Co}\p{Default_Ignorable_Code_Point}\uFFF9-\uFFFD]--[\n\r\t\v\f\x85]]++"
        ),
        "",
    ),
    ("spaces", _compile(r"\r\n|[\r\v\f\x85\u2028\u2029]"), "\n"),
    ("spaces", _compile(r"[\s--[\n \u3000]]"), " "),
    ("repeats", _compile(r"([!?！？]{3})[!?！？]++"), r"\1"),
    ("repeats", _compile(r"([.。．])\1{3,}+"), r"\1\1\1"),
    ("repeats", _compile(r"([…—])\1{2,}+"), r"\1\1"),  # two are one sign in Chinese
    ("repeats", _compile(r"([,;:，、；：])\1{2,}+"), r"\1"),
    ("repeats", _compile(r"([-_=*~#+|^])\1{3,}+"), " "),
    ("repeats", _compile(r"(\p{M}{4})\p{M}++"), r"\1"),
]
