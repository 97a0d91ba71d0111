"""Speech of a text that arrives while it is spoken."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np

from qwen_tts_api.audio.provenance import Provenance
from qwen_tts_api.errors import ClientLeft, TTSError
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, Prompt
from qwen_tts_api.service.live.audio import LiveAudio
from qwen_tts_api.service.live.events import (
    AudioChunk,
    Delivered,
    Ended,
    Flushed,
    LiveEvent,
    LiveInfo,
    SegmentBegins,
    SegmentEnded,
)
from qwen_tts_api.service.live.segment import Flush, LiveSegment
from qwen_tts_api.service.live.segment_queue import SegmentQueue
from qwen_tts_api.service.live.text import LiveText
from qwen_tts_api.service.metrics import RequestMetrics, outcome
from qwen_tts_api.service.plan import PAUSES_S
from qwen_tts_api.service.request import Client
from qwen_tts_api.service.result import TokenUsage
from qwen_tts_api.service.synthesis.concatenate import at_speed
from qwen_tts_api.service.synthesis.segmented_job import SILENCE_S, SegmentedJob
from qwen_tts_api.service.synthesis.trace import traced
from qwen_tts_api.service.text.normalize import nothing_to_say
from qwen_tts_api.service.text.stable_text import StatedPause
from qwen_tts_api.service.times.timed import TimedSegment


@dataclass(frozen=True)
class LivePlan:
    """What a live text is spoken with.

    Attributes:
        info: Of the audio.
        prompt: Of every segment, but for text and seed.
        provenance: Of the audio, for its trace.
        silence: Whether a text with nothing to say is answered with a short silence.
    """

    info: LiveInfo
    prompt: Prompt
    provenance: Provenance
    silence: bool


class LiveSpeech:
    """One text that is spoken while it arrives: `SpeechService.live` returns it.

    One thread writes the text: `append` any number of times, `flush` and `clear` at will, then
    `finish`. Another iterates over `events`, which ends when all has been spoken. `cancel` may come
    from either. None of the methods waits for the model, but for the iteration.

    It must be iterated or cancelled, since it keeps a place in the model's queue; its end, whatever
    it is, releases that. At shutdown it is finished by the service: what was appended is spoken.

    Args:
        text: What is appended.
        job: Its segments.
        audio: Makes the bytes.
        plan: What it is spoken with.
        metrics: Its metrics.
        client: Cancels it where it disconnects.

    Attributes:
        info: What is known of the audio.
    """

    def __init__(
        self,
        text: LiveText,
        job: SegmentedJob,
        audio: LiveAudio,
        plan: LivePlan,
        metrics: RequestMetrics,
        client: Client,
    ) -> None:
        self.info = plan.info
        self._text = text
        self._job = job
        self._audio = audio
        self._plan = plan
        self._metrics = metrics
        self._client = client
        self._queue = SegmentQueue(text, job, plan.prompt)
        self._paused_until = 0  # where the mark ends of the last pause that was handed out
        self._stopped: TTSError | None = None
        self._cancelled = ClientLeft("The speech was cancelled.")

    @property
    def usage(self) -> TokenUsage:
        """Return the usage so far."""
        return TokenUsage(self._job.num_text_tokens, self._job.num_frames)

    @property
    def is_over(self) -> bool:
        """Whether `events` has ended, or only `Ended` is left: no text is accepted any more."""
        return self._text.is_closed

    @property
    def num_characters(self) -> int:
        """How many characters have been appended."""
        return self._text.num_chars

    @property
    def milliseconds(self) -> int:
        """How much audio has been made, pauses included; after an event, until its end."""
        return self._audio.milliseconds

    @property
    def expected(self) -> TimedSegment | None:
        """When the segment that is spoken is likely to be heard, if times were asked for."""
        return self._audio.expected

    def read(self, start: int, end: int) -> str:
        """Return a part of all text that was appended, if times were asked for."""
        return self._text.read(start, end)

    def append(self, text: str) -> None:
        """Add text, cut anywhere: in a word, a number, a mark of Markdown, a surrogate pair.

        Raises:
            InvalidRequest: The text was finished, by the client or since it was silent for
                QWEN_LIVE_SILENCE_S.
            TextTooLong: It has more than QWEN_MAX_TEXT_CHARS characters with this, or more than
                QWEN_LIVE_PENDING_CHARS would wait. Nothing of `text` is added; the speech goes on.
            UnspeakableText: It is not valid Unicode. Likewise.
        """
        self._text.append(text)

    def flush(self) -> int:
        """Release all text for speaking now; return the number of the `Flushed` event behind it."""
        return self._text.flush()

    def clear(self) -> None:
        """Discard the text whose `SegmentBegins` has not been yielded."""
        self._queue.clear()

    def finish(self) -> None:
        """End the text; what was appended is spoken. Idempotent.

        Raises:
            UnspeakableText: It ends with half of a surrogate pair, which is not spoken.
        """
        self._text.finish()

    def cancel(self) -> Delivered:
        """Cancel: no audio follows, and `events` ends; return how much was yielded."""
        spoken = self._spoken()
        self._stop(self._cancelled)
        return spoken

    def events(self) -> Generator[LiveEvent, None, None]:
        """Yield events, blocking until there is one; to be iterated once, by one thread.

        The order: for each segment a `SegmentBegins`, `AudioChunk`s, a `SegmentEnded`; between them
        `Flushed`; `Ended` at last. With one container, `AudioChunk`s of its header may come before
        the first segment, of pauses between them, of its rest before `Ended`.

        Raises:
            NothingToSay: Of a text that has no words, unless `SpeechRequest.silence`. One that is
                empty or blank is none: it ends with `nothing_to_say` at once.
            QueueFull: Too much work is waiting, when the first segment is whole.
            DeadlineExceeded, Unavailable, SynthesisFailed: As of `SpeechService.stream`. With a
                container for each segment they are in its `SegmentEnded`, if it was admitted.
            ClientLeft: The client disconnected.
        """
        try:
            with (
                traced(self._plan.provenance, self._job, self._audio.pipeline),
                self._metrics,
                contextlib.closing(self._job),
                self._client.on_disconnect(self._disconnect),
            ):
                yield from self._speak()
                reason = outcome(self._job)
        except ClientLeft as error:
            if error is not self._cancelled:
                raise
            reason = "cancelled"
        finally:
            self._text.close()
        yield Ended(reason)

    def _speak(self) -> Iterator[LiveEvent]:
        while (item := self._queue.next()) is not None:
            if isinstance(item, Flush):
                yield Flushed(item.number)
            elif isinstance(item, StatedPause):
                yield from self._pause(item)
            else:
                yield from self._speak_segment(*item)
        if self._stopped is not None:
            raise self._stopped
        self._job.complete()
        if not self._job.segments and not self._paused_until and self._text.had_text:
            yield from _chunks(self._silence())
        yield from _chunks(self._audio.finish())

    def _speak_segment(self, number: int, segment: LiveSegment) -> Iterator[LiveEvent]:
        yield from _chunks(self._audio.begin(number))
        yield SegmentBegins(number, segment.text, segment.start)
        num_before, error = self._audio.num_samples, None
        self._metrics.record_begin()
        try:
            audio = self._job.samples_of(number, self._text.end_if_silent)
            for samples in at_speed(audio, self._audio.tempo):
                if len(samples):
                    self._metrics.record_audio(len(samples))
                self._audio.expect(segment)
                if self._queue.find_pause() is not None:
                    self._audio.expect_pause()
                yield from _chunks(self._audio.write(samples))
                self._queue.look_ahead()
        except TTSError as failure:
            if isinstance(failure, ClientLeft) or number >= len(self._job.jobs):
                raise
            error = failure
        times = None
        if not error or self._audio.per_segment:
            times = self._audio.time_segment(segment)
            pause = self._queue.find_pause()
            if pause is not None:
                yield from self._pause(pause)
            if pause is None or self._audio.per_segment:
                yield from _chunks(self._audio.end_segment(PAUSES_S[segment.boundary]))
        reason = "" if error else self._job.jobs[number].finish_reason
        num_samples = self._audio.num_samples - num_before
        self._metrics.record_text(len(segment.text))
        yield SegmentEnded(number, segment.text, num_samples, reason, error, times)
        if error and not self._audio.per_segment:
            raise error

    def _pause(self, pause: StatedPause) -> Iterator[LiveEvent]:
        for data in self._audio.pause(pause.seconds):
            if self._stopped is not None:
                raise self._stopped
            yield from _chunks(data)
        self._paused_until = pause.end

    def _silence(self) -> bytes:
        if not self._plan.silence:
            raise nothing_to_say()
        silence = np.zeros(round(SILENCE_S * SAMPLE_RATE_HZ), np.int16)
        return self._audio.begin(0) + self._audio.write(silence)

    def _spoken(self) -> Delivered:
        if (current := self._queue.current) is None:
            return Delivered(self._paused_until, self._audio.milliseconds)
        number, segment = current
        job = self._job.jobs[number:]
        ended = bool(job) and job[0].ended
        share = self._audio.share(segment.text, ended=ended)
        characters = segment.start + round(share * (segment.end - segment.start))
        return Delivered(max(characters, self._paused_until), self._audio.milliseconds)

    def _disconnect(self) -> None:
        self._stop(ClientLeft("The client closed the connection."))

    def _stop(self, reason: TTSError) -> None:
        self._stopped = self._stopped or reason
        self._text.close()
        self._job.cancel(reason)


def _chunks(data: bytes) -> Iterator[AudioChunk]:
    if data:
        yield AudioChunk(data)
