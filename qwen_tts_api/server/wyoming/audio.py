"""The audio of an answer as Wyoming's events."""

from __future__ import annotations

from collections.abc import Callable

from qwen_tts_api.routes.connection import split_body
from qwen_tts_api.server.wyoming.events import Event

SAMPLE_BYTES = 2


class AudioWriter:
    """Sends samples as one `audio-start`, `audio-chunk`s and one `audio-stop`.

    There is one start, however many segments the audio has: Home Assistant makes the head of its
    file of the first, and loses all that comes before it.

    Args:
        send: Sends an event.
    """

    def __init__(self, send: Callable[[Event], None]) -> None:
        self._send = send
        self._format: dict[str, int] = {}
        self._num_bytes = 0

    def write(self, samples: bytes, rate_hz: int) -> None:
        """Send samples: 16 bit, mono, little-endian; of the same rate in every call."""
        if not self._format:
            self._format = {"rate": rate_hz, "width": SAMPLE_BYTES, "channels": 1}
            self._send(Event("audio-start", self._fields()))
        for chunk in split_body(samples):
            self._send(Event("audio-chunk", self._fields(), chunk))
            self._num_bytes += len(chunk)

    def stop(self) -> None:
        """Send the end of the audio, if there was any."""
        if self._format:
            self._send(Event("audio-stop", {"timestamp": self._timestamp()}))

    def _fields(self) -> dict[str, int]:
        return {**self._format, "timestamp": self._timestamp()}

    def _timestamp(self) -> int:
        """Return the position in the audio in milliseconds."""
        return 1000 * self._num_bytes // (SAMPLE_BYTES * self._format["rate"])
