"""What turns samples into the bytes of a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

SILENCE: Samples = np.zeros(0, np.int16)


class Encoder(Protocol):
    """Turns samples into the bytes of one file, as they come."""

    def encode(self, samples: Samples) -> bytes:
        """Return the bytes that are ready after these samples; may be none."""

    def finish(self) -> bytes:
        """Return the rest."""


class WholeEncoder:
    """A file whose first bytes depend on its last samples: nothing comes before `finish`.

    Args:
        write: From all samples to the file.
    """

    def __init__(self, write: Callable[[Samples], bytes]) -> None:
        self._write = write
        self._received: list[Samples] = [SILENCE]

    def encode(self, samples: Samples) -> bytes:
        """Keep the samples."""
        self._received.append(samples)
        return b""

    def finish(self) -> bytes:
        """Return the whole file."""
        return self._write(np.concatenate(self._received))
