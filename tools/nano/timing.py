"""How long sounds last: a letter of the text is a frame of speech.

Every token of a text (`symbols.py`), which is a character or little more, takes one frame of 80 ms.
That is the pace of careful speech, and no model has to learn how fast a text goes by. A word's
frames (those of its letters and of the space after it) are shared among its sounds in proportion to
how long the sounds naturally last.

A *state* is a sound during one frame's time. A frame reaches from the middle of one state to the
middle of the next, so that a text of n tokens has n states, and n + 1 frames from the silence
before it to the silence after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tools.nano.phones import SILENCE, Phone, pronounce, split
from tools.nano.symbols import tokens

# Natural durations in ms, as the teacher has them on average.
_VOWEL_MS = (75.0, 95.0, 115.0)  # by stress
_LONG_VOWEL_MS = (95.0, 120.0, 145.0)
_LONG_VOWELS = frozenset("iː ɑː ɔː uː ɜː eɪ aɪ ɔɪ oʊ aʊ æ ɚ".split())
_CONSONANT_MS = {"s": 75.0, "ʃ": 75.0, "tʃ": 80.0, "f": 65.0, "m": 60.0, "n": 60.0, "ŋ": 65.0}
_CONSONANT_MS |= {"ð": 40.0, "ɾ": 30.0, "h": 45.0, "j": 45.0, "w": 50.0, "l": 60.0}
_OTHER_CONSONANT_MS = 55.0


MARKS = " ,.?!"
"""What is silence and read as it is; every other sign is read as a comma."""


class State(NamedTuple):
    """A sound during 80 ms.

    Attributes:
        symbol: The phone, or silence.
        part: "s" for all of a sound, or "a", "m" and "z" for its beginning, middle and end.
    """

    symbol: str
    part: str


SILENT = State(SILENCE, "m")


class Segment(NamedTuple):
    """A sound and how many states it lasts.

    Attributes:
        phone: The sound; None is silence.
        num_states: Its length in frames.
        ipa: What espeak-ng writes for it: the sound, and a space where its word ends and another
            one follows, or the mark that is the reason for silence.
    """

    phone: Phone | None
    num_states: int
    ipa: str


def segments(text: str, split_tokens: Callable[[str], Sequence[str]] = tokens) -> list[Segment]:
    """Return the sounds of a text; their states are as many as `split_tokens` makes tokens."""
    result: list[Segment] = []
    parts = split(text)
    for index, part in enumerate(parts):
        if part[0].isalpha() and part.isascii():
            space = index + 1 < len(parts) and parts[index + 1] == " "
            result += _word(part.lower(), len(split_tokens(part)) + space, " " * space)
        elif part == " " and index and parts[index - 1][0].isalpha():
            continue  # belongs to the word before it
        else:
            result.append(Segment(None, 1, part if part in MARKS else ","))
    return result


def _word(word: str, num_states: int, end: str) -> list[Segment]:
    phones = list(pronounce(word))
    if not phones:
        return [Segment(None, num_states, ",")]
    while len(phones) > num_states:
        phones.pop(min(range(len(phones)), key=lambda index: _natural_ms(phones, index)))
    counts = _share(phones, num_states)
    ends = [""] * (len(phones) - 1) + [end]
    return [
        Segment(phone, count, phone.ipa + end)
        for phone, count, end in zip(phones, counts, ends, strict=True)
    ]


def _share(phones: list[Phone], num_states: int) -> list[int]:
    """Give every phone a state, then each further one to whom it is most due."""
    natural = [_natural_ms(phones, index) for index in range(len(phones))]
    counts = [1] * len(phones)
    for _ in range(num_states - len(phones)):
        due = [ms / (count + 0.5) for ms, count in zip(natural, counts, strict=True)]
        counts[due.index(max(due))] += 1
    return counts


def _natural_ms(phones: list[Phone], index: int) -> float:
    phone = phones[index]
    if phone.is_vowel:
        table = _LONG_VOWEL_MS if phone.symbol in _LONG_VOWELS else _VOWEL_MS
        return table[phone.stress]
    return _CONSONANT_MS.get(phone.symbol, _OTHER_CONSONANT_MS)


def states(parts: list[Segment]) -> list[State]:
    """Return the states of some sounds, one a token."""
    result: list[State] = []
    for phone, count, _ in parts:
        if phone is None:
            result += [SILENT] * count
        elif count == 1:
            result.append(State(phone.symbol, "s"))
        else:
            middle = [State(phone.symbol, "m")] * (count - 2)
            result += [State(phone.symbol, "a"), *middle, State(phone.symbol, "z")]
    return result


def spoken(text: str) -> list[Segment]:
    """Return the sounds of a text with a state for each letter, as the teacher records it."""
    return segments(text, list)
