"""gunicorn's settings for this checkout; `qwen_tts_api/server/gunicorn_conf.py` has them."""

from qwen_tts_api.server.gunicorn_conf import *  # noqa: F403 - gunicorn reads the names of this module
