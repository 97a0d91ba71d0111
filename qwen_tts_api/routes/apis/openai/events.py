"""Send speech as server-sent events: `speech.audio.delta`, then `speech.audio.done` with usage.

Each event is a `data:` line of JSON without an `event:` line, as OpenAI sends them, so that a
browser's EventSource passes all of them to `onmessage`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from qwen_tts_api.errors import TTSError
from qwen_tts_api.routes.apis.openai.errors import describe
from qwen_tts_api.routes.apis.openai.names import FIELDS
from qwen_tts_api.routes.errors import ErrorBody
from qwen_tts_api.routes.speech.response import StreamedBody
from qwen_tts_api.service.result import SpeechStream, TokenUsage
from qwen_tts_api.service.times.timed import TimedSegment


class Events(Iterator[bytes]):
    """Iterates over the events of a stream; `close` cancels it, even before the first event."""

    def __init__(self, stream: SpeechStream) -> None:
        self._body = StreamedBody(stream)
        self._events = _events(self._body, stream)

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        """Cancel the stream."""
        self._events.close()
        self._body.close()


def _events(body: StreamedBody, stream: SpeechStream) -> Generator[bytes, None, None]:
    num_sent = 0

    def segments() -> Sequence[TimedSegment]:
        """Return the segments that have ended since the last call, if times were asked for."""
        nonlocal num_sent
        times = stream.progress.times
        new = times.segments[num_sent:] if times else ()
        num_sent += len(new)
        return new

    try:
        for chunk in body:
            if chunk:
                audio = base64.b64encode(chunk).decode("ascii")
                yield _event({"type": "speech.audio.delta", "audio": audio})
            for segment in segments():
                yield _event({"type": "speech.audio.segment", **segment.document()})
    except ConnectionResetError as error:
        if isinstance(error.__cause__, TTSError):
            yield _event(
                {"type": "error", "error": describe(ErrorBody.of(error.__cause__, FIELDS))}
            )
        raise  # and close the connection: some clients ignore the event
    for segment in segments():
        yield _event({"type": "speech.audio.segment", **segment.document()})
    progress = stream.progress
    usage, reason = describe_usage(progress.usage), progress.finish_reason
    yield _event({"type": "speech.audio.done", "usage": usage, "finish_reason": reason})


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"


def describe_usage(usage: TokenUsage) -> dict[str, int]:
    """Return the usage: input is tokens of the text, output is frames of audio, 12.5 a second."""
    text, audio = usage.num_text_tokens, usage.num_frames
    return {"input_tokens": text, "output_tokens": audio, "total_tokens": text + audio}
