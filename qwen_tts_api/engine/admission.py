"""Whether work is taken: when, and how much may wait, over all models."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection

from qwen_tts_api.engine.engine import Engine
from qwen_tts_api.engine.job import Job
from qwen_tts_api.errors import ModelLoading, QueueFull, ShuttingDown

LOADING_RETRY_AFTER_S = 5
MAX_RETRY_AFTER_S = 60


def check_open(*, started: bool, ending: bool) -> None:
    """Refuse work before the first model has been loaded, and at the end.

    Raises:
        ModelLoading: The default model has not been loaded yet.
        ShuttingDown: The process ends.
    """
    if ending:
        raise ShuttingDown("The server is shutting down.", retry_after_s=1)
    if not started:
        raise ModelLoading(
            "The model is still loading; /readyz tells how far it is.",
            retry_after_s=LOADING_RETRY_AFTER_S,
        )


def check_queue(
    engines: Collection[Engine], wanted: Collection[deque[Job]], max_queue: int
) -> None:
    """Refuse a job that would have to wait where as many wait as may.

    Args:
        engines: In memory, each with its queue.
        wanted: The queues of models that are not in memory.

    Raises:
        QueueFull: `max_queue` jobs wait already.
    """
    # A loaded model is about to take as many of its queue as it has rows free.
    waiting = sum(max(0, len(engine.jobs) - engine.num_free_rows) for engine in engines)
    waiting += sum(len(queue) for queue in wanted)
    if waiting < max_queue:
        return
    seconds = [
        engine.mean_job_s / engine.runner.max_rows
        for engine in engines
        if engine.runner is not None
    ]
    raise QueueFull(
        f"{waiting} requests are waiting, as many as QWEN_MAX_QUEUE allows.",
        retry_after_s=max(
            1, min(MAX_RETRY_AFTER_S, math.ceil(waiting * max(seconds, default=1.0)))
        ),
    )
