"""The application over a model that costs nothing; with HOST_PROFILE, under a profiler.

With HOST_CALLS, the calls of functions in all threads are counted instead.

`python -m bench.host` starts it in a server of its own.
"""

from __future__ import annotations

import cProfile
import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from bench.host.null_runner import NullRunner
from qwen_tts_api.checkpoints import card
from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.engine.loading import LoadOptions
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.routes import create_app
from qwen_tts_api.server.http.handler import RequestHandler
from qwen_tts_api.service import assembly


def _load_runner(
    model_id: str,
    options: LoadOptions,
    check: Callable[[ModelCard], None],
    report: Callable[[str], None],
    await_place: Callable[[], None],
) -> Runner:
    model_card = card.describe(model_id, options.cache_dir)
    check(model_card)
    await_place()
    return NullRunner(model_card, options.max_streams)


def _profile_requests(path: str) -> None:
    """Let each request be profiled, as long as none other is; the file has all of them so far."""
    handle = RequestHandler.handle
    profiler = cProfile.Profile()
    alone = threading.Lock()

    def handle_profiled(self: RequestHandler, connection: Any) -> bool:
        if not alone.acquire(blocking=False):
            return handle(self, connection)
        try:
            return profiler.runcall(handle, self, connection)
        finally:
            profiler.dump_stats(path)
            alone.release()

    RequestHandler.handle = handle_profiled  # type: ignore[method-assign]


def _count_calls(path: str) -> None:
    """Count calls by thread, in Python and in C; after each request the file has all so far."""
    handle = RequestHandler.handle
    counts: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            thread = threading.current_thread().name.partition("_")[0].partition(" ")[0]
            counts[f"{thread}, {'Python' if event == 'call' else 'C'}"] += 1

    def handle_counted(self: RequestHandler, connection: Any) -> bool:
        keep = handle(self, connection)
        sys.setprofile(None)
        Path(path).write_text(json.dumps(counts.copy()))
        sys.setprofile(count)
        return keep

    RequestHandler.handle = handle_counted  # type: ignore[method-assign]
    sys.setprofile(count)
    threading.setprofile(count)


vars(assembly)["load_runner"] = _load_runner
if path := os.environ.get("HOST_PROFILE"):
    _profile_requests(path)
if path := os.environ.get("HOST_CALLS"):
    _count_calls(path)

app = create_app()
