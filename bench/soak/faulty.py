"""The application with a model runner that fails now and then, at every stage of an utterance.

SOAK_FAULTS is the share of calls that raise: mostly out of memory, else an error of the kind after
which a model is tried again. Lost devices are left to kills: both end the process.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from functools import wraps
from typing import Any

from qwen_tts_api import create_app
from qwen_tts_api.engine.model_runner import ModelRunner

RATE = float(os.environ["SOAK_FAULTS"])
STAGES = {"prepare": 1.0, "prefill": 1.0, "advance": 0.02, "decode": 0.2}
"""Relative to the rate: an utterance is prepared once and advanced for each of its frames."""

_random = random.Random(0)


class OutOfMemoryError(RuntimeError):
    """Named as PyTorch's own, which the engine knows by its name."""


def _faulty(method: Callable[..., Any], rate: float) -> Callable[..., Any]:
    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        if _random.random() < rate:
            error = OutOfMemoryError if _random.random() < 0.7 else RuntimeError
            raise error(f"injected into {method.__name__}")
        return method(*args, **kwargs)

    return call


for _stage, _share in STAGES.items():
    setattr(ModelRunner, _stage, _faulty(getattr(ModelRunner, _stage), RATE * _share))

app = create_app()
