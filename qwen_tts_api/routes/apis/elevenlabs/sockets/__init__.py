"""`/v1/text-to-speech/{voice_id}/stream-input` and `/multi-stream-input`: text while it arrives."""

from __future__ import annotations

from flask import Blueprint, Request, g
from marshmallow import Schema

from qwen_tts_api.config import Config
from qwen_tts_api.errors import TTSError
from qwen_tts_api.routes.apis.elevenlabs.names import FIELDS
from qwen_tts_api.routes.apis.elevenlabs.schema import NORMALIZE
from qwen_tts_api.routes.apis.elevenlabs.sockets.context import Contexts
from qwen_tts_api.routes.apis.elevenlabs.sockets.session import MultiSession, SingleSession
from qwen_tts_api.routes.apis.elevenlabs.speech import find_request
from qwen_tts_api.routes.live.turns import check_request
from qwen_tts_api.routes.live.upgrade import Session, SocketRoutes, describe_socket
from qwen_tts_api.routes.live.websocket import WebSocket
from qwen_tts_api.routes.speech.field_types import choice, live_mode, seed, switch
from qwen_tts_api.routes.speech.schema import load
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.speech import SpeechService

_Kind = type[SingleSession] | type[MultiSession]


class _Query(Schema):
    """Parameters of the address, of which ElevenLabs does not have all."""

    live_mode = live_mode()
    pause_marks = switch("As in the body of a request.")
    seed = seed("As in the body of a request.")
    apply_text_normalization = choice("As in the body of a request.", *NORMALIZE)


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
            asked = _read_query(request, config, service)
            check_request(service, asked)
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


def _read_query(request: Request, config: Config, service: SpeechService) -> SpeechRequest:
    """Return what the path and the query of a handshake ask for."""
    args = request.args
    given = load(_Query(), {name: args[name] for name in _Query().fields if args.get(name)})
    asked = SpeechRequest(
        model=args.get("model_id", ""),
        language=args.get("language_code", ""),
        stream=True,
        break_tags=True,
        normalize=NORMALIZE.get(given.get("apply_text_normalization", "")),
        live_mode=given.get("live_mode", ""),
        pause_marks=given.get("pause_marks"),
        seed=given.get("seed"),
    )
    voice_id = (request.view_args or {})["voice_id"]
    found, _ = find_request(asked, voice_id, args.get("output_format", ""), config, service)
    return found


def _idle_s(text: str) -> float:
    return min(max(float(text), 1.0), MAX_IDLE_S) if text.isdecimal() else IDLE_S
