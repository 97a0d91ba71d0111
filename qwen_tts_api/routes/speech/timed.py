"""Audio in JSON with the times of segments and words, and subtitles: whole, or a line a piece."""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from qwen_tts_api.service.request import Speech, SpeechInfo, SpeechStream
from qwen_tts_api.service.times.subtitles import to_srt, to_vtt
from qwen_tts_api.service.times.timeline import TimedSegment, Times

WHOLE_TYPE, LINES_TYPE = "application/json", "application/x-ndjson"

Document = dict[str, Any]

_WORD = {
    "type": "object",
    "properties": {
        "word": {"type": "string"},
        "start": {"type": "number"},
        "end": {"type": "number"},
    },
}
_SEGMENT = {
    "type": "object",
    "properties": {
        "speaker": {"type": "string", "description": "Of a text with several voices."},
        "text": {"type": "string"},
        "start": {"type": "number", "description": "Seconds from the beginning of the file."},
        "end": {"type": "number"},
        "estimated": {"type": "boolean"},
        "words": {"type": "array", "items": _WORD},
    },
}
_PROPERTIES = {
    "media_type": {"type": "string"},
    "sample_rate": {"type": "integer"},
    "audio_base64": {"type": "string"},
    "duration": {"type": "number"},
    "finish_reason": {"type": "string"},
    "estimated": {"type": "boolean"},
    "srt": {"type": "string"},
    "vtt": {"type": "string"},
}
SCHEMAS: Mapping[str, Document] = {
    WHOLE_TYPE: {
        "type": "object",
        "description": "With `timestamps`.",
        "properties": {**_PROPERTIES, "segments": {"type": "array", "items": _SEGMENT}},
        "required": [*_PROPERTIES, "segments"],
    },
    LINES_TYPE: {
        "type": "object",
        "description": "With `timestamps` and `stream`, an object a line.",
        "properties": {**_PROPERTIES, "expected": _SEGMENT, "segment": _SEGMENT},
    },
}
"""Of the bodies, for their documentation."""


def whole(speech: Speech) -> bytes:
    """Return a whole file with the times of all of it, as one line of JSON."""
    return _line({**_head(speech.info), **_audio(speech.data), **describe_times(speech)})


def describe_times(speech: Speech) -> Document:
    """Return when what of a whole file is heard, which was asked for."""
    assert speech.times is not None
    return {
        "segments": [segment.document() for segment in speech.times.segments],
        **_summary(speech.times, speech.info.finish_reason),
    }


class TimedLines(Iterator[bytes]):
    """The lines of a stream, which are JSON objects; closing it cancels the work.

    The first tells type and rate. Then come audio, and segments: as they are expected when they
    begin, and as they were heard when they have ended. The last has subtitles of all of it.

    Args:
        stream: With times.
    """

    def __init__(self, stream: SpeechStream) -> None:
        self._stream = stream
        self._lines = deque([_line(_head(stream.info))])
        self._num_told = 0
        self._expected: TimedSegment | None = None
        self._is_over = False

    def __next__(self) -> bytes:
        while not self._lines:
            if self._is_over:
                raise StopIteration
            self._advance()
        return self._lines.popleft()

    def close(self) -> None:
        """Cancel the work."""
        self._stream.close()

    def _advance(self) -> None:
        data, progress = next(self._stream, None), self._stream.progress
        assert progress.times is not None
        for segment in progress.times.segments[self._num_told :]:
            self._lines.append(_line({"segment": segment.document()}))
            self._num_told += 1
        if progress.expected is not None and progress.expected is not self._expected:
            self._expected = progress.expected
            self._lines.append(_line({"expected": self._expected.document()}))
        if data:
            self._lines.append(_line(_audio(data)))
        elif data is None:
            self._is_over = True
            self._lines.append(_line(_summary(progress.times, progress.finish_reason)))


def _head(info: SpeechInfo) -> Document:
    return {"media_type": info.media_type, "sample_rate": info.sample_rate_hz}


def _audio(data: bytes) -> Document:
    return {"audio_base64": base64.b64encode(data).decode("ascii")}


def _summary(times: Times, finish_reason: str) -> Document:
    return {
        "duration": round(times.duration_s, 3),
        "finish_reason": finish_reason,
        "estimated": times.estimated,
        "srt": to_srt(times),
        "vtt": to_vtt(times),
    }


def _line(document: Document) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"
