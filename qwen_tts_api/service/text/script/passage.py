"""A script: what is said, in passages of one voice, language and tempo, with pauses between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qwen_tts_api.service.text.sentences import Boundary


@dataclass(frozen=True)
class Passage:
    """A part of a request's text that is spoken in one way; a plain text is one.

    What is empty is as the request has it.

    Attributes:
        text: What to say.
        speaker: Who says it.
        language: In which language.
        instruct: How.
        speed: Beside the request's own: 2 is twice as fast as that.
        pause_s: The stated pause behind it, which is exact; None: none is stated.
        boundary: The kind of boundary at its end, which has a pause where none is stated.
        markup: Whether it may have Markdown and HTML, which are taken out.
        place: Where it is in the request, for errors; empty: it is all of it.
    """

    text: str
    speaker: str = ""
    language: str = ""
    instruct: str = ""
    speed: float = 1.0
    pause_s: float | None = None
    boundary: Boundary = Boundary.PARAGRAPH
    markup: bool = True
    place: str = ""


@dataclass(frozen=True)
class Script:
    """The passages of a request.

    Attributes:
        passages: In the order of the text.
        lead_s: The stated pause before the first; or all there is, where none has words.
    """

    passages: Sequence[Passage]
    lead_s: float = 0.0

    @property
    def is_timed(self) -> bool:
        """Whether it states pauses or a tempo: then no speed may stretch the whole."""
        return bool(self.lead_s) or any(
            passage.pause_s is not None or passage.speed != 1 for passage in self.passages
        )
