"""What the current thread works for: the log context, the usage and the span of its request.

They are contextvars, and work that continues in another thread carries them along. The log context
says what an event belongs to: `request_id`, `segment` (of a long text), `trace_id`. Every line that
the thread logs has it, whoever logs it. The service adds to the usage, and who answers the request
logs it. A batch and a WebSocket add to it from several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwen_tts_api.telemetry.otel import Span

LogContext = Mapping[str, str]

CONTEXT_KEYS = ("request_id", "segment", "trace_id")
"""The keys of a log context, in the order in which plain lines show them."""

USAGE_FIELDS = ("key", "characters", "audio_s", "model", "voice", "seed", "outcome")
"""The fields of usage in a request's log line, in the order of plain lines."""

MAX_LISTED = 8
"""How many models, voices, seeds and ends the line of one request lists: a socket may have many."""


@dataclass(frozen=True)
class UtteranceUsage:
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
    """What has been spoken for one request: for its line in the log, and for the metrics by key.

    Attributes:
        key: The name of its API key; empty if it has none.
    """

    def __init__(self) -> None:
        self.key = ""
        self._lock = threading.Lock()
        self._characters = 0
        self._audio_s = 0.0
        self._seen: dict[str, dict[str, None]] = {}

    def add(self, utterance: UtteranceUsage) -> None:
        """Count a text that has come to its end, whatever the end."""
        details = {
            "model": utterance.model,
            "voice": utterance.voice,
            "seed": str(utterance.seed),
            "outcome": utterance.outcome,
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


_EMPTY: LogContext = MappingProxyType({})
_log_context: ContextVar[LogContext] = ContextVar("log_context", default=_EMPTY)
_usage: ContextVar[Usage | None] = ContextVar("usage", default=None)
_span: ContextVar[Span | None] = ContextVar("span", default=None)


def begin(request_id: str, usage: Usage) -> None:
    """Work for a new request, which has no span yet."""
    _log_context.set({"request_id": request_id})
    _usage.set(usage)
    _span.set(None)


def enter_span(span: Span) -> None:
    """Set the span of the current request, whose trace its log context names from here on."""
    _span.set(span)
    _log_context.set({**_log_context.get(), "trace_id": span.trace_id})


def leave_span() -> None:
    """Set none, after its end."""
    _span.set(None)


def end() -> None:
    """Work for no request any more."""
    _log_context.set(_EMPTY)
    _usage.set(None)
    _span.set(None)


def current_usage() -> Usage | None:
    """Return the usage of the current request, or None."""
    return _usage.get()


def current_span() -> Span | None:
    """Return the span of the current request, or None."""
    return _span.get()


def current_context() -> LogContext:
    """Return the log context of the current thread."""
    return _log_context.get()


def context_of(context: Context) -> LogContext:
    """Return the log context of another thread, whose contextvars are given."""
    return context.get(_log_context, _EMPTY)


@contextmanager
def bound_context(*contexts: LogContext) -> Iterator[None]:
    """Replace the log context inside the block by the given ones, all of them joined.

    A batch belongs to several requests at once:

    >>> with bound_context({"request_id": "a"}, {"request_id": "b"}):
    ...     current_context()
    {'request_id': 'a,b'}
    """
    joined: dict[str, str] = {}
    for key in CONTEXT_KEYS:
        if values := dict.fromkeys(context[key] for context in contexts if key in context):
            joined[key] = ",".join(values)
    token = _log_context.set(joined)
    try:
        yield
    finally:
        _log_context.reset(token)
