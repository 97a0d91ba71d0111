"""Authenticate requests by API key, and apply the rate limit.

A key is a bearer token or, as ElevenLabs' clients send it, in `xi-api-key`; a page gives it
to a WebSocket as a subprotocol (`subprotocols`).
"""

from __future__ import annotations

import math
import re
from functools import partial

from flask import Flask, Request, Response, g, request

from qwen_tts_api.config import Config
from qwen_tts_api.errors import RateLimited, Unauthorized
from qwen_tts_api.routes.security import subprotocols
from qwen_tts_api.routes.security.rate_limit import RateLimit, counted_address
from qwen_tts_api.service.api_keys import ApiKeys

MAX_WRONG_KEYS = 30
"""Failed authentications a minute and address; above it, valid keys still work."""

# Without authentication: probes and metrics, and the page, which asks for the key.
_OPEN_PATHS = frozenset(
    {"/", "/favicon.ico", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"}
)
_OPEN_PREFIXES = ("/static/", "/docs/")

_REQUEST_LINE = re.compile(rb"(?:\r\n)?(\S+) ([^\s?]*)")
_KEY = re.compile(
    rb"\r\n(?:authorization:[ \t]*bearer[ \t]+|xi-api-key:[ \t]*)([^\r\n]*?)[ \t]*(?=\r\n)", re.I
)


def register(app: Flask, config: Config, keys: ApiKeys | None) -> None:
    """Check API keys and the rate limit before each request, if they are configured.

    What a WebSocket or a batch asks for counts as a request each: `g.count_request`, with how many
    there are; it raises RateLimited.
    """
    wrong_keys = RateLimit(MAX_WRONG_KEYS)
    requests = RateLimit(config.rate_limit) if config.rate_limit else None

    def check() -> Response | None:
        # A CORS preflight never carries a key, and has no effect.
        if request.method == "OPTIONS" or is_open(request.path):
            return None
        client = counted_address(request.remote_addr)
        if keys is not None:
            client = g.client = g.record.usage.key = _check_key(keys, client, wrong_keys)
        if requests is not None:
            what = f"More than {config.rate_limit} requests a minute (QWEN_RATE_LIMIT)."
            g.count_request = partial(_count, requests, client, what)
            g.count_request()
        return None

    if keys is not None or requests is not None:
        app.before_request(check)


def has_key(head: bytes, keys: ApiKeys | None) -> bool:
    """Return whether a request seems to have a valid key, so that its body is worth receiving.

    Args:
        head: The request line and headers, as received. They are scanned, not parsed: the decision
            is made later, by `check`.
        keys: The API keys; None if authentication is off.
    """
    line = _REQUEST_LINE.match(head)
    if keys is None or line is None:
        return True
    if line[1] == b"OPTIONS" or is_open(line[2].decode("latin-1")):
        return True
    return any(keys.find(key) is not None for key in _KEY.findall(head))


def is_open(path: str) -> bool:
    """Return whether a path needs neither authentication nor a rate limit."""
    return path in _OPEN_PATHS or path.startswith(_OPEN_PREFIXES)


def _count(limit: RateLimit, client: str, what: str, num: int = 1) -> None:
    if wait_s := limit.hit(client, num):
        raise RateLimited(what, retry_after_s=max(1, math.ceil(wait_s)))


def _check_key(keys: ApiKeys, address: str, wrong_keys: RateLimit) -> str:
    """Authenticate the request; return the name of its key.

    Raises:
        RateLimited: The key is wrong, and more than MAX_WRONG_KEYS were from this address.
        Unauthorized: The key is missing or wrong.
    """
    given = bearer_of(request) or request.headers.get("xi-api-key", "")
    # WSGI decodes headers as Latin-1.
    key = given.strip().encode("latin-1", "replace") or subprotocols.key_of(request)
    if not key:
        raise Unauthorized("This server needs a key: send 'Authorization: Bearer <key>'.")
    name = keys.find(key)
    if name is None:
        _count(wrong_keys, address, f"More than {MAX_WRONG_KEYS} wrong keys a minute.")
        raise Unauthorized("The request's key is not one of this server's.")
    return name


def bearer_of(request: Request) -> str:
    """Return the bearer token of a request's `Authorization` header; empty if there is none."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
