"""The application that gunicorn serves."""

from qwen_tts_api.wsgi import app

__all__ = ["app"]
