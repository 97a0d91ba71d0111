"""The served models by the names that requests use."""

from __future__ import annotations

from collections.abc import Iterator

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.engine.pool import ModelPool
from qwen_tts_api.errors import ModelUnavailable, UnknownModel
from qwen_tts_api.model.utterance import Reference
from qwen_tts_api.names import fold, listed, shown


class ServedModels:
    """What each served model can do, loaded or not."""

    def __init__(self, pool: ModelPool) -> None:
        self._pool = pool

    @property
    def default(self) -> str:
        """Return the name of the model that is used where a request names none."""
        return self._pool.names[0]

    def name(self, requested: str) -> str:
        """Return the model that a request means.

        Raises:
            UnknownModel: It is not served.
        """
        if not requested:
            return self.default
        if requested not in self._pool.names:
            allowed = listed(self._pool.names)
            raise UnknownModel(
                f"Unknown model {shown(requested)}; allowed are {allowed}.",
                fields={"model": [f"Must be one of: {allowed}."]},
            )
        return requested

    def card(self, name: str) -> ModelCard:
        """Return what a served model can do.

        Raises:
            ModelUnavailable: Its checkpoint cannot be found or read.
        """
        return self._pool.card(name)

    def forget(self, reference: Reference) -> None:
        """Let the models keep nothing of a recording."""
        self._pool.forget(reference)

    def first_of_kind(self, kind: str) -> str | None:
        """Return the first served model of a kind; the default model is looked at first."""
        return next((name for name, card in self._available() if card.kind == kind), None)

    def speakers(self) -> set[str]:
        """Return the speakers of all served models, as `names.fold` has them."""
        return {fold(speaker) for _, card in self._available() for speaker in card.speakers}

    def _available(self) -> Iterator[tuple[str, ModelCard]]:
        for name in self._pool.names:
            try:
                yield name, self._pool.card(name)
            except ModelUnavailable:
                continue  # it was logged when it was tried
