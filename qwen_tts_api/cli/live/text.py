"""A text that a thread reads while a program is still writing it."""

from __future__ import annotations

import bisect
import codecs
import threading
import time
from collections.abc import Iterator
from typing import IO

import click

from qwen_tts_api.errors import TTSError
from qwen_tts_api.service.live.segment import LiveLimits, LiveSegment
from qwen_tts_api.service.live.text import LiveText
from qwen_tts_api.service.text.script.marks import MarkKinds
from qwen_tts_api.service.text.stable_text import StatedPause

READ_BYTES = 65_536
SEGMENT_LETTERS = 400
"""The most that is requested at once, as the server's own default has it."""
MAX_PENDING_CHARS = 100_000
"""How far the program that writes may be ahead of the speech, before it has to wait."""
NO_LIMIT = 1_000_000_000

_LIMITS = LiveLimits(
    max_chars=NO_LIMIT, max_pending_chars=NO_LIMIT, max_letters=SEGMENT_LETTERS, silence_s=1e6
)


class PipedText:
    """A text that is read by a thread, and taken in segments.

    Args:
        stream: Its UTF-8, whose `read` returns what there is.
        normalize: Whether markup and the like are taken out.
        pause_marks: Whether `[pause 1.5s]` in it is a pause.
    """

    def __init__(self, stream: IO[bytes], *, normalize: bool, pause_marks: bool) -> None:
        self._stream = stream
        marks = MarkKinds(pauses=pause_marks)
        self._text = LiveText(_LIMITS, normalize=normalize, marks=marks)
        self._has_room = threading.Condition()
        self._error: Exception | None = None
        self._arrived: list[tuple[int, float]] = []  # how many characters had come, and when
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    @property
    def num_chars(self) -> int:
        """How many characters have been read."""
        return self._text.num_chars

    def arrived_at(self, offset: int) -> float:
        """Return when a character was read, by `time.monotonic`."""
        return self._arrived[bisect.bisect(self._arrived, (offset, float("inf")))][1]

    def parts(self) -> Iterator[LiveSegment | StatedPause]:
        """Yield the text in segments, as soon as each is complete, and the pauses between them.

        Raises:
            click.ClickException: The rest cannot be read.
        """
        while (part := self._text.next()) is not None:
            with self._has_room:
                self._has_room.notify_all()
            assert isinstance(part, LiveSegment | StatedPause)
            yield part
        if self._error is not None:
            raise click.ClickException(f"Reading the text failed: {self._error}.")

    def find_pause(self, segment: LiveSegment) -> StatedPause | None:
        """Return the pause that is stated behind the latest segment, as far as is known."""
        if (pause := self._text.take_pause()) is not None:
            segment.pause = pause.behind(segment.pause)
        return segment.pause

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while data := self._stream.read(READ_BYTES):
                self._append(decoder.decode(data))
            self._append(decoder.decode(b"", final=True))
        except UnicodeDecodeError as error:
            self._append(error.object[: error.start].decode())
            self._error = error
        except (OSError, TTSError) as error:
            self._error = error
        self._text.finish()

    def _append(self, text: str) -> None:
        with self._has_room:
            self._has_room.wait_for(lambda: self._text.num_pending <= MAX_PENDING_CHARS)
        self._arrived.append((self.num_chars + len(text), time.monotonic()))
        self._text.append(text)
