"""A served bench, as the sockets' tests have it."""

from __future__ import annotations

from tests.routes.live.conftest import serve_port

__all__ = ["serve_port"]
