"""Parts of a text that arrives, which do not change any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from qwen_tts_api.service.text.segments import measure, split
from qwen_tts_api.service.text.sentences import Boundary
from qwen_tts_api.service.text.verbalize.wording import Wording


@dataclass(frozen=True)
class StableText:
    """A part of a text that does not change any more.

    Attributes:
        text: Normalized, with the white space between it and the part before; may have no words.
        start, end: Where it lies in the text as it came, in characters; near where markup was
            taken out.
        boundary: The kind of boundary at its end.
    """

    text: str
    start: int
    end: int
    boundary: Boundary


def word(text: StableText, wording: Wording) -> StableText:
    """Return a part in the words that are spoken."""
    return replace(text, text=wording.word(text.text)[0])


def word_all(
    texts: Iterable[StableText], wording: Wording, max_letters: int
) -> Iterator[StableText]:
    """Yield parts in the words that are spoken, those that are too long for a segment divided."""
    for text in texts:
        words = word(text, wording)
        if words.text == text.text or measure(words.text) <= max_letters:
            yield words
            continue
        *parts, last = split(words.text.strip(), max_letters)
        start = text.start
        for part in parts:
            yield StableText(f" {part.text}", start, text.end, part.boundary)
            start = text.end
        yield StableText(f" {last.text}", start, text.end, text.boundary)
