"""Make a text normalized: take out what is for the eye only, and say how much that was.

Plain prose stays as it is, byte for byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import regex

from qwen_tts_api.service.text.characters import Rule, apply, clean_characters, clean_rest
from qwen_tts_api.service.text.markup import strip_markup
from qwen_tts_api.service.text.pieces import PIECE, pieces

KINDS = (
    "unicode",  # characters in another form
    "markup",
    "code",  # with all that is in it, as are
    "thinking",
    "emoji",
    "invisible",
    "spaces",
    "lines",  # joined
    "repeats",
)


@dataclass(frozen=True)
class NormalizedText:
    """A text that can be spoken.

    Attributes:
        text: What is left, without white space around it.
        changes: How often something was taken out or replaced, by kind, in the order of KINDS.
    """

    text: str
    changes: Mapping[str, int] = field(default_factory=dict)


def normalize_text(text: str) -> NormalizedText:
    """Take markup, emoji, invisible characters and runs of punctuation out of a text."""
    changes: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
    text = clean_characters(text.strip(), changes)
    text = strip_markup(text, changes)
    text = _strip_emoji(text, changes)
    text = clean_rest(text, changes)
    text = _shorten_runs(text, changes)
    return NormalizedText(text.strip(), {kind: num for kind, num in changes.items() if num})


def _shorten_runs(text: str, changes: Counter[str]) -> str:
    """Return a text with short runs of punctuation and marks, wherever pieces of it were cut."""
    while True:
        shortened = apply(_RUNS, text, changes)
        if shortened == text or len(text) <= PIECE:
            return shortened
        text = shortened


def _strip_emoji(text: str, changes: Counter[str]) -> str:
    parts = []
    for piece in pieces(text):
        piece, num_keycaps = _KEYCAP.subn(r"\1", piece)
        changes["emoji"] += num_keycaps + len(_EMOJI.findall(piece))
        parts.append(_EMOJI_RUN.sub(_gap, piece))
    return "".join(parts)


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

_RUNS: list[Rule] = [
    ("repeats", _compile(r"([!?！？]{3})[!?！？]++"), r"\1"),
    ("repeats", _compile(r"([.。．])\1{3,}+"), r"\1\1\1"),
    ("repeats", _compile(r"([…—])\1{2,}+"), r"\1\1"),  # two are one sign in Chinese
    ("repeats", _compile(r"([,;:，、；：])\1{2,}+"), r"\1"),
    ("repeats", _compile(r"([-_=*~#+|^])\1{3,}+"), " "),
    ("repeats", _compile(r"(\p{M}{4})\p{M}++"), r"\1"),
]
