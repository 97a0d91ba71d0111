"""API keys among the subprotocols of a WebSocket's handshake, for pages.

A browser lets a page choose nothing of a handshake but the address, which is logged, and the
subprotocols (RFC 6455, section 1.9), of which the server has to choose one.
"""

from __future__ import annotations

import base64

from flask import Request

KEY_PREFIX = "bearer."
"""Before the key, in UTF-8 and URL-safe base64 without padding."""


def offered(request: Request) -> list[str]:
    """Return the subprotocols that a handshake offers, in their order."""
    names = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    return [name.strip() for name in names if name.strip()]


def choose(request: Request) -> str:
    """Return the subprotocol to answer with: the first that is no key; empty if none is."""
    return next((name for name in offered(request) if not name.startswith(KEY_PREFIX)), "")


def key_of(request: Request) -> bytes:
    """Return the key that a handshake offers as a subprotocol; empty if there is none."""
    for name in offered(request):
        if name.startswith(KEY_PREFIX):
            encoded = name.removeprefix(KEY_PREFIX)
            try:
                return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            except ValueError:
                return encoded.encode("latin-1", "replace")  # a key that is none
    return b""
