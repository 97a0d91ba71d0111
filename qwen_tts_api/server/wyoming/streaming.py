"""Text that a client sends piece by piece, and its audio, from another thread."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing

from qwen_tts_api.errors import ClientLeft, TTSError
from qwen_tts_api.routes.request_log import MAX_TEXT_CHARS, RequestRecord
from qwen_tts_api.server.wyoming.audio import AudioWriter
from qwen_tts_api.server.wyoming.events import Event
from qwen_tts_api.service.live.events import AudioChunk, Ended
from qwen_tts_api.service.live.speech import LiveSpeech


class StreamingSynthesis:
    """One text from `synthesize-start` to `synthesize-stopped`.

    The connection's thread adds text, while a thread of its own sends the audio.

    Args:
        speech: What is spoken.
        record: Collects the text for the log.
        ending: Closed at the end, whatever it is, in that thread; logs the request.
        send: Sends an event; raises OSError where the connection is gone.
        fail: Called, in that thread, with what ended it before its end.
    """

    def __init__(
        self,
        speech: LiveSpeech,
        record: RequestRecord,
        ending: ExitStack,
        send: Callable[[Event], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._speech = speech
        self._record = record
        self._ending = ending
        self._send = send
        self._fail = fail
        self._refused: TTSError | None = None
        run = contextvars.copy_context().run  # the lines in the log are those of this request
        self._thread = threading.Thread(
            target=run, args=(self._run,), name="wyoming_speech", daemon=True
        )
        self._thread.start()

    @property
    def is_spoken(self) -> bool:
        """Whether all has been sent, or failed."""
        return not self._thread.is_alive()

    def append(self, text: str) -> None:
        """Add text, cut anywhere.

        Raises:
            TTSError: As `LiveSpeech.append`.
        """
        if len(self._record.text) <= MAX_TEXT_CHARS:
            self._record.text += text
        try:
            self._speech.append(text)
        except TTSError as error:
            self._refused = error
            raise

    def finish(self) -> None:
        """End the text, and wait until all of it has been sent, or failed."""
        self._speech.finish()
        self._thread.join()

    def cancel(self) -> None:
        """Stop, and wait until nothing is sent any more."""
        self._speech.cancel()
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._ending:
                self._speak()
        except Exception as error:
            self._fail(error)

    def _speak(self) -> None:
        audio = AudioWriter(self._send)
        reason = ""
        with closing(self._speech.events()) as events:
            for event in events:
                if isinstance(event, AudioChunk):
                    audio.write(event.data, self._speech.info.sample_rate_hz)
                elif isinstance(event, Ended):
                    reason = event.finish_reason
        if reason == "cancelled":
            raise self._refused or ClientLeft("The client closed the connection.")
        audio.stop()
        self._send(Event("synthesize-stopped"))
