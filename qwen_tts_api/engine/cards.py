"""What the served models can do, read once each, loaded or not."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.engine.failures import FailureMemory
from qwen_tts_api.errors import LoadError, ModelUnavailable

logger = logging.getLogger(__name__)


def unavailable(name: str, retry_after_s: int) -> ModelUnavailable:
    """Return what a client is told of a model that cannot be loaded; the log has the cause."""
    return ModelUnavailable(
        f"The model {name!r} cannot be loaded; the cause is in the server's log. It is tried again "
        f"for requests from {retry_after_s} s on.",
        retry_after_s=retry_after_s,
    )


class ModelCards:
    """Cards by name. What cannot be read is asked for again after a while only: it may be a hub.

    Args:
        sources: Model ids by name.
        describe: Reads a card by a model's id; raises LoadError.
    """

    def __init__(self, sources: Mapping[str, str], describe: Callable[[str], ModelCard]) -> None:
        self._sources = sources
        self._describe = describe
        self._cards: dict[str, ModelCard] = {}
        self._failures = FailureMemory()
        # One request asks for a card, the others wait for what it gets.
        self._locks = {name: threading.Lock() for name in sources}

    def put(self, name: str, card: ModelCard) -> None:
        """Keep the card of a model that was loaded."""
        self._cards[name] = card

    def get(self, name: str) -> ModelCard:
        """Return what a model can do.

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
            retry_after_s = self._failures.note(name)
            logger.warning("%s: %s Next try after %d s.", name, error, retry_after_s)
            raise unavailable(name, retry_after_s) from error
