"""The text of a live utterance: what its client's thread writes, and its speaking thread reads."""

from __future__ import annotations

import threading
import time
import unicodedata
from collections import deque

from qwen_tts_api.errors import InvalidRequest, UnspeakableText
from qwen_tts_api.model.utterance import ArrivingText
from qwen_tts_api.service.live.segment import Flush, LiveLimits, LiveSegment
from qwen_tts_api.service.live.surrogates import join_surrogates
from qwen_tts_api.service.text.incremental import IncrementalText
from qwen_tts_api.service.text.normalize import has_words
from qwen_tts_api.service.text.script.marks import NO_MARKS, MarkKinds
from qwen_tts_api.service.text.segments import measure
from qwen_tts_api.service.text.sentences import Boundary
from qwen_tts_api.service.text.stable_text import StableText, StatedPause
from qwen_tts_api.service.text.verbalize.wording import AS_WRITTEN, Wording

NEARLY_FULL = 0.7
"""Share of a segment's maximum length from which on it ends with the next sentence."""


class LiveText:
    """Takes text in pieces, and returns it in segments. Any thread may call any method.

    Args:
        limits: Its bounds.
        normalize: Whether markup and the like are taken out.
        wording: How it is put into words.
        marks: What counts as the mark of a pause.

    Attributes:
        is_closed: Whether it was ended at once, or all of it is spoken.
    """

    def __init__(
        self,
        limits: LiveLimits,
        *,
        normalize: bool,
        wording: Wording = AS_WRITTEN,
        marks: MarkKinds = NO_MARKS,
    ) -> None:
        self._limits = limits
        self._normalize = normalize
        self._changed = threading.Condition()  # its lock guards all that follows
        self._arriving = IncrementalText(
            limits.max_letters, normalize=normalize, wording=wording, marks=marks
        )
        self._ready: deque[StableText | StatedPause | Flush] = deque()
        self._num_chars = 0
        self._kept: list[str] = []
        self._num_flushes = 0
        self._surrogate = ""  # the first half of a character
        self._had_text = False
        self._open: LiveSegment | None = None  # which is spoken, and grows
        self._finished = self.is_closed = False
        self._touched_at = time.monotonic()

    @property
    def had_text(self) -> bool:
        """Whether anything but white space was appended."""
        return self._had_text

    @property
    def num_chars(self) -> int:
        """How many characters have been appended."""
        return self._num_chars

    @property
    def num_pending(self) -> int:
        """How many characters were appended and not taken by the speaking thread."""
        with self._changed:
            ready = [each for each in self._ready if isinstance(each, StableText)]
            return self._arriving.num_pending + sum(each.end - each.start for each in ready)

    def read(self, start: int, end: int) -> str:
        """Return a part of all text that was appended, if that is kept."""
        with self._changed:
            self._kept = ["".join(self._kept)]
            return self._kept[0][start:end]

    def append(self, text: str) -> None:
        """Append text; an empty one only resets the timeout of `silence_s`.

        Raises:
            InvalidRequest: The text was finished, or has a mark of a pause that is not understood,
                or too many of them. Nothing of `text` is added.
            TextTooLong: It would be longer than allowed, or more than allowed would wait. Nothing
                of `text` is added.
            UnspeakableText: It has half of a surrogate pair, whose other half does not follow.
        """
        with self._changed:
            if self._finished and text:
                raise InvalidRequest("The text was finished: nothing can be added to it.")
            text, rest = join_surrogates(self._surrogate + text)
            self._limits.check_room(self._num_chars + len(text), self.num_pending + len(text))
            self._arriving.append(text)
            self._surrogate = rest
            self._num_chars += len(text)
            self._kept += [text] if self._limits.keeps_text else []
            self._had_text = self._had_text or bool(text.strip())
            self._ready += [] if self._limits.whole else self._arriving.take(final=False)
            if self._limits.continuous:
                self._ready += self._arriving.take_words()
            self._touch()

    def flush(self) -> int:
        """Release all text for speaking without waiting for more; return the flush's number."""
        with self._changed:
            self._ready += self._arriving.take(final=True)
            self._num_flushes += 1
            self._ready.append(Flush(self._num_flushes))
            self._touch()
            return self._num_flushes

    def clear(self) -> None:
        """Discard what was not taken; flushes stay."""
        with self._changed:
            self._arriving.clear()
            self._close_segment()
            self._surrogate = ""
            self._ready = deque(each for each in self._ready if isinstance(each, Flush))
            self._touch()

    def finish(self) -> None:
        """End the text; what was appended is still spoken.

        Raises:
            UnspeakableText: It ends with half of a surrogate pair.
        """
        with self._changed:
            if not self._finished:
                self._finish()
            if self._surrogate:
                raise UnspeakableText(
                    "The text is not valid Unicode: it ends with half of a surrogate pair.",
                    fields={"text": ["Not valid Unicode."]},
                )

    def close(self) -> None:
        """End the text at once, discard what was not taken, and wake all waiting threads."""
        with self._changed:
            self._finished = self.is_closed = True
            self._close_segment()
            self._ready.clear()
            self._touch()

    def next(self) -> LiveSegment | StatedPause | Flush | None:
        """Return what is next, waiting until there is something; None where nothing follows.

        A text of which nothing more has come for `silence_s`, while this waits, is finished.
        """
        with self._changed:
            waits_since = time.monotonic()
            while True:
                if (item := self._take()) is not None or self.is_closed:
                    return None if self.is_closed else item
                if self._finished:
                    return None
                left = max(self._touched_at, waits_since) + self._limits.silence_s
                if not self._changed.wait(max(0.0, left - time.monotonic())) and not (
                    max(self._touched_at, waits_since) + self._limits.silence_s > time.monotonic()
                ):
                    self._finish()

    def next_ahead(self, *, hurry: bool) -> LiveSegment | None:
        """Return the next segment if there is one to be spoken behind the current one.

        Args:
            hurry: Whether one that could still grow is wanted, too.
        """
        with self._changed:
            if self._open is not None:
                return None
            if self._ready and not isinstance(self._ready[0], StableText):
                return None
            words = [each.text for each in self._ready if isinstance(each, StableText)]
            is_full = measure("".join(words)) >= self._limits.max_letters
            is_ended = len(words) < len(self._ready)
            item = self._take() if hurry or is_full or is_ended or self._finished else None
            if item is None or isinstance(item, LiveSegment):
                return item
            self._ready.appendleft(item)
            return None

    def take_pause(self) -> StatedPause | None:
        """Return the pause that is stated behind the last segment, if no other text is before it.

        Several in a row are one.
        """
        with self._changed:
            pause: StatedPause | None = None
            while self._open is None and self._ready and isinstance(self._ready[0], StatedPause):
                first = self._ready.popleft()
                assert isinstance(first, StatedPause)
                pause = first.behind(pause)
            return pause

    def end_if_silent(self, last_audio_at: float) -> None:
        """Finish the text if nothing was appended or spoken for `silence_s` (`time.monotonic`)."""
        with self._changed:
            if max(self._touched_at, last_audio_at) + self._limits.silence_s < time.monotonic():
                self._finish()

    # From here on: under the lock.

    def _touch(self) -> None:
        self._grow()
        self._touched_at = time.monotonic()
        self._changed.notify_all()

    def _grow(self) -> None:
        """Append ready text to the open segment, and close that when it is long enough."""
        while self._open is not None and self._ready:
            segment, part = self._open, self._ready[0]
            limit = self._limits.max_letters
            if not isinstance(part, StableText) or measure(segment.text + part.text) > limit:
                self._close_segment()
                return
            self._ready.popleft()
            segment.grow(part)
            assert segment.source is not None
            segment.source.append(part.text)
            if self._is_nearly_full(segment):
                self._close_segment()
        if self._finished:
            self._close_segment()

    def _is_nearly_full(self, segment: LiveSegment) -> bool:
        """Return whether a segment that grows ends here: with a sentence, near its length."""
        is_long = measure(segment.text) > self._limits.max_letters * NEARLY_FULL
        return segment.boundary >= Boundary.SENTENCE and is_long

    def _close_segment(self) -> None:
        if self._open is not None and self._open.source is not None:
            self._open.source.finish()
        self._open = None

    def _finish(self) -> None:
        self._finished = True
        self._arriving.end()
        self._ready += self._arriving.take(final=True)
        self._touch()

    def _take(self) -> LiveSegment | StatedPause | Flush | None:
        """Take as many sentences as fit in a segment; those without words go with the next."""
        if self._limits.continuous:
            return self._take_words()
        group: list[StableText] = []
        while self._ready and isinstance(self._ready[0], StableText):
            words = "".join(each.text for each in [*group, self._ready[0]])
            if self._is_spoken(group) and measure(words.strip()) > self._limits.max_letters:
                break
            first = self._ready.popleft()
            assert isinstance(first, StableText)
            group.append(first)
        if self._is_spoken(group):
            return LiveSegment.of(group)
        if self._ready:  # no text, or else there would be more of the group
            end = self._ready.popleft()
            assert not isinstance(end, StableText)
            return end
        if not self._finished:
            self._ready.extendleft(reversed(group))
        return None

    def _take_words(self) -> LiveSegment | StatedPause | Flush | None:
        """Take the first words, of a segment that grows with those that follow."""
        group: list[StableText] = []
        while self._ready and not self._is_spoken(group):
            part = self._ready.popleft()
            if not isinstance(part, StableText):
                return part
            group.append(part)
        if self._is_spoken(group):
            segment = LiveSegment.of(group)
            segment.source, self._open = ArrivingText(segment.text), segment
            self._grow()
            return segment
        if not self._finished:
            self._ready.extend(group)
        return None

    def _is_spoken(self, group: list[StableText]) -> bool:
        text = "".join(each.text for each in group)
        if self._normalize:
            return has_words(text)
        return any(unicodedata.category(char)[0] not in "CZ" for char in text)
