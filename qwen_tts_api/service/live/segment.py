"""The segments of a live text, and its limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qwen_tts_api.errors import TextTooLong
from qwen_tts_api.model.utterance import ArrivingText
from qwen_tts_api.service.text.aligned.written import Written
from qwen_tts_api.service.text.sentences import Boundary
from qwen_tts_api.service.text.stable_text import StableText, StatedPause
from qwen_tts_api.service.times.timed import SegmentText


@dataclass
class LiveSegment:
    """A group of sentences that is spoken as one utterance.

    Attributes:
        text: Normalized, without surrounding white space.
        start, end: Where it lies in all text that was appended, in characters.
        boundary: The kind of boundary at its end.
        source: What it goes on with while it is spoken, and these attributes with it; None where
            it is whole.
        parts: That it consists of.
        pause: That is stated behind it, as far as is known.
    """

    text: str
    start: int
    end: int
    boundary: Boundary
    source: ArrivingText | None = None
    parts: tuple[StableText, ...] = ()
    pause: StatedPause | None = None

    @classmethod
    def of(cls, parts: Sequence[StableText]) -> LiveSegment:
        """Return a segment of parts, at least one."""
        text = "".join(part.text for part in parts).strip()
        return cls(text, parts[0].start, parts[-1].end, parts[-1].boundary, parts=tuple(parts))

    def grow(self, part: StableText) -> None:
        """Append a part."""
        self.text += part.text
        self.end, self.boundary = part.end, part.boundary
        self.parts = (*self.parts, part)

    @property
    def said(self) -> SegmentText:
        """The text so far, with all that its times depend on."""
        parts = self.parts  # to which another thread may add
        text = "".join(part.text for part in parts)
        written = Written.joined([part.written for part in parts])
        return SegmentText(text.strip(), written=written.stripped(text))


@dataclass(frozen=True)
class Flush:
    """Stands between two segments where the client flushed for the `number`th time."""

    number: int


@dataclass(frozen=True)
class LiveLimits:
    """Limits of a live text, and how it is split.

    Attributes:
        max_chars: Of all text.
        max_pending_chars: Of text that is not being spoken yet.
        max_letters: Of a segment, as `segments.measure` counts.
        silence_s: The text ends where nothing more comes for so long.
        whole: Whether only what was flushed or finished is spoken, in segments as long as can be.
        continuous: Whether a segment begins with its first words, and grows while it is spoken.
        keeps_text: Whether the text can be read again.
    """

    max_chars: int
    max_pending_chars: int
    max_letters: int
    silence_s: float
    whole: bool = False
    continuous: bool = False
    keeps_text: bool = False

    def check_room(self, num_chars: int, num_pending: int) -> None:
        """Check how long a text would be, and how much of it would wait, in characters.

        Raises:
            TextTooLong: More than allowed.
        """
        if num_chars > self.max_chars:
            raise TextTooLong(
                f"The text would have {num_chars} characters; QWEN_MAX_TEXT_CHARS allows "
                f"{self.max_chars}.",
                fields={"text": [f"Longer than {self.max_chars} characters."]},
            )
        if num_pending > self.max_pending_chars:
            raise TextTooLong(
                f"{num_pending} characters would wait to be spoken; QWEN_LIVE_PENDING_CHARS allows "
                f"{self.max_pending_chars}: send more when some have been spoken.",
                fields={"text": [f"More than {self.max_pending_chars} characters wait."]},
            )
