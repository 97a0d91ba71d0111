"""Speech as server-sent events: `speech.audio.delta` ..., then `speech.audio.done` with the usage.

Each is one `data:` line of JSON, as OpenAI sends them, without an `event:` line: a browser's
EventSource then hands all of them to `onmessage`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Generator, Iterator
from typing import Any

from qwen_tts_api.errors import TTSError
from qwen_tts_api.routes.errors import ErrorBody
from qwen_tts_api.routes.openai.errors import describe
from qwen_tts_api.routes.openai.names import FIELDS
from qwen_tts_api.routes.speech.response import Parts
from qwen_tts_api.service.request import SpeechStream


class Events(Iterator[bytes]):
    """The events of a stream; closing it ends the work, even before the first event."""

    def __init__(self, stream: SpeechStream) -> None:
        self._parts = Parts(stream.chunks)
        self._events = _events(self._parts, stream)

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        """End the work that is still going on."""
        self._events.close()
        self._parts.close()


def _events(parts: Parts, stream: SpeechStream) -> Generator[bytes, None, None]:
    try:
        for part in parts:
            if part:
                audio = base64.b64encode(part).decode("ascii")
                yield _event({"type": "speech.audio.delta", "audio": audio})
    except ConnectionResetError as error:
        if isinstance(error.__cause__, TTSError):
            yield _event(
                {"type": "error", "error": describe(ErrorBody.of(error.__cause__, FIELDS))}
            )
        raise  # and the connection breaks: some clients look for no event but the deltas
    yield _event({"type": "speech.audio.done", "usage": _usage(stream)})


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"


def _usage(stream: SpeechStream) -> dict[str, int]:
    """Count the text's tokens, and as output the frames of audio, 12.5 a second."""
    text, audio = stream.job.num_text_tokens, stream.job.num_frames
    return {"input_tokens": text, "output_tokens": audio, "total_tokens": text + audio}
