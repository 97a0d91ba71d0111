"""One response of Qwen-TTS-Realtime: a text and the events of its speech."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from qwen_tts_api.errors import ClientLeft, TTSError
from qwen_tts_api.routes.live.realtime.events import Event, ResponseEvents, error_event
from qwen_tts_api.routes.live.speech_queue import SpeechTask
from qwen_tts_api.service.live.events import AudioChunk, Delivered, Ended, SegmentBegins
from qwen_tts_api.service.live.speech import LiveSpeech
from qwen_tts_api.service.synthesis.segmented_job import CUT

Send = Callable[[Event], None]


class Response:
    """A live text and its events. One thread writes the text; the queue's thread calls `run`.

    Args:
        live: The text that is spoken.
        voice: As the session has it.
        send: Sends an event.

    Attributes:
        live: As given.
        task: Its task in the socket's queue; set by the session when it is queued.
    """

    def __init__(self, live: LiveSpeech, voice: str, send: Send) -> None:
        self.live = live
        self.task: SpeechTask | None = None
        self._events = ResponseEvents(voice)
        self._send = send
        self._spoken: Delivered | None = None

    def cancel(self) -> None:
        """Cancel it: its audio ends, and its last event says how much was spoken."""
        spoken = self.live.cancel()
        self._spoken = self._spoken or spoken

    def run(self) -> None:
        """Send all its events; blocks until it has ended.

        Raises:
            SocketClosed: Nobody listens.
        """
        try:
            for event in self.live.events():
                if isinstance(event, SegmentBegins | AudioChunk):
                    self._begin()
                if isinstance(event, AudioChunk):
                    self._send_all(self._events.audio(event.data))
                elif isinstance(event, Ended):
                    self._end(event.finish_reason)
        except ClientLeft:
            pass
        except TTSError as error:
            self._send(error_event(error))
            if self._events.has_begun:
                details = {"type": "failed", "error": {"code": error.code}}
                self._send_all(self._events.end("failed", self.live.num_characters, details))

    def _begin(self) -> None:
        if not self._events.has_begun:
            self._send_all(self._events.begin())

    def _end(self, reason: str) -> None:
        if reason == "nothing_to_say" and not self._events.has_begun:
            return
        self._begin()
        spoken = self._spoken
        if spoken is None or reason != "cancelled":
            cut = {"type": "completed", "reason": reason} if reason in CUT else None
            self._send_all(self._events.end("completed", self.live.num_characters, cut))
            return
        details = {
            "type": "cancelled",
            "reason": "client_cancelled",
            "spoken_characters": spoken.characters,
            "spoken_ms": spoken.milliseconds,
        }
        self._send_all(self._events.end("cancelled", spoken.characters, details))

    def _send_all(self, events: Iterable[Event]) -> None:
        for event in events:
            self._send(event)
