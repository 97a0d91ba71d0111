"""SSML that a client sends piece by piece: it is spoken when all of it is there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress

from qwen_tts_api.errors import ClientLeft, TextTooLong
from qwen_tts_api.routes.request_log import RequestRecord


class GatheredText:
    """One text from `synthesize-start` to `synthesize-stop`.

    Args:
        record: Collects the text for the log.
        ending: Closed at the end, whatever it is; logs the request.
        speak: Speaks a text, and sends it.
        max_chars: Of the text.
    """

    def __init__(
        self,
        record: RequestRecord,
        ending: ExitStack,
        speak: Callable[[str], None],
        max_chars: int,
    ) -> None:
        self._record = record
        self._ending = ending
        self._speak = speak
        self._max_chars = max_chars
        self._pieces: list[str] = []
        self._num_chars = 0

    def append(self, text: str) -> None:
        """Add text, cut anywhere.

        Raises:
            TextTooLong: It has too many characters with this.
        """
        self._num_chars += len(text)
        self._pieces.append(text)
        if self._num_chars > self._max_chars:
            with self._ending:
                raise TextTooLong(
                    f"The text has more than {self._max_chars} characters (QWEN_MAX_TEXT_CHARS)."
                )

    def finish(self) -> None:
        """Speak the text, unless there is none.

        Raises:
            TTSError: It cannot be spoken.
        """
        with self._ending:
            self._record.text = text = "".join(self._pieces)
            if text.strip():
                self._speak(text)

    def close(self) -> None:
        """Forget it: the client has left."""
        with suppress(ClientLeft), self._ending:
            raise ClientLeft("The client closed the connection.")
