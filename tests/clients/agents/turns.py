"""What is asked of a voice agent, and what its listener gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

VOICE = "Serena"
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Turn:
    """A text that the agent speaks.

    Attributes:
        text: Comes word by word, as a language model writes.
        interrupted: Whether somebody speaks as soon as the first audio is heard.
        on_audio: Is called with the first audio.
    """

    text: str
    interrupted: bool = False
    on_audio: Callable[[], object] = lambda: None

    @property
    def pieces(self) -> list[str]:
        """The text as it comes."""
        return [f"{word} " for word in self.text.split()]


@dataclass
class Heard:
    """What came of a turn.

    Attributes:
        audio: Samples of 16 bits.
        sample_rate_hz: Theirs; 0 where there were none.
        words: Each with the second that it begins at.
        error: What the agent was told, or empty.
    """

    audio: bytes = b""
    sample_rate_hz: int = 0
    words: list[tuple[str, float]] = field(default_factory=list)
    error: str = ""
