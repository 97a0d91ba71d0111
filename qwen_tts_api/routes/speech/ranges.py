"""Speech by GET as players fetch it: in parts, all of the same audio.

Safari asks an audio element's address for two bytes first, then for the rest, maybe in several
parts. Where the request has no seed each of them would be other audio: so the last answers are kept
for a while, for requests with a `Range`.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

from flask import Request, Response, g
from werkzeug.datastructures import Headers, Range
from werkzeug.http import parse_range_header

from qwen_tts_api.audio import FORMATS
from qwen_tts_api.routes.connection import in_pieces
from qwen_tts_api.routes.openapi.operations import BINARY, Answer
from qwen_tts_api.routes.speech.response import SPEECH_HEADERS
from qwen_tts_api.service.plan import choose_output
from qwen_tts_api.service.request import SpeechRequest

KEPT_S = 60.0
"""How long an answer is kept."""

MAX_KEPT_BYTES = 32 << 20
"""How large the answers may be that are kept, in all: eleven minutes of WAV."""

PART = Answer(
    "The part of the audio that `Range` asks for.",
    BINARY,
    [*dict.fromkeys(audio_format.media_type for audio_format in FORMATS.values())],
    (*SPEECH_HEADERS, "Accept-Ranges", "Content-Range", "ETag"),
)
BEHIND_THE_END = (416, "range_not_satisfiable")
"""What a `GET` may also answer, for its documentation."""


@dataclass(frozen=True)
class _Kept:
    data: bytes
    headers: Headers
    until: float

    def response(self) -> Response:
        return Response(in_pieces(self.data), headers=self.headers.copy())


class LastAnswers:
    """Whole answers of the last minute; the oldest go first where they become too many bytes."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, _Kept] = {}
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Response | None:
        """Return an answer of the last minute."""
        with self._lock:
            self._forget()
            kept = self._answers.get(key)
        return kept.response() if kept else None

    def keep(self, key: Hashable, response: Response) -> Response:
        """Return the answer, which is kept if it is not too large."""
        data = response.get_data()
        response.set_etag(hashlib.sha256(data).hexdigest()[:32])
        kept = _Kept(data, response.headers.copy(), time.monotonic() + KEPT_S)
        with self._lock:
            self._answers.pop(key, None)
            self._answers[key] = kept
            self._forget()
        return kept.response()

    def _forget(self) -> None:
        """Drop what is too old or too much; a dictionary has the oldest first."""
        now = time.monotonic()
        num_bytes = sum(len(kept.data) for kept in self._answers.values())
        for key, kept in list(self._answers.items()):
            if kept.until > now and num_bytes <= MAX_KEPT_BYTES:
                break
            num_bytes -= len(self._answers.pop(key).data)


def respond(
    answers: LastAnswers,
    request: Request,
    asked: SpeechRequest,
    synthesize: Callable[[SpeechRequest], Response],
) -> Response:
    """Return what a request asks for: the whole, a part, or the head alone.

    Args:
        answers: Of the last minute.
        request: The client's, a GET or HEAD.
        asked: What it asks for. A stream is sent whole where a part of it is wanted.
        synthesize: Makes an answer.

    Raises:
        RequestedRangeNotSatisfiable: The part lies behind the end.
    """
    key = (g.get("client"), request.path, replace(asked, stream=False))
    if request.method == "HEAD":
        return answers.find(key) or _head(asked)
    wanted = _wanted(request)
    if asked.stream and (wanted is None or wanted.ranges == [(0, None)]):
        return synthesize(asked)
    response = (answers.find(key) if wanted else None) or answers.keep(
        key, synthesize(replace(asked, stream=False))
    )
    return _part(response, request, wanted)


def _head(asked: SpeechRequest) -> Response:
    """Return the head of an answer that nobody has made yet; its length is not known."""
    response = Response(mimetype=choose_output(asked).audio_format.media_type)
    response.automatically_set_content_length = False
    response.headers["Accept-Ranges"] = "none" if asked.stream else "bytes"
    return response


def _wanted(request: Request) -> Range | None:
    """Return the part that is asked for; what is malformed, or several parts, may be passed over.

    That is RFC 9110's rule (14.2); werkzeug's own is a 416.
    """
    wanted = parse_range_header(request.headers.get("Range"))
    return wanted if wanted and wanted.units == "bytes" and len(wanted.ranges) == 1 else None


def _part(response: Response, request: Request, wanted: Range | None) -> Response:
    environ = dict(request.environ)
    length = response.content_length or 0
    if wanted is None:
        environ.pop("HTTP_RANGE", None)
    elif wanted.ranges[0][0] < -length:  # the last bytes of what has fewer; werkzeug's 416
        environ["HTTP_RANGE"] = "bytes=0-"
    response.make_conditional(environ, accept_ranges=True, complete_length=length)
    del response.headers["Date"]  # which the server sets
    return response
