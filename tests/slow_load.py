"""The application with a model that is not loaded before the file LOAD_WHEN is there."""

from __future__ import annotations

import os
import time
from typing import Any

from qwen_tts_api.engine import loading
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.routes import create_app
from qwen_tts_api.service import assembly


def _load_runner(*args: Any, **kwargs: Any) -> Runner:
    while not os.path.exists(os.environ["LOAD_WHEN"]):
        time.sleep(0.01)
    return loading.load_runner(*args, **kwargs)


vars(assembly)["load_runner"] = _load_runner

app = create_app()
