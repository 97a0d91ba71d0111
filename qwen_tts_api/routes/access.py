"""Who may come in, how often, and from which web pages."""

from __future__ import annotations

import math
import time

from flask import Flask, Response, g, request
from flask_cors import CORS
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from qwen_tts_api.config import Config
from qwen_tts_api.errors import RateLimited, Unauthorized
from qwen_tts_api.routes.speech_response import SPEECH_HEADERS
from qwen_tts_api.service.keys import ApiKeys

# For probes and scrapers, which carry no key, and the page, which asks for it.
_OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"})
_OPEN_PREFIXES = ("/static/", "/docs/")
_EXPOSED_HEADERS = ["X-Request-Id", "Retry-After", *SPEECH_HEADERS]


def register(app: Flask, config: Config) -> None:
    """Add what the settings ask for: keys, a rate limit, an allow-list of origins."""
    if config.cors_origins:
        CORS(
            app,
            origins=list(config.cors_origins),
            expose_headers=_EXPOSED_HEADERS,
            max_age=600,
            send_wildcard=True,
        )
    keys = ApiKeys(config.api_keys_file) if config.api_keys_file else None
    limiter = MovingWindowRateLimiter(MemoryStorage())
    limit = RateLimitItemPerMinute(config.rate_limit) if config.rate_limit else None

    def check() -> Response | None:
        # A preflight carries no key by design of the browsers; it does nothing.
        if request.method == "OPTIONS" or is_open(request.path):
            return None
        client = request.remote_addr or ""
        if keys is not None:
            client = g.client = _check_key(keys)
        if limit is not None and not limiter.hit(limit, client):
            reset_at = limiter.get_window_stats(limit, client).reset_time
            raise RateLimited(
                f"More than {config.rate_limit} requests a minute (QWEN_RATE_LIMIT).",
                retry_after_s=max(1, math.ceil(reset_at - time.time())),
            )
        return None

    if keys is not None or limit is not None:
        app.before_request(check)


def is_open(path: str) -> bool:
    """Tell whether a path needs no key and has no limit."""
    return path in _OPEN_PATHS or path.startswith(_OPEN_PREFIXES)


def _check_key(keys: ApiKeys) -> str:
    """Return the name of the request's key.

    Raises:
        Unauthorized: It has none, or a wrong one.
    """
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("This server needs a key: send 'Authorization: Bearer <key>'.")
    name = keys.find(key.strip())
    if name is None:
        raise Unauthorized("The key in the Authorization header is not one of this server's.")
    return name
