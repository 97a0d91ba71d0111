"""Results on their way from the device to the host, without making the device wait."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


class HostCopy:
    """A tensor on its way to the host, on a stream of its own where there is a GPU."""

    def __init__(self, tensor: Tensor, stream: torch.cuda.Stream | None) -> None:
        self._event: torch.cuda.Event | None = None
        if stream is None:
            self._host = tensor
            return
        # A copy on the device first: the next replay overwrites the tensor.
        tensor = tensor.clone()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            self._host.copy_(tensor, non_blocking=True)
            tensor.record_stream(stream)
            self._event = torch.cuda.Event()
            self._event.record(stream)

    def wait(self) -> Tensor:
        """Return the tensor; the one place where the host waits for the device."""
        if self._event is not None:
            self._event.synchronize()
        return self._host


class DrawnCodes:
    """Codes 0 on their way to the host."""

    def __init__(self, copy: HostCopy, rows: Sequence[int] | None) -> None:
        self._copy = copy
        self._rows = rows

    def read(self) -> list[int]:
        """Return one code a row of the call."""
        codes: list[int] = self._copy.wait().tolist()
        return codes if self._rows is None else [codes[row] for row in self._rows]


class DecodedAudio:
    """Samples on their way to the host."""

    def __init__(self, copy: HostCopy) -> None:
        self._copy = copy

    def read(self) -> npt.NDArray[np.int16]:
        """Return `[rows, samples]`."""
        samples: npt.NDArray[np.int16] = self._copy.wait().numpy()
        return samples
