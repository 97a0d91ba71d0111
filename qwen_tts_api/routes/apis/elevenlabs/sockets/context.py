"""A context: one text that is spoken while it arrives, and what is sent of it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from qwen_tts_api.errors import InvalidRequest, TTSError
from qwen_tts_api.routes.apis.elevenlabs.alignment import Alignment, Alignments
from qwen_tts_api.routes.apis.elevenlabs.names import FIELDS
from qwen_tts_api.routes.apis.elevenlabs.schema import read_speed
from qwen_tts_api.routes.apis.elevenlabs.timestamps import spoken
from qwen_tts_api.routes.live.speech_queue import SpeechQueue
from qwen_tts_api.routes.live.websocket import WebSocket
from qwen_tts_api.service.live.speech import LiveSpeech
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.speech import SpeechService

MAX_CONTEXTS = 5
"""How many texts may be spoken on one socket at once, as in ElevenLabs' cloud."""

Document = dict[str, Any]


class Context:
    """One text.

    Args:
        websocket: Where its audio goes.
        live: The text.
        name: Its `contextId`; None on a socket of one context, which names none.
        speed: Of its speech.
        when_over: Called when all of it was sent, in the thread that sends.

    Attributes:
        live: As given.
    """

    def __init__(
        self,
        websocket: WebSocket,
        live: LiveSpeech,
        name: str | None,
        speed: float,
        when_over: Callable[[], object],
    ) -> None:
        self._websocket = websocket
        self._label = {} if name is None else {"contextId": name}
        self._when_over = when_over
        self.live = live
        self._speed = speed
        self._is_finished = False
        self._speech_queue = SpeechQueue(websocket)
        self._speech_queue.add(self._speak, live.cancel)

    def check_settings(self, settings: Any) -> None:
        """Refuse other settings of the voice than those that the text began with.

        Raises:
            InvalidRequest: They are others, or wrong.
        """
        speed = read_speed(settings or {})
        if speed is not None and speed != self._speed:
            raise InvalidRequest(
                "The text has begun with another speed: its voice_settings are in its first "
                "message.",
                fields={"voice_settings": ["Must be as in the first message, or left out."]},
            )

    def finish(self) -> None:
        """End the text, which is spoken to its end; stop that where it had been ended before.

        Pipecat ends every text when it is whole, and again when somebody interrupts.
        """
        if self._is_finished:
            self.close()  # also sends its end, before another begins under its name
        else:
            self._is_finished = True
            self.live.finish()

    def close(self) -> None:
        """Stop it, and wait for the thread that sends."""
        self._speech_queue.close()

    def _speak(self) -> None:
        try:
            begins_ms = [0.0, 0.0]
            for data, alignments in spoken(self.live):
                self._send(audio_message(data, alignments, begins_ms))
                begins_ms = [
                    each.ends_ms[-1] if each else begin_ms
                    for each, begin_ms in zip(alignments, begins_ms, strict=True)
                ]
        except TTSError as error:
            if self._websocket.is_open:
                self._send(error_message(error))
        self._send({"audio": None, "isFinal": True})
        self._when_over()

    def _send(self, document: Document) -> None:
        self._websocket.send(json.dumps({**document, **self._label}))


class Contexts:
    """The contexts of one socket.

    Args:
        websocket: The socket.
        service: Speaks.
        asked: What every text is spoken with.
        count: Counts a text for the rate limit; raises RateLimited.
    """

    def __init__(
        self,
        websocket: WebSocket,
        service: SpeechService,
        asked: SpeechRequest,
        count: Callable[[], object],
    ) -> None:
        self._websocket = websocket
        self._service = service
        self._asked = asked
        self._count = count
        self._contexts: dict[str | None, Context] = {}
        self._lock = threading.Lock()  # guards what follows
        self._num_open = 0
        self._is_closing = False

    def find(self, name: str | None) -> Context | None:
        """Return a context whose text has not been spoken to its end."""
        context = self._contexts.get(name)
        return context if context is not None and not context.live.is_over else None

    def open(self, name: str | None, settings: Any) -> Context:
        """Begin a text.

        Args:
            name: Of the context.
            settings: Of the voice, as in the API; may be null.

        Raises:
            InvalidRequest: There are too many, or the settings are wrong.
            TTSError: It cannot be spoken now.
        """
        speed = read_speed(settings or {}) or self._asked.speed
        self._contexts = {
            name: context for name, context in self._contexts.items() if not context.live.is_over
        }
        if len(self._contexts) >= MAX_CONTEXTS:
            raise InvalidRequest(
                f"{MAX_CONTEXTS} contexts are open on this socket: close one before another."
            )
        if self._is_closing:
            raise InvalidRequest("This socket takes no more text: open another.")
        self._count()
        live = self._service.live(
            replace(self._asked, speed=speed, timestamps=True), self._websocket
        )
        with self._lock:
            self._num_open += 1
        self._contexts[name] = Context(self._websocket, live, name, speed or 1.0, self._ended)
        return self._contexts[name]

    def finish(self) -> None:
        """End all texts."""
        for context in self._contexts.values():
            context.live.finish()

    def close_when_over(self) -> None:
        """Begin no more texts, and close the socket when none is spoken any more."""
        with self._lock:
            self._is_closing = True
            is_over = not self._num_open
        if is_over:
            self._websocket.close()

    def close(self) -> None:
        """Stop all."""
        for context in self._contexts.values():
            context.close()

    def _ended(self) -> None:
        with self._lock:
            self._num_open -= 1
            is_over = self._is_closing and not self._num_open
        if is_over:
            self._websocket.close()


def audio_message(data: bytes, alignments: Alignments, begins_ms: Sequence[float]) -> Document:
    """Return a message with audio; its times begin where those of the one before ended."""
    written, spoken = map(_aligned, alignments, begins_ms)
    audio = base64.b64encode(data).decode("ascii")
    return {"audio": audio, "isFinal": None, "alignment": written, "normalizedAlignment": spoken}


def _aligned(alignment: Alignment, begin_ms: float) -> Document | None:
    if not alignment:
        return None
    starts = [round(ms - begin_ms) for ms in alignment.starts_ms]
    ends = [round(ms - begin_ms) for ms in alignment.ends_ms]
    return {
        "chars": alignment.characters,
        "charStartTimesMs": starts,
        "charDurationsMs": [end - start for start, end in zip(starts, ends, strict=True)],
    }


def error_message(error: TTSError) -> Document:
    """Return the message for an error."""
    return {"error": error.code, "message": error.message_in(FIELDS), "code": 1008}
