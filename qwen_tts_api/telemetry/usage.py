"""What one request has used: for its line in the log, and for the metrics by API key.

The usage of the current request is a contextvar, as its span is: the service adds to it, and who
answers the request logs it. A batch and a WebSocket add to it from several threads.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

FIELDS = ("key", "characters", "audio_s", "model", "voice", "seed", "finish")
"""The fields of the line in the log, in the order in which plain lines show them."""

MAX_LISTED = 8
"""How many models, voices, seeds and ends the line of one request lists: a socket may have many."""


@dataclass(frozen=True)
class Utterance:
    """One text that was spoken, or not to its end.

    Attributes:
        model: The model's name.
        voice: The name of the speaker or registered voice; empty if it has none.
        seed: Of its sampling; the file's mark has it, too.
        outcome: Its finish reason, or the code of the error that ended it.
        characters: Of its text, if it was spoken to its end; else of the segments that were begun.
        audio_s: Seconds of audio that were made for it.
    """

    model: str
    voice: str
    seed: int
    outcome: str
    characters: int
    audio_s: float


class Usage:
    """What has been spoken for one request.

    Attributes:
        key: The name of its API key; empty if it has none.
    """

    def __init__(self) -> None:
        self.key = ""
        self._lock = threading.Lock()
        self._characters = 0
        self._audio_s = 0.0
        self._seen: dict[str, dict[str, None]] = {}

    def add(self, utterance: Utterance) -> None:
        """Count a text that has come to its end, whatever the end."""
        details = {
            "model": utterance.model,
            "voice": utterance.voice,
            "seed": str(utterance.seed),
            "finish": utterance.outcome,
        }
        with self._lock:
            self._characters += utterance.characters
            self._audio_s += utterance.audio_s
            for name, value in details.items():
                values = self._seen.setdefault(name, {})
                if value and len(values) < MAX_LISTED:
                    values[value] = None

    def fields(self) -> dict[str, Any]:
        """Return the fields of the line in the log; without speech, the key alone.

        Where there were several values, the first are listed.
        """
        with self._lock:
            fields: dict[str, Any] = {"key": self.key} if self.key else {}
            if self._seen:
                fields["characters"] = self._characters
                fields["audio_s"] = round(self._audio_s, 3)
            listed = {name: ",".join(values) for name, values in self._seen.items() if values}
        return fields | listed


_current: ContextVar[Usage | None] = ContextVar("usage", default=None)


def current() -> Usage | None:
    """Return the usage of the current request, or None."""
    return _current.get()


def enter(usage: Usage | None) -> None:
    """Set the usage of the current request; None after its end."""
    _current.set(usage)
