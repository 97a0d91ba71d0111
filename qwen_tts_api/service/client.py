"""Who waits for an answer, as far as the service cares."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Client(Protocol):
    """Somebody who may leave before the answer."""

    def when_gone(self, callback: Callable[[], object]) -> AbstractContextManager[None]:
        """Call back once, in another thread, as soon as the client leaves inside the block.

        If it has left already, that is at once. The callback must be quick and not raise.
        """


class Patient:
    """A client that never leaves."""

    def when_gone(self, callback: Callable[[], object]) -> AbstractContextManager[None]:
        """Never call back."""
        return nullcontext()
