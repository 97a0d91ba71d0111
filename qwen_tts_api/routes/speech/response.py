"""Speech as an HTTP response, whole or streamed, with headers that describe it."""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from flask import Request, Response, g

from qwen_tts_api.audio import FORMATS
from qwen_tts_api.audio.provenance import SOURCE_TYPE
from qwen_tts_api.errors import ClientLeft, TTSError
from qwen_tts_api.routes.connection import client_connection
from qwen_tts_api.routes.openapi.operations import BINARY, Answer
from qwen_tts_api.routes.request_log import RequestRecord
from qwen_tts_api.routes.speech.timed import LINES_TYPE, NATIVE, SCHEMAS, WHOLE_TYPE, TimedBody
from qwen_tts_api.service.request import SpeechRequest, choose_output
from qwen_tts_api.service.result import Speech, SpeechInfo
from qwen_tts_api.service.speech import SpeechService

SPEECH_HEADERS = (
    *("X-Seed", "X-Model", "X-Queue-Time", "X-Sample-Rate", "X-Audio-Duration", "X-RTF"),
    *("X-Finish-Reason", "X-Segments", "X-Text-Chars", "X-Text-Changes", "Server-Timing"),
    *("X-Ignored-Parameters", "X-Accel-Buffering", "X-Digital-Source-Type"),
)
"""The headers that a response with speech may have, for its documentation."""

AUDIO_TYPES = tuple(dict.fromkeys(each.media_type for each in FORMATS.values()))


def speech_answer(description: str, media_types: Sequence[str] = AUDIO_TYPES) -> Answer:
    """Return the documentation of an answer with audio, which may be in JSON."""
    return Answer(description, BINARY, media_types, SPEECH_HEADERS, SCHEMAS)


MAX_IGNORED = 32
"""How many ignored parameters are named: servers and proxies limit the size of a header."""

_PARAMETER = re.compile(r"[\w.-]{1,64}", re.ASCII)

logger = logging.getLogger(__name__)


class Chunks(Protocol):
    """Chunks of an answer that is still being made; closing them cancels the work."""

    def __next__(self) -> bytes:
        """Return the next chunk."""

    def close(self) -> None:
        """Cancel the work; may be called at any time, and again."""


class StreamedBody(Iterator[bytes]):
    """The chunks of a stream for the server; closing it cancels the work.

    Where they fail, the answer must not look finished. gunicorn closes the connection over any
    exception; over this one, of a connection that is gone, without a traceback in the log.

    Raises:
        ConnectionResetError: The rest cannot be made. It comes from the TTSError, which is logged.
    """

    def __init__(self, stream: Chunks) -> None:
        self._stream = stream
        self._record: RequestRecord = g.record
        self._ended = False

    def __next__(self) -> bytes:
        try:
            return next(self._stream)
        except StopIteration:
            self._ended = True
            raise
        except TTSError as error:
            self._record.code = error.code
            level = logging.INFO if isinstance(error, ClientLeft) else logging.WARNING
            logger.log(level, "the answer was broken off: %s (%s)", error.message, error.code)
            raise ConnectionResetError(errno.ECONNRESET, "broken off") from error

    def close(self) -> None:
        """Cancel the work that is still going on."""
        if not self._ended and not self._record.code:
            self._record.code = ClientLeft.code
        self._stream.close()


def synthesize(
    service: SpeechService,
    asked: SpeechRequest,
    request: Request,
    ignored: Sequence[str],
    names: Mapping[str, str],
    timed: TimedBody = NATIVE,
) -> Response:
    """Synthesize a request, and return the response with its audio.

    Args:
        service: The service.
        asked: The request; `stream` decides between whole and streamed.
        request: The HTTP request; its client's disconnect cancels the synthesis.
        ignored: Names of parameters that have no meaning here; a header lists them.
        names: What the client's API calls our fields, where it differs.
        timed: How it writes audio with times.
    """
    client = client_connection(request.environ)
    g.record.text = asked.whole_text
    if asked.stream:
        stream = service.stream(asked, client)
        chunks = timed.lines(stream) if asked.timestamps else stream
        content_type = LINES_TYPE if asked.timestamps else stream.info.media_type
        response = Response(StreamedBody(chunks), mimetype=content_type)
        describe(response, stream.info, ignored, names)
    else:
        speech = service.synthesize(asked, client)
        response = _whole(speech, timed)
        describe(response, speech.info, ignored, names)
    return response


def media_type(asked: SpeechRequest) -> str:
    """Return the `Content-Type` of a request's answer, before it is made."""
    if asked.timestamps:
        return LINES_TYPE if asked.stream else WHOLE_TYPE
    return choose_output(asked).audio_format.media_type


def report_ignored(response: Response, names: Sequence[str]) -> None:
    """Add the header that names ignored parameters, up to MAX_IGNORED."""
    printable = [name for name in names if _PARAMETER.fullmatch(name)]
    if printable:
        response.headers["X-Ignored-Parameters"] = ", ".join(printable[:MAX_IGNORED])


def _whole(speech: Speech, timed: TimedBody) -> Response:
    """Return an audio file, with an exact Content-Length."""
    info = speech.info
    if speech.times is None:
        response = Response(speech.data, mimetype=info.media_type)
    else:
        response = Response(timed.whole(speech), mimetype=WHOLE_TYPE)
    response.headers["X-Audio-Duration"] = f"{speech.duration_s:.3f}"
    response.headers["X-RTF"] = f"{speech.model_s / max(speech.duration_s, 1e-9):.4f}"
    stages = {"queue": info.queue_s, "model": speech.model_s, "encode": speech.encode_s}
    response.headers["Server-Timing"] = ", ".join(
        f"{stage};dur={1000 * seconds:.2f}" for stage, seconds in stages.items()
    )
    return response


def describe(
    response: Response, info: SpeechInfo, ignored: Sequence[str], names: Mapping[str, str]
) -> None:
    """Set the headers that are known before the first byte; all but the two as in `synthesize`."""
    report_ignored(response, [*ignored, *(names.get(name, name) for name in info.ignored)])
    headers = {
        "Cache-Control": "no-cache",
        "X-Queue-Time": f"{info.queue_s:.3f}",
        "X-Seed": str(info.seed),
        "X-Sample-Rate": str(info.sample_rate_hz),
        "X-Model": info.model,
        "X-Text-Chars": str(len(info.text.text)),
        "X-Segments": str(info.num_segments),
    }
    if response.is_streamed:
        headers["X-Accel-Buffering"] = "no"  # nginx would buffer the chunks
    if info.is_marked:
        headers["X-Digital-Source-Type"] = SOURCE_TYPE
    if info.finish_reason:
        headers["X-Finish-Reason"] = info.finish_reason
    if info.text.changes:
        changes = (f"{kind}={num}" for kind, num in info.text.changes.items())
        headers["X-Text-Changes"] = ", ".join(changes)
    response.headers.extend(headers)  # one by one, each would be compared with all before it
