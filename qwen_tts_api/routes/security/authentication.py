"""Who may come in, and how often."""

from __future__ import annotations

import ipaddress
import math
import re

from flask import Flask, Response, g, request

from qwen_tts_api.config import Config
from qwen_tts_api.errors import RateLimited, Unauthorized
from qwen_tts_api.routes.security.rate_limit import RateLimit
from qwen_tts_api.service.keys import ApiKeys

MAX_WRONG_KEYS = 30
"""Of one address, a minute. Right keys from there come in all the same."""

# For probes and scrapers, which carry no key, and the page, which asks for it.
_OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"})
_OPEN_PREFIXES = ("/static/", "/docs/")

_REQUEST_LINE = re.compile(rb"(?:\r\n)?(\S+) ([^\s?]*)")
_BEARER = re.compile(rb"\r\nauthorization:[ \t]*bearer[ \t]+([^\r\n]*?)[ \t]*\r\n", re.I)


def register(app: Flask, config: Config, keys: ApiKeys | None) -> None:
    """Add what the settings ask for: keys, a rate limit."""
    wrong_keys = RateLimit(MAX_WRONG_KEYS)
    requests = RateLimit(config.rate_limit) if config.rate_limit else None

    def check() -> Response | None:
        # A preflight carries no key by design of the browsers; it does nothing.
        if request.method == "OPTIONS" or is_open(request.path):
            return None
        client = _address(request.remote_addr)
        if keys is not None:
            client = g.client = _check_key(keys, client, wrong_keys)
        if requests is not None:
            what = f"More than {config.rate_limit} requests a minute (QWEN_RATE_LIMIT)."
            _count(requests, client, what)
        return None

    if keys is not None or requests is not None:
        app.before_request(check)


def has_key(head: bytes, keys: ApiKeys | None) -> bool:
    """Tell whether a body is worth waiting for: of whom `check` refuses, none is received.

    Args:
        head: Of the request, as it was sent. Where this errs, `check` does not.
    """
    line = _REQUEST_LINE.match(head)
    if keys is None or line is None:
        return True
    if line[1] == b"OPTIONS" or is_open(line[2].decode("latin-1")):
        return True
    bearer = _BEARER.search(head)
    return bearer is not None and keys.find(bearer[1]) is not None


def is_open(path: str) -> bool:
    """Tell whether a path needs no key and has no limit."""
    return path in _OPEN_PATHS or path.startswith(_OPEN_PREFIXES)


def _count(limit: RateLimit, client: str, what: str) -> None:
    if wait_s := limit.hit(client):
        raise RateLimited(what, retry_after_s=max(1, math.ceil(wait_s)))


def _check_key(keys: ApiKeys, address: str, wrong_keys: RateLimit) -> str:
    """Return the name of the request's key.

    Raises:
        RateLimited: It has a wrong one, and so had others from this address.
        Unauthorized: It has none, or a wrong one.
    """
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("This server needs a key: send 'Authorization: Bearer <key>'.")
    # WSGI reads headers as Latin-1, whatever the bytes are.
    name = keys.find(key.strip().encode("latin-1", "replace"))
    if name is None:
        _count(wrong_keys, address, f"More than {MAX_WRONG_KEYS} wrong keys a minute.")
        raise Unauthorized("The key in the Authorization header is not one of this server's.")
    return name


def _address(peer: str | None) -> str:
    """Return whose address that is: of IPv6 the network, of which one host has all addresses."""
    try:
        address = ipaddress.ip_address(peer or "")
    except ValueError:  # a Unix socket has none
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))
