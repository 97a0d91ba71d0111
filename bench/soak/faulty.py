"""Fault injection: the application with a model that fails at random, at every stage.

Its environment says how:

- SOAK_FAULTS is the share of calls that raise: mostly out of memory, else an error of the kind
  after which a model is tried again.
- SOAK_LEDGER is a file that gets a line for each that did.
- SOAK_LOST is a file whose being there means that the device is lost: then every call raises what
  CUDA raises.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from qwen_tts_api.engine import loading
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.engine.runner.model_runner import ModelRunner
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.routes import create_app
from qwen_tts_api.service import assembly

RATE = float(os.environ["SOAK_FAULTS"])
LOST = os.environ["SOAK_LOST"]
STAGES: list[tuple[type, str, float]] = [
    (ModelRunner, "prepare", 0.5),
    (LoadedModel, "clone", 10),
    (ModelRunner, "prefill", 1),
    (ModelRunner, "advance", 0.02),
    (ModelRunner, "decode", 0.2),
]
"""Whose calls fail, and how often relative to the rate: an utterance is prepared once and advanced
for each of its frames, and a recording is encoded once for many utterances."""

_random = random.Random(int(os.environ.get("SOAK_SEED", "0")))
_ledger = os.open(os.environ["SOAK_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_engine = threading.local()
"""Of each engine's thread: whether its model is loaded. Loading itself does not fail."""


class OutOfMemoryError(RuntimeError):
    """Has the name of PyTorch's error, by which the engine recognizes it."""


class AcceleratorError(RuntimeError):
    """Has the name of PyTorch's error."""


def _faulty(method: Callable[..., Any], stage: str, rate: float) -> Callable[..., Any]:
    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        if getattr(_engine, "loaded", False):
            if os.path.exists(LOST):
                _raise(AcceleratorError, stage, "CUDA error: an illegal memory access, injected")
            if _random.random() < rate:
                error = OutOfMemoryError if _random.random() < 0.7 else RuntimeError
                _raise(error, stage, f"injected into {stage}")
        return method(*args, **kwargs)

    return call


def _raise(error: type[Exception], stage: str, message: str) -> None:
    os.write(_ledger, f"{stage}: {error.__name__}\n".encode())
    raise error(message)


def _load_runner(*args: Any, **kwargs: Any) -> Runner:
    _engine.loaded = False
    runner = loading.load_runner(*args, **kwargs)
    _engine.loaded = True
    return runner


for _owner, _stage, _share in STAGES:
    setattr(_owner, _stage, _faulty(getattr(_owner, _stage), _stage, RATE * _share))
vars(assembly)["load_runner"] = _load_runner

app = create_app()
