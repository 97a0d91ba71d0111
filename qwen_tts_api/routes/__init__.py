"""HTTP: the only part that knows Flask and marshmallow."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask

import qwen_tts_api
from qwen_tts_api.config import Config
from qwen_tts_api.routes import errors, probes, request_log
from qwen_tts_api.routes.apis import elevenlabs, marytts, openai
from qwen_tts_api.routes.apis.elevenlabs.errors import render_error as render_elevenlabs_error
from qwen_tts_api.routes.apis.native import models, speakers, tts
from qwen_tts_api.routes.apis.openai.errors import BASE_URL_HINT, WRONG_PATH
from qwen_tts_api.routes.apis.openai.errors import render_error as render_openai_error
from qwen_tts_api.routes.connection import split_large_body
from qwen_tts_api.routes.live import realtime, speech_stream
from qwen_tts_api.routes.live.upgrade import SocketRoutes
from qwen_tts_api.routes.openapi import document
from qwen_tts_api.routes.page import page
from qwen_tts_api.routes.security import authentication, origins
from qwen_tts_api.routes.speech.ranges import ResponseCache
from qwen_tts_api.service.assembly import build_service
from qwen_tts_api.service.speech import SpeechService

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

EXTENSION = "qwen_tts_api"
"""Where the application keeps its `SpeechService`: `app.extensions[EXTENSION]`."""

SOCKETS = "qwen_tts_api.sockets"
"""Where it keeps its `OpenSockets`, likewise."""


def create_app(config: Config | None = None, service: SpeechService | None = None) -> Flask:
    """Return the WSGI application, with nothing started and nothing loaded.

    Args:
        config: The settings; read from the environment if None.
        service: What answers the requests; the real one if None. The caller calls its `start`.

    Raises:
        ConfigError: A setting in the environment is wrong.
    """
    config = config or Config.from_env()
    app = Flask(qwen_tts_api.__name__, static_folder=None)
    _register(app, config, service or build_service(config))
    return app


def create_ops_app(service: SpeechService) -> Flask:
    """Return the application of the ops port: probes and metrics."""
    app = Flask(__name__, static_folder=None)
    _register_ops(app, service, log_text=False)
    errors.register(app, {})
    return app


def _register(app: Flask, config: Config, service: SpeechService) -> None:
    """Add every route, the error handlers and the request log to an application."""
    app.extensions[EXTENSION] = service
    renderers = {
        **dict.fromkeys(elevenlabs.PATHS, render_elevenlabs_error),
        openai.PREFIX: render_openai_error,
        realtime.PREFIX: realtime.render_error,
        **dict.fromkeys(marytts.PATHS, marytts.render_error),
    }
    wrong_base_urls = [errors.WrongBaseUrl(WRONG_PATH, render_openai_error, BASE_URL_HINT)]
    _register_ops(app, service, log_text=config.log_text)
    errors.register(app, renderers, wrong_base_urls)
    if service.tracer is not None:
        request_log.register_tracing(app, service.tracer)
    origins.register(app, config)
    authentication.register(app, config, service.keys)
    app.after_request(split_large_body)
    sockets = SocketRoutes(config, service.metrics)
    app.extensions[SOCKETS] = sockets.open
    cache = ResponseCache()
    app.register_blueprint(tts.blueprint(config, service, cache))
    app.register_blueprint(openai.blueprint(config, service))
    app.register_blueprint(elevenlabs.blueprint(config, service, sockets))
    app.register_blueprint(marytts.blueprint(config, service, cache))
    app.register_blueprint(speakers.blueprint(config, service))
    app.register_blueprint(models.blueprint(config, service))
    app.register_blueprint(page.blueprint(config, service))
    app.register_blueprint(realtime.blueprint(config, service, sockets))
    app.register_blueprint(speech_stream.blueprint(config, service, sockets))
    app.register_blueprint(document.blueprint(config))


def _register_ops(app: Flask, service: SpeechService, *, log_text: bool) -> None:
    """Add what both ports have: the request log, probes and metrics."""
    app.wsgi_app = _merge_slashes(app.wsgi_app)  # type: ignore[assignment, method-assign]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    request_log.register(app, service.metrics, log_text=log_text)
    app.register_blueprint(probes.blueprint(service))
    app.register_blueprint(probes.metrics_blueprint(service))


def _merge_slashes(application: WSGIApplication) -> WSGIApplication:
    """Serve `//api/tts` as `/api/tts`, as nginx does: base URLs are given with a slash at the end.

    Flask would redirect to an address that is wrong behind a proxy.
    """

    def merged(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = re.sub("/{2,}", "/", environ["PATH_INFO"]) or "/"
        return application(environ, start_response)

    return merged
