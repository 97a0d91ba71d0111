"""What turns samples into the bytes of a file."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

NO_SAMPLES: Samples = np.zeros(0, np.int16)


class Encoder(Protocol):
    """Turns samples into the bytes of one file, as they come."""

    def encode(self, samples: Samples) -> bytes:
        """Return the bytes that are ready after these samples; may be none."""

    def finish(self) -> bytes:
        """Return the rest."""
