"""The application that gunicorn serves."""

from qwen_tts_api.server.wsgi import app

__all__ = ["app"]
