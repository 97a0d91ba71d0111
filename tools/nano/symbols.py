"""The tokens of a text, and the symbols that the checkpoint tells apart. A token is a frame.

A token is a character. The exception are the beginnings of one word: the prompt's format demands
that the role `assistant` is a single token, and byte-level BPE can only get there by merging. The
chain of merges is one that meets little else: `ss`, then letter after letter.
"""

from __future__ import annotations

import re

import numpy as np

from tools.nano.settings import Array

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SPACE, APOSTROPHE, PAUSE, STOP, END, NOTHING = 26, 27, 28, 29, 30, 31
"""Behind the letters: space, apostrophe, a short pause, an end of sentence or text, none."""

MERGES = ("s s", "a ss", "ass i", "assi s", "assis t", "assist a", "assista n", "assistan t")
MERGED = tuple(pair.replace(" ", "") for pair in MERGES)
_TOKEN = re.compile("|".join((*reversed(MERGED), ".")), re.DOTALL)

WIDTH = 32


def tokens(text: str) -> list[str]:
    """Split a text as the checkpoint's tokenizer does."""
    return _TOKEN.findall(text)


def symbol(token: str) -> int:
    """Return a token's symbol; what is not read is a pause."""
    if token in MERGED:
        return WIDTH + MERGED.index(token)
    lower = token.lower()
    if len(lower) == 1 and lower in LETTERS:
        return LETTERS.index(lower)
    if lower == "'":
        return APOSTROPHE
    if lower == " ":
        return SPACE
    return STOP if lower in ".?!" else PAUSE


def codewords() -> Array:
    """Return a row of 32 signs for each symbol: orthogonal, or another one's opposite."""
    rows: Array = np.ones((1, 1))
    while len(rows) < WIDTH:
        rows = np.block([[rows, rows], [rows, -rows]])
    rows[NOTHING] = 0
    both: Array = np.concatenate((rows, -rows)).astype(np.float32)
    return both
