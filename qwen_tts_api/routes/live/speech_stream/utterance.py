"""One utterance of `/v1/audio/speech/stream`: its units, spoken one after the other."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from qwen_tts_api.errors import ClientLeft, TTSError
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.routes.apis.openai.names import FIELDS
from qwen_tts_api.routes.errors import error_type
from qwen_tts_api.routes.live.framing import Message
from qwen_tts_api.routes.live.speech_stream.stream_config import StreamConfig
from qwen_tts_api.service.live.events import (
    AudioChunk,
    Ended,
    LiveEvent,
    SegmentBegins,
    SegmentEnded,
)
from qwen_tts_api.service.live.speech import LiveSpeech
from qwen_tts_api.service.request import Client
from qwen_tts_api.service.speech import SpeechService
from qwen_tts_api.service.times.timed import TimedSegment

Document = dict[str, Any]
Send = Callable[[Message | Document], None]


class Utterance:
    """The counters of an utterance, across the texts that it consists of.

    Args:
        index: Its number in the session.
        config: The session's.
        send: Sends a message.

    Attributes:
        index: As given.
        num_units: How many units were spoken.
    """

    def __init__(self, index: int, config: StreamConfig, send: Send) -> None:
        self.index = index
        self.num_units = 0
        self._config = config
        self._send = send
        self._audio = bytearray()
        self._num_bytes = 0
        self._is_in_unit = False
        self._segments: list[TimedSegment] = []
        self._sample_rate_hz = self._num_chunks = 0
        self._unit_begins_ms = self._audio_until_ms = self._sent_until_ms = 0

    def speak(self, live: LiveSpeech, whole: str) -> None:
        """Send the units of a text; blocks until it was spoken.

        Args:
            live: The text.
            whole: The text, if it is one unit; empty: each segment is a unit.

        Raises:
            SocketClosed: Nobody listens.
        """
        try:
            for event in live.events():
                if whole:
                    self._send_text_event(event, live, whole)
                else:
                    self._send_segment_event(event, live)
        except ClientLeft:
            pass
        except TTSError as error:
            self._fail(error, whole)

    def speak_file(self, text: str, service: SpeechService, client: Client) -> None:
        """Send a text as one unit, whose file is sent when it is whole; blocks until it was spoken.

        Raises:
            SocketClosed: Nobody listens.
        """
        try:
            speech = service.synthesize(replace(self._config.speech, text=text), client)
        except ClientLeft:
            return
        except TTSError as error:
            self._fail(error, text)
        else:
            self._start(text, speech.info.sample_rate_hz)
            self._write(speech.data, round(1000 * speech.duration_s))
            self._segments += speech.times.segments if speech.times else ()
            self._done(speech.info.finish_reason)

    def _send_segment_event(self, event: LiveEvent, live: LiveSpeech) -> None:
        """Send the messages for an event of a text whose segments are units."""
        if isinstance(event, SegmentBegins):
            self._unit_begins_ms = live.milliseconds
            self._start(event.text, live.info.sample_rate_hz)
        elif isinstance(event, AudioChunk):
            self._write(event.data, live.milliseconds - self._unit_begins_ms)
        elif isinstance(event, SegmentEnded):
            self._segments += [event.times] if event.times else []
            if event.error is not None:
                self._send(error_message(event.error, is_partial=True))
            self._done(event.finish_reason, error=event.error is not None)

    def _send_text_event(self, event: LiveEvent, live: LiveSpeech, whole: str) -> None:
        """Send the messages for an event of a text that is one unit."""
        if isinstance(event, SegmentBegins | AudioChunk) and not self._is_in_unit:
            self._start(whole, live.info.sample_rate_hz)
        if isinstance(event, AudioChunk):
            self._write(event.data, live.milliseconds)
        elif isinstance(event, SegmentEnded):
            self._segments += [event.times] if event.times else []
        elif isinstance(event, Ended) and self._is_in_unit:
            self._done(event.finish_reason)

    def _fail(self, error: TTSError, whole: str) -> None:
        """Send the messages of a failed unit, whether it had begun or not."""
        self._send(error_message(error, is_partial=self._is_in_unit))
        if not self._is_in_unit:
            self._start(whole, SAMPLE_RATE_HZ)
        self._done("", error=True)

    def _start(self, text: str, sample_rate_hz: int) -> None:
        self._is_in_unit, self._num_bytes = True, 0
        self._audio.clear()
        self._segments.clear()
        self._sample_rate_hz, self._num_chunks, self._sent_until_ms = sample_rate_hz, 0, 0
        message = {
            "type": "audio.start",
            "utterance_index": self.index,
            "sentence_index": self.num_units,
            "sentence_text": text,
            "format": self._config.speech.audio_format,
        }
        if self._config.stream_audio or self._config.is_wrapped:
            message["sample_rate"] = sample_rate_hz
        if self._config.speech.timestamps:
            message["word_timestamps"] = True
        self._send(message)

    def _write(self, data: bytes, until_ms: int) -> None:
        """Send audio, or buffer it until the unit is complete; `until_ms` is where it ends."""
        self._num_bytes += len(data)
        self._audio_until_ms = until_ms
        if self._config.stream_audio:
            self._send_audio(data)
        else:
            self._audio += data

    def _send_audio(self, data: bytes) -> None:
        if self._config.speech.timestamps:
            self._send_chunk(data, None)
        else:
            self._send(data)

    def _send_chunk(self, data: bytes, words: list[Document] | None) -> None:
        """Send audio with its times or, at the end of a unit, the times of its words."""
        end_ms = max(self._audio_until_ms, self._sent_until_ms)
        self._send(
            {
                "type": "audio.chunk",
                "utterance_index": self.index,
                "sentence_index": self.num_units,
                "chunk_id": self._num_chunks,
                "chunk_start_ms": self._sent_until_ms,
                "chunk_end_ms": end_ms,
                "sample_rate": self._sample_rate_hz,
                "audio_b64": base64.b64encode(data).decode("ascii"),
                "timestamps": words,
            }
        )
        self._num_chunks += 1
        self._sent_until_ms = end_ms

    def _done(self, finish_reason: str, *, error: bool = False) -> None:
        if self._audio and not error:
            self._send_audio(bytes(self._audio))
        if self._config.speech.timestamps and not error:
            self._send_chunk(b"", [word for each in self._segments for word in _words(each)])
        self._send(
            {
                "type": "audio.done",
                "utterance_index": self.index,
                "sentence_index": self.num_units,
                "total_bytes": self._num_bytes,
                "error": error,
                "finish_reason": finish_reason or None,
            }
        )
        self._audio.clear()
        self._is_in_unit = False
        self.num_units += 1


def _words(segment: TimedSegment) -> Iterator[Document]:
    """Yield the words of a segment in vLLM-Omni's format."""
    for word in segment.words:
        start_ms, end_ms = round(1000 * word.start_s), round(1000 * word.end_s)
        yield {"word": word.text, "start_ms": start_ms, "end_ms": end_ms}


def error_message(error: TTSError, *, is_partial: bool = False) -> Document:
    """Return the message for an error; SGLang-Omni's clients read the last three fields."""
    fields = error.fields_in(FIELDS) or {}
    message: Document = {
        "type": "error",
        "message": error.message_in(FIELDS),
        "error_type": error_type(error.status),
        "param": next(iter(fields), None),
        "code": error.code,
    }
    if is_partial:
        message |= {"partial_audio": True, "action": "discard"}
    return message
