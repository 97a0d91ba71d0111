"""Normalize a text for speech: remove markup, code, emoji and invisible characters, count changes.

Plain prose is returned unchanged, byte for byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import regex

from qwen_tts_api.service.text.characters import (
    Rule,
    apply_rules,
    clean_characters,
    remove_invisible,
)
from qwen_tts_api.service.text.markup import strip_markup
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
)
"""Kinds of changes, as the header `X-Text-Changes` names them."""


@dataclass(frozen=True)
class NormalizedText:
    """A text to be spoken.

    Attributes:
        text: Without surrounding white space.
        changes: Number of changes by kind, in the order of KINDS; only kinds that occurred.
    """

    text: str
    changes: Mapping[str, int] = field(default_factory=dict)


def normalize_text(text: str) -> NormalizedText:
    """Remove markup, code, emoji and invisible characters, and shorten runs of punctuation."""
    changes: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
    text = clean_characters(text.strip(), changes)
    text = strip_markup(text, changes)
    text = _strip_emoji(text, changes)
    text = remove_invisible(text, changes)
    text = _shorten_runs(text, changes)
    return NormalizedText(text.strip(), {kind: num for kind, num in changes.items() if num})


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
