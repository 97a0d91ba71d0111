"""Speech by GET as players fetch it: by `Range` requests, all of the same audio.

Safari asks an audio element's address for two bytes first, then for the rest, maybe in several
parts. Where the request has no seed each of them would be other audio: so the last responses are
cached for a while, for requests with a `Range`.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

from flask import Request, Response, g
from werkzeug.datastructures import Headers, Range
from werkzeug.exceptions import PreconditionFailed
from werkzeug.http import parse_range_header

from qwen_tts_api.routes.connection import split_body
from qwen_tts_api.routes.openapi.operations import BINARY, Answer
from qwen_tts_api.routes.speech.response import AUDIO_TYPES, SPEECH_HEADERS, media_type
from qwen_tts_api.routes.speech.timed import SCHEMAS
from qwen_tts_api.service.request import SpeechRequest

KEPT_S = 60.0
"""How long a response is cached."""

MAX_KEPT_BYTES = 32 << 20
"""The size of the cache: eleven minutes of WAV."""

PART = Answer(
    "The part of the audio that `Range` asks for.",
    BINARY,
    AUDIO_TYPES,
    (*SPEECH_HEADERS, "Accept-Ranges", "Content-Range", "ETag"),
    SCHEMAS,
)
GET_ERRORS = ((412, "precondition_failed"), (416, "range_not_satisfiable"))
"""The errors that a `GET` may also have, for its documentation."""


@dataclass(frozen=True)
class _CachedResponse:
    data: bytes
    headers: Headers
    until: float

    def response(self) -> Response:
        return Response(split_body(self.data), headers=self.headers.copy())


class ResponseCache:
    """Whole responses of the last minute; the oldest are evicted where they are too many bytes."""

    def __init__(self) -> None:
        self._responses: dict[Hashable, _CachedResponse] = {}
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Response | None:
        """Return a cached response, or None."""
        with self._lock:
            self._evict()
            kept = self._responses.get(key)
        return kept.response() if kept else None

    def keep(self, key: Hashable, response: Response) -> Response:
        """Cache a response, unless it is too large, and return it."""
        data = response.get_data()
        response.set_etag(hashlib.sha256(data).hexdigest()[:32])
        kept = _CachedResponse(data, response.headers.copy(), time.monotonic() + KEPT_S)
        with self._lock:
            self._responses.pop(key, None)
            self._responses[key] = kept
            self._evict()
        return kept.response()

    def _evict(self) -> None:
        """Evict what is too old or too much; a dictionary has the oldest first."""
        now = time.monotonic()
        num_bytes = sum(len(kept.data) for kept in self._responses.values())
        for key, kept in list(self._responses.items()):
            if kept.until > now and num_bytes <= MAX_KEPT_BYTES:
                break
            num_bytes -= len(self._responses.pop(key).data)


def respond(
    cache: ResponseCache,
    request: Request,
    asked: SpeechRequest,
    synthesize: Callable[[SpeechRequest], Response],
) -> Response:
    """Return what a request asks for: the whole, a part, or the head alone.

    Args:
        cache: Of whole responses.
        request: The client's, a GET or HEAD.
        asked: What it asks for. A stream is sent whole where a part of it is wanted.
        synthesize: Returns a new response.

    Raises:
        PreconditionFailed: The audio is none that `If-Match` names.
        RequestedRangeNotSatisfiable: The part lies behind the end.
    """
    key = (g.get("client"), request.path, replace(asked, stream=False))
    if request.method == "HEAD":
        return cache.find(key) or _head(asked)
    wanted = _wanted(request)
    if asked.stream and (wanted is None or wanted.ranges == [(0, None)]):
        return synthesize(asked)
    response = (cache.find(key) if wanted else None) or cache.keep(
        key, synthesize(replace(asked, stream=False))
    )
    return _part(response, request, wanted)


def _head(asked: SpeechRequest) -> Response:
    """Return the head of a response that was not made yet; its length is not known."""
    response = Response(mimetype=media_type(asked))
    response.automatically_set_content_length = False
    response.headers["Accept-Ranges"] = "none" if asked.stream else "bytes"
    return response


def _wanted(request: Request) -> Range | None:
    """Return the part that is asked for; what is malformed, or several parts, may be ignored.

    That is RFC 9110's rule (14.2); werkzeug's own is a 416.
    """
    wanted = parse_range_header(request.headers.get("Range"))
    return wanted if wanted and wanted.units == "bytes" and len(wanted.ranges) == 1 else None


def _part(response: Response, request: Request, wanted: Range | None) -> Response:
    # Before all else (RFC 9110, section 13.2.2): a part of another audio would not fit.
    if request.if_match and not request.if_match.contains(response.get_etag()[0] or ""):
        raise PreconditionFailed
    environ = {name: value for name, value in request.environ.items() if name != "HTTP_IF_MATCH"}
    length = response.content_length or 0
    if wanted is None:
        environ.pop("HTTP_RANGE", None)
    elif wanted.ranges[0][0] < -length:  # the last bytes of what has fewer; werkzeug's 416
        environ["HTTP_RANGE"] = "bytes=0-"
    response.make_conditional(environ, accept_ranges=True, complete_length=length)
    del response.headers["Date"]  # which the server sets
    return response
