"""The application that gunicorn serves. Importing this makes it; gunicorn's hook starts it."""

from __future__ import annotations

from qwen_tts_api.routes import create_app

app = create_app()
