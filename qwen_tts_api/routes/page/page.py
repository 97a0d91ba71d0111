"""The page at `/`: type a text, choose a voice, and hear the stream."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response

from qwen_tts_api.audio import DEFAULT_FORMAT, FORMATS
from qwen_tts_api.config import Config
from qwen_tts_api.config.settings import LIVE_MODES
from qwen_tts_api.errors import TTSError
from qwen_tts_api.routes.openapi.operations import BINARY, NOT_FOUND, TEXT, Answer, Operation
from qwen_tts_api.routes.page.assets import MEDIA_TYPES, send_asset, send_page
from qwen_tts_api.service.speech import SpeechService

_STATIC = Path(__file__).parent / "static"


def blueprint(config: Config, service: SpeechService) -> Blueprint:
    """Return the routes of the page and its static files."""
    routes = Blueprint("page", __name__, template_folder="templates")

    @routes.get("/")
    @Operation(
        "Type, choose and listen, in a browser",
        tag="pages",
        description='It has `<option value="X" SELECTED>X</option>` for each speaker and for '
        "nothing else, which is how Coqui's clients learn the speakers.",
        answers={200: Answer("The page.", TEXT, ["text/html"])},
    )
    def page() -> Response:
        values = {
            "speakers": _speakers(service),
            "formats": " ".join(FORMATS),
            "default_format": DEFAULT_FORMAT,
            "language": config.default_language,
            "max_text_chars": config.max_text_chars,
            "live": config.max_sockets > 0,
            "live_modes": " ".join(LIVE_MODES),
        }
        return send_page("index.html", values)

    @routes.get("/favicon.ico")
    @Operation(
        "The icon",
        tag="pages",
        description="Browsers ask for it beside what names none, such as `/readyz`.",
        answers={200: Answer("The icon.", BINARY, [MEDIA_TYPES[".svg"]])},
    )
    def icon() -> Response:
        return send_asset(_STATIC, "icon.svg")

    @routes.get("/static/<path:name>")
    @Operation(
        "A part of the page",
        tag="pages",
        answers={200: Answer("The file.", BINARY, MEDIA_TYPES.values())},
        errors=(NOT_FOUND,),
    )
    def static_file(name: str) -> Response:
        return send_asset(_STATIC, name)

    return routes


def _speakers(service: SpeechService) -> list[str]:
    """Return the values of `speaker`; none while the model loads, so that the page never waits."""
    if service.status().state == "loading":
        return []
    try:
        return [voice.id for voice in service.voices.list()]
    except TTSError:
        return []  # the page shows why
