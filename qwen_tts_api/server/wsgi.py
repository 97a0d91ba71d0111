"""The WSGI application, built at import; gunicorn's `post_fork` hook starts its service."""

from __future__ import annotations

from qwen_tts_api.routes import create_app

app = create_app()
