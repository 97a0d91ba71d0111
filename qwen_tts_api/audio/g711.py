"""Telephony's 8 bits a sample: ITU-T G.711, mu-law and A-law, without a header.

Both laws have eight segments, each half as fine as the one below, with 16 steps in each. The
tables give the codes of the ITU's reference program (G.191), from which some libraries differ
where a negative sample lies between two steps.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qwen_tts_api.audio.encoder import Samples

Table = npt.NDArray[np.uint8]


class G711Encoder:
    """Looks each sample up in a law's table of all 65,536 samples, from -32768 on."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def encode(self, samples: Samples) -> bytes:
        """Return a byte for each sample."""
        return self._table[samples.astype(np.int32) + 32768].tobytes()

    def finish(self) -> bytes:
        """Return nothing."""
        return b""


def _magnitudes(bits: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return the upper bits of every sample's magnitude, and which samples are negative."""
    samples = np.arange(-32768, 32768)
    return np.where(samples < 0, ~samples, samples) >> (15 - bits), samples < 0


def _mu_law() -> Table:
    """Return mu-law: magnitudes of 13 bits, biased by 33, all bits inverted."""
    magnitude, negative = _magnitudes(13)
    biased = np.minimum(magnitude + 33, 8191)
    segment = np.floor(np.log2(biased)).astype(int) - 5
    code = segment << 4 | biased >> (segment + 1) & 15
    table: Table = (~(code | np.where(negative, 128, 0)) & 255).astype(np.uint8)
    return table


def _a_law() -> Table:
    """Return A-law: magnitudes of 11 bits, every other bit inverted."""
    magnitude, negative = _magnitudes(11)
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(int) - 3, 0)
    code = segment << 4 | magnitude >> np.maximum(segment - 1, 0) & 15
    table: Table = ((code | np.where(negative, 0, 128)) ^ 0x55).astype(np.uint8)
    return table


MU_LAW, A_LAW = _mu_law(), _a_law()
