"""Audio in JSON with the times of segments and words, and subtitles: whole, or a line a piece."""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qwen_tts_api.service.result import Speech, SpeechInfo, SpeechStream
from qwen_tts_api.service.times.subtitles import to_srt, to_vtt
from qwen_tts_api.service.times.timed import TimedSegment, Times

WHOLE_TYPE, LINES_TYPE = "application/json", "application/x-ndjson"

Document = dict[str, Any]

_SPOKEN = {"type": "string", "description": "What is spoken, where that is not the same."}
_WORD = {
    "type": "object",
    "properties": {
        "word": {"type": "string", "description": "As it is written."},
        "start": {"type": "number"},
        "end": {"type": "number"},
        "char_start": {"type": "integer", "description": "Where it is in the text."},
        "char_end": {"type": "integer"},
        "spoken": _SPOKEN,
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
        "spoken": _SPOKEN,
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
    return line({**_head(speech.info), **_audio(speech.data), **describe_times(speech)})


def describe_times(speech: Speech) -> Document:
    """Return when what of a whole file is heard, which was asked for."""
    assert speech.times is not None
    return {
        "segments": [segment.document() for segment in speech.times.segments],
        **_summary(speech.times, speech.info.finish_reason),
    }


class TimedLines(Iterator[bytes]):
    """The lines of a stream, which are JSON objects; closing it cancels the work.

    Args:
        stream: With times.
        describe_chunk: Returns the documents of each chunk of audio, and of None at the end.
    """

    def __init__(
        self, stream: SpeechStream, describe_chunk: Callable[[bytes | None], list[Document]]
    ) -> None:
        self._stream = stream
        self._describe_chunk = describe_chunk
        self._documents = deque[Document]()
        self._is_over = False

    def __next__(self) -> bytes:
        while not self._documents:
            if self._is_over:
                raise StopIteration
            data = next(self._stream, None)
            self._documents += self._describe_chunk(data)
            self._is_over = data is None
        return line(self._documents.popleft())

    def close(self) -> None:
        """Cancel the work."""
        self._stream.close()


class _StreamDescriber:
    """Returns the documents of a stream in the native format.

    Media type and sample rate come first, then audio and segments: with expected times when a
    segment begins, with final ones when it has ended. The last document has the subtitles.

    Args:
        stream: With times.
    """

    def __init__(self, stream: SpeechStream) -> None:
        self._stream = stream
        self._head = [_head(stream.info)]
        self._num_described = 0
        self._expected: TimedSegment | None = None

    def __call__(self, data: bytes | None) -> list[Document]:
        """Return the documents of a chunk of audio; None is the end."""
        documents, self._head = self._head, []
        progress = self._stream.progress
        assert progress.times is not None
        new = progress.times.segments[self._num_described :]
        self._num_described += len(new)
        documents += [{"segment": segment.document()} for segment in new]
        if progress.expected is not None and progress.expected is not self._expected:
            self._expected = progress.expected
            documents.append({"expected": self._expected.document()})
        if data:
            documents.append(_audio(data))
        elif data is None:
            documents.append(_summary(progress.times, progress.finish_reason))
        return documents


@dataclass(frozen=True)
class TimedBody:
    """How an API writes audio with its times.

    Attributes:
        whole: Returns a whole file.
        lines: Returns the lines of a stream, whose closing cancels the work.
    """

    whole: Callable[[Speech], bytes]
    lines: Callable[[SpeechStream], TimedLines]


NATIVE = TimedBody(whole, lambda stream: TimedLines(stream, _StreamDescriber(stream)))


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


def line(document: Document) -> bytes:
    """Return a document as a line of JSON."""
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"
