"""An HTTP server for Qwen3-TTS: text in, speech out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from qwen_tts_api.config import Config
    from qwen_tts_api.service.speech import SpeechService

__version__ = "0.1.0"


def create_app(config: Config | None = None, service: SpeechService | None = None) -> Flask:
    """Return the WSGI application, with nothing started and nothing loaded.

    Args:
        config: The settings; read from the environment if None.
        service: What answers the requests; the real one if None. The caller calls its `start`.

    Raises:
        ConfigError: A setting in the environment is wrong.
    """
    from flask import Flask

    from qwen_tts_api.config import Config
    from qwen_tts_api.routes import register
    from qwen_tts_api.service.assembly import build_service

    config = config or Config.from_env()
    app = Flask(__name__, static_folder=None)
    register(app, config, service or build_service(config))
    return app
