"""The application that gunicorn serves."""

from qwen_tts_api import create_app

app = create_app()
