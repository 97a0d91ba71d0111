"""Pronunciation: words to phones with espeak-ng, one word at a time.

Taking each word by itself makes its sound the same wherever it stands, which is what a small model
learns quickest, and keeps every word in its full form, which is what is easiest to understand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

SILENCE = "_"

# Sounds that espeak-ng writes with several characters; the longest match counts.
_LONG = "tʃ dʒ aɪ aʊ eɪ oʊ ɔɪ iː uː ɑː ɔː ɜː ɑ̃ ɔ̃ oː n̩ l̩".split()
_STRESS = "ˈˌ"
_VOWELS = set("aeiouæɐɑɒɔəɚɛɜɪʊʌᵻ")


@dataclass(frozen=True)
class Phone:
    """A sound of a word.

    Attributes:
        symbol: In IPA.
        stress: 2 where the vowel has the main stress, 1 for a minor one, else 0.
    """

    symbol: str
    stress: int = 0

    @property
    def is_vowel(self) -> bool:
        """Whether it can make a syllable."""
        return self.symbol[0] in _VOWELS

    @property
    def ipa(self) -> str:
        """Return how espeak-ng writes it."""
        return ("", "ˌ", "ˈ")[self.stress] + self.symbol


# Sounds that are rare and close to another.
_MERGED = {"ᵻ": "ɪ", "ɐ": "ʌ", "i": "iː", "ɔ": "ɔː", "oː": "ɔː", "ʔ": "t", "n̩": "n", "l̩": "l"}
_MERGED |= {"ɑ̃": "ɑː", "ɔ̃": "ɔː", "x": "k", "e": "ɛ", "a": "æ", "o": "oʊ", "u": "uː", "ɬ": "l"}

PHONES = (
    "p b t d k ɡ f v θ ð s z ʃ ʒ tʃ dʒ m n ŋ l ɹ w j h ɾ "
    "iː ɪ ɛ æ ɑː ɔː ʊ uː ʌ ə ɚ ɜː eɪ aɪ ɔɪ oʊ aʊ"
).split()
"""Every sound there is."""


def parse(ipa: str) -> list[Phone]:
    """Split what espeak-ng writes into sounds of `PHONES`; other characters are dropped."""
    phones: list[Phone] = []
    stress, position = 0, 0
    while position < len(ipa):
        if ipa[position] in _STRESS:
            stress = 2 if ipa[position] == "ˈ" else 1
            position += 1
            continue
        symbol = next((long for long in _LONG if ipa.startswith(long, position)), ipa[position])
        position += len(symbol)
        symbol = _MERGED.get(symbol, symbol)
        if symbol not in PHONES:
            continue
        is_vowel = symbol[0] in _VOWELS
        phones.append(Phone(symbol, stress if is_vowel else 0))
        stress = 0 if is_vowel else stress
    return phones


@lru_cache(maxsize=1)
def _phonemizer() -> Any:
    from piper.phonemize_espeak import EspeakPhonemizer

    return EspeakPhonemizer()


@lru_cache(maxsize=200_000)
def pronounce(word: str) -> tuple[Phone, ...]:
    """Return the phones of one word in lower case, letters and apostrophes."""
    sentences = _phonemizer().phonemize("en-us", _SPOKEN.get(word, word))
    return tuple(parse("".join("".join(sentence) for sentence in sentences)))


# A word by itself is read as a letter's name here, or not as it is in a sentence.
_SPOKEN = {"a": "uh"}


def split(text: str) -> list[str]:
    """Split a text into words, spaces and marks, each character in exactly one part."""
    return re.findall(r"[A-Za-z]+(?:'[A-Za-z]+)*|.", text, flags=re.DOTALL)
