"""A script: what is said, in passages of one voice, language and tempo, with pauses between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from qwen_tts_api.errors import InvalidRequest, TTSError
from qwen_tts_api.service.text.aligned.alignment import Alignment
from qwen_tts_api.service.text.aligned.written import Written
from qwen_tts_api.service.text.sentences import Boundary

MAX_PASSAGES = 5000
"""Of a request; each is an utterance of its own, or several."""


@dataclass(frozen=True)
class Style:
    """How a passage is spoken. Empty attributes: as in the request.

    Attributes:
        speaker: The speaker.
        language: The language.
        instruct: The style instruction.
        speed: Multiplied with the request's own: 2 is twice as fast.
        place: Where the passage is in the request, for errors, such as `line 2`; may be empty.
    """

    speaker: str = ""
    language: str = ""
    instruct: str = ""
    speed: float = 1.0
    place: str = field(default="", compare=False)

    @contextmanager
    def locating_errors(self) -> Iterator[None]:
        """Add the passage's place in the text to a TTSError that the block raises."""
        try:
            yield
        except TTSError as error:
            raise (error.at(self.place) if self.place else error) from error


PLAIN = Style()


@dataclass(frozen=True)
class Passage:
    """A part of a request's text with one style; a plain text is one passage.

    Attributes:
        text: The text.
        style: How it is spoken.
        pause_s: The stated pause behind it, which is exact; None: none is stated.
        boundary: The kind of boundary at its end; decides the pause if none is stated.
        has_markup: Whether it may have Markdown and HTML, which are stripped.
        has_pause_marks: Whether `[pause]` in it is a pause.
        has_break_tags: Whether `<break/>` in it is a pause.
        start: Its offset in the client's text, in characters.
        written: The part of the client's text that it is made of, if the request asks for times.
    """

    text: str
    style: Style = PLAIN
    pause_s: float | None = None
    boundary: Boundary = Boundary.PARAGRAPH
    has_markup: bool = True
    has_pause_marks: bool = False
    has_break_tags: bool = False
    start: int = 0
    written: Written | None = None

    def behind(self, other: Passage, space: str) -> Passage:
        """Return this passage with the text of another before it, and white space between them."""
        written = None
        if self.written and other.written:
            between = Written.of("", Alignment(), space, other.written.end)
            written = Written.joined([other.written, between, self.written])
        return replace(self, text=f"{other.text}{space}{self.text}", written=written)


def check_num_passages(num: int) -> None:
    """Check the number of passages of a text.

    Raises:
        InvalidRequest: There are more than MAX_PASSAGES.
    """
    if num > MAX_PASSAGES:
        raise InvalidRequest(
            f"The text has more than {MAX_PASSAGES} passages, which pauses, voices and paragraphs "
            "make of it: send it in parts.",
            fields={"text": [f"Has more than {MAX_PASSAGES} passages."]},
        )


@dataclass(frozen=True)
class Script:
    """The passages of a request.

    Attributes:
        passages: In the order of the text.
        lead_s: The stated pause before the first passage; the whole audio, if none has words.
    """

    passages: Sequence[Passage]
    lead_s: float = 0.0

    @property
    def is_timed(self) -> bool:
        """Whether it states pauses or a tempo, so that speed is applied to each segment instead."""
        return bool(self.lead_s) or any(
            passage.pause_s is not None or passage.style.speed != 1 for passage in self.passages
        )

    def merged(self) -> Script:
        """Return the script with neighbouring passages merged that have one style and no pause."""
        passages: list[Passage] = []
        for passage in self.passages:
            last = passages[-1] if passages else None
            if last is None or last.pause_s is not None or last.style != passage.style:
                passages.append(passage)
                continue
            space = "\n\n" if last.boundary is Boundary.PARAGRAPH else " "
            passages[-1] = passage.behind(last, space)
        return replace(self, passages=passages)
