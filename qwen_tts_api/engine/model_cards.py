"""The model cards of the served models, read once each; exponential backoff of failed loads."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.errors import LoadError, ModelUnavailable

logger = logging.getLogger(__name__)


FIRST_DELAY_S = 5.0
MAX_DELAY_S = 300.0


@dataclass(frozen=True)
class _Failure:
    delay_s: float
    retry_at: float


class LoadBackoff:
    """Exponential backoff by model: when a load that failed may be retried.

    The delay is FIRST_DELAY_S, and doubles with each failure in a row, up to MAX_DELAY_S.
    Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: dict[str, _Failure] = {}

    def record_failure(self, name: str) -> int:
        """Record a failure; return the delay before the next attempt, in whole seconds."""
        with self._lock:
            last = self._failures.get(name)
            delay_s = min(MAX_DELAY_S, 2 * last.delay_s) if last else FIRST_DELAY_S
            self._failures[name] = _Failure(delay_s, monotonic() + delay_s)
        return max(1, math.ceil(delay_s))

    def reset(self, name: str) -> None:
        """Record a success."""
        with self._lock:
            self._failures.pop(name, None)

    def retry_after_s(self, name: str) -> int:
        """Return the seconds until the next attempt is allowed; 0: now."""
        with self._lock:
            failure = self._failures.get(name)
        return max(0, math.ceil(failure.retry_at - monotonic())) if failure else 0


def unavailable(name: str, retry_after_s: int) -> ModelUnavailable:
    """Return the error for requests to a model that could not be loaded; the log has the cause."""
    return ModelUnavailable(
        f"The model {name!r} cannot be loaded; the cause is in the server's log. It is tried again "
        f"for requests from {retry_after_s} s on.",
        retry_after_s=retry_after_s,
    )


class ModelCards:
    """Model cards by name, each read once. A failed read is retried with backoff: it may download.

    Args:
        sources: Model ids by name.
        describe: Reads the card of a model id; raises LoadError.
    """

    def __init__(self, sources: Mapping[str, str], describe: Callable[[str], ModelCard]) -> None:
        self._sources = sources
        self._describe = describe
        self._cards: dict[str, ModelCard] = {}
        self._failures = LoadBackoff()
        # One request reads a card, concurrent ones wait for its result.
        self._locks = {name: threading.Lock() for name in sources}

    def put(self, name: str, card: ModelCard) -> None:
        """Store the card of a loaded model."""
        self._cards[name] = card

    def get(self, name: str) -> ModelCard:
        """Return the card of a model.

        Raises:
            ModelUnavailable: Its checkpoint cannot be found or read.
        """
        if name not in self._cards:
            with self._locks[name]:
                if name not in self._cards:
                    self._cards[name] = self._read(name)
        return self._cards[name]

    def _read(self, name: str) -> ModelCard:
        if retry_after_s := self._failures.retry_after_s(name):
            raise unavailable(name, retry_after_s)
        try:
            return self._describe(self._sources[name])
        except LoadError as error:
            retry_after_s = self._failures.record_failure(name)
            logger.warning("%s: %s Next try after %d s.", name, error, retry_after_s)
            raise unavailable(name, retry_after_s) from error
