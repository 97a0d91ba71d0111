"""`/v1/text-to-speech/{voice_id}/stream-input` and `/multi-stream-input`: text while it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from flask import Blueprint, Request, Response, after_this_request, g

from qwen_tts_api.config import Config
from qwen_tts_api.errors import TTSError
from qwen_tts_api.routes.apis.elevenlabs.names import FIELDS
from qwen_tts_api.routes.apis.elevenlabs.schema import AddressSchema, ElevenLabsRequest
from qwen_tts_api.routes.apis.elevenlabs.sockets.context import Contexts
from qwen_tts_api.routes.apis.elevenlabs.sockets.session import MultiSession, SingleSession
from qwen_tts_api.routes.apis.elevenlabs.speech import find_request
from qwen_tts_api.routes.live.speech_queue import check_request
from qwen_tts_api.routes.live.upgrade import Session, SocketRoutes, describe_socket
from qwen_tts_api.routes.live.websocket import WebSocket
from qwen_tts_api.routes.speech.field_types import read_numbers
from qwen_tts_api.routes.speech.response import report_ignored
from qwen_tts_api.routes.speech.schema import ignored_fields, load
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.speech import SpeechService

_Kind = type[SingleSession] | type[MultiSession]


_ADDRESS = AddressSchema()

_READ_ELSEWHERE = ("output_format", "inactivity_timeout")
"""Parameters of the address that are no fields of a request."""

_KINDS: dict[str, _Kind] = {"stream-input": SingleSession, "multi-stream-input": MultiSession}

IDLE_S, MAX_IDLE_S = 20.0, 180.0
"""How long a client may say nothing while nothing is spoken, and what it may ask for."""


def add_routes(
    routes: Blueprint, config: Config, service: SpeechService, sockets: SocketRoutes
) -> None:
    """Add the routes of the sockets."""
    for path, kind in _KINDS.items():

        def begin(request: Request, kind: _Kind = kind) -> Session:
            g.field_names = FIELDS
            asked, ignored = _read_address(request, config, service)
            info = check_request(service, asked)
            idle = [FIELDS.get(name, name) for name in info.ignored] if info else []
            after_this_request(partial(_report, [*ignored, *idle]))
            idle_s = _idle_s(request.args.get("inactivity_timeout", ""))
            count = g.get("count_request", lambda: None)

            def speak(websocket: WebSocket) -> None:
                websocket.idle_timeout_s = idle_s
                kind(websocket, Contexts(websocket, service, asked, count)).run()

            return speak

        sockets.add(
            routes,
            f"/v1/text-to-speech/<voice_id>/{path}",
            begin,
            describe_socket(
                "Speak a text while it arrives: ElevenLabs-compatible",
                tag="elevenlabs",
                page="docs/api/elevenlabs.md",
                error_schema="ElevenLabsError",
                errors=(TTSError,),
            ),
        )


def _read_address(
    request: Request, config: Config, service: SpeechService
) -> tuple[SpeechRequest, list[str]]:
    """Return what the path and the query of a handshake ask for, and the names of ignored fields.

    Raises:
        InvalidRequest: A field is wrong.
    """
    args = request.args
    given = {name: args[name] for name in args if args[name] and name not in _READ_ELSEWHERE}
    ignored = ignored_fields(_ADDRESS, given)
    known = {name: value for name, value in given.items() if name not in ignored}
    asked: ElevenLabsRequest = load(_ADDRESS, read_numbers(_ADDRESS, known))
    speech = replace(asked.speech, stream=True, break_tags=True)
    voice_id = (request.view_args or {})["voice_id"]
    output_format = args.get("output_format", "")
    found, idle = find_request(speech, voice_id, output_format, config, service)
    return found, [*asked.ignored, *ignored, *idle]


def _report(ignored: Sequence[str], response: Response) -> Response:
    report_ignored(response, ignored)
    return response


def _idle_s(text: str) -> float:
    return min(max(float(text), 1.0), MAX_IDLE_S) if text.isdecimal() else IDLE_S
