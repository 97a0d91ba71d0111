"""The operator's pronunciations: a file of words and their respellings."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from qwen_tts_api.config.reloaded_file import ReloadedFile
from qwen_tts_api.service.models import CODES
from qwen_tts_api.service.text.verbalize.pronunciations import (
    MAX_CHARS,
    MAX_WORDS,
    Pronunciations,
)

ALL_LANGUAGES = ""


@dataclass(frozen=True, eq=False)
class PronunciationLines:
    """What is in such a file: `word = respelling`, one a line.

    A line `[german]` or `[de]` begins those of one language, which go before the others. Empty
    lines and those that begin with `#` are ignored.

    Attributes:
        respellings: By language, as checkpoints name it, and word.
        faults: Error messages for invalid lines.
    """

    respellings: dict[str, dict[str, str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """Return how many words there are."""
        return f"{sum(map(len, self.respellings.values()))} words"

    def of(self, language: str) -> dict[str, str]:
        """Return those that hold for a language."""
        return self.respellings.get(ALL_LANGUAGES, {}) | self.respellings.get(language, {})


def parse_pronunciations(data: bytes) -> PronunciationLines:
    """Return the content of a file; lines that are invalid are faults."""
    lines = PronunciationLines()
    language = ALL_LANGUAGES
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        try:
            entry = line.decode().strip()
        except UnicodeDecodeError:
            lines.faults.append(f"line {number} is not UTF-8")
            continue
        if entry.startswith("[") and entry.endswith("]"):
            language = _language(entry[1:-1].strip(), number, lines)
        elif entry and not entry.startswith("#"):
            _add(entry, number, lines, language)
    if sum(map(len, lines.respellings.values())) > MAX_WORDS:
        lines.faults.append(f"it has more than {MAX_WORDS} words")
        lines.respellings.clear()
    return lines


def _language(name: str, number: int, lines: PronunciationLines) -> str:
    language = CODES.get(name.lower(), name.lower())
    if language not in CODES.values():
        allowed = ", ".join(CODES.values())
        lines.faults.append(f"line {number} names the language {name!r}; allowed are {allowed}")
    return language


def _add(entry: str, number: int, lines: PronunciationLines, language: str) -> None:
    separator = " = " if " = " in entry else "="
    word, found, respelling = (part.strip() for part in entry.partition(separator))
    if not found or not word or not respelling:
        lines.faults.append(f"line {number} is {entry[:60]!r}; a line is 'word = respelling'")
    elif max(len(word), len(respelling)) > MAX_CHARS:
        lines.faults.append(f"line {number} has more than {MAX_CHARS} characters on one side")
    elif word in lines.respellings.get(language, {}):
        lines.faults.append(f"line {number} has {word[:60]!r}, which an earlier line has, too")
    else:
        lines.respellings.setdefault(language, {})[word] = respelling


def read_pronunciations(path: Path) -> ReloadedFile[PronunciationLines]:
    """Return the content of a file.

    Raises:
        ConfigError: It cannot be read, or has an invalid line.
    """
    return ReloadedFile(path, "QWEN_PRONUNCIATIONS", "pronunciations", parse_pronunciations)


NO_LINES = PronunciationLines()


@lru_cache(maxsize=64)
def find_pronunciations(
    lines: PronunciationLines, language: str, own: tuple[tuple[str, str], ...]
) -> Pronunciations:
    """Return the pronunciations of a request.

    The operator's are compiled once for each language, whatever a request adds.

    Args:
        lines: The operator's.
        language: That the text is spoken in, as checkpoints name it.
        own: The request's, which go before them.
    """
    if own:
        return Pronunciations(dict(own), find_pronunciations(lines, language, ()))
    return Pronunciations(lines.of(language))
