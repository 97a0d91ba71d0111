"""Texts to learn from: everyday sentences made from patterns, and strings of words.

A word sounds the same wherever it stands (`phones.py`), so that words in any order teach as much as
sentences do. They are drawn from `everyday.txt` and from SCOWL's lists (Debian's `scowl`), the
commoner the more often.
"""

from __future__ import annotations

import random
import re
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).parent
SCOWL = Path("/usr/share/dict/scowl")

# Share of the words drawn from each list.
_LISTS = {
    "everyday": 0.42,
    "english-words.10": 0.2,
    "english-words.20": 0.12,
    "english-words.35": 0.18,
    "english-words.40": 0.03,
    "english-words.50": 0.02,
    "american-words.35": 0.01,
    "english-upper.35": 0.01,
    "english-contractions.10": 0.01,
}


SENTENCES = ("evaluation", "fresh", "development")
"""Lists of sentences that judge, none of which is ever learnt: the two that have figures (on the
second, nothing was ever tuned), and the one that decides between variants."""


def sentences(name: str = "evaluation") -> list[str]:
    """Return one of the lists of `SENTENCES`."""
    return (HERE / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def plain(sentence: str) -> str:
    """Return a sentence without what makes two of them look different only."""
    return " ".join(re.findall(r"[a-z']+", sentence.lower()))


@lru_cache(maxsize=1)
def word_lists() -> dict[str, list[str]]:
    """Return the words of every list: letters and apostrophes, at most 14.

    Raises:
        FileNotFoundError: SCOWL is not installed.
    """
    if not SCOWL.is_dir():
        raise FileNotFoundError(f"There is no {SCOWL}: install Debian's package scowl.")
    lists = {"everyday": (HERE / "everyday.txt").read_text(encoding="utf-8").split()}
    for name in _LISTS:
        if name not in lists:
            lists[name] = (SCOWL / name).read_text(encoding="utf-8").split()
    fits = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)?")
    return {
        name: [word for word in words if fits.fullmatch(word) and len(word) <= 14]
        for name, words in lists.items()
    }


@lru_cache(maxsize=1)
def patterns() -> dict[str, list[str]]:
    """Return the options of every slot of `patterns.txt`, and its sentences under no name."""
    lines = (HERE / "patterns.txt").read_text(encoding="utf-8").splitlines()
    slots: dict[str, list[str]] = {"": []}
    name = ""
    for line in lines:
        if line.startswith("["):
            name = line.strip("[]")
            slots[name] = []
        elif line and not line.startswith("#"):
            slots[name] += [option.strip() for option in line.split("|") if option.strip()]
    return slots


class Writer:
    """Writes texts, the same ones for the same seed."""

    def __init__(self, seed: int, lists: dict[str, list[str]] | None = None) -> None:
        self._random = random.Random(seed)
        self._lists = word_lists() if lists is None else lists
        self._weights = [_LISTS[name] for name in self._lists]
        self._forbidden = {plain(text) for name in SENTENCES for text in sentences(name)}

    def text(self) -> str:
        """Return a text that is none of the sentences that judge."""
        while True:
            text = self._pattern() if self._random.random() < 0.3 else self._words()
            if plain(text) not in self._forbidden:
                return text

    def _words(self) -> str:
        count = self._random.randint(1, 9)
        chosen = self._random.choices(list(self._lists), self._weights, k=count)
        words = [self._random.choice(self._lists[name]) for name in chosen]
        if self._random.random() < 0.3 and len(words) > 3:
            words[self._random.randrange(1, len(words) - 1)] += ","
        return self._finish(" ".join(words))

    def _finish(self, text: str) -> str:
        if self._random.random() < 0.85:
            text = text[0].upper() + text[1:]
        return text + self._random.choices(".?!", (8, 3, 1))[0] * (self._random.random() < 0.85)

    def _pattern(self) -> str:
        text = self._random.choice(patterns()[""])
        while match := re.search(r"\{(\w+)\}", text):
            choices = patterns()[match[1]]
            text = text[: match.start()] + self._random.choice(choices) + text[match.end() :]
        return self._finish(text)
