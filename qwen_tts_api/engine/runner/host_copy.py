"""Asynchronous copies of results from the device to the host."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


class HostCopy:
    """An asynchronous copy of a tensor to the host, on a stream of its own; on a CPU the tensor."""

    def __init__(self, tensor: Tensor, stream: torch.cuda.Stream | None) -> None:
        self._event: torch.cuda.Event | None = None
        if stream is None:
            self._host = tensor
            return
        # First a copy on the device, because the next replay overwrites the tensor.
        tensor = tensor.clone()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            self._host.copy_(tensor, non_blocking=True)
            tensor.record_stream(stream)
            # Who waits for others sleeps: a core that looks again and again is one that encodes no
            # audio. To wake up takes no time from the device, which has the next frame already.
            self._event = torch.cuda.Event(blocking=True)
            self._event.record(stream)

    def wait(self) -> Tensor:
        """Return the tensor on the host: the only place where the host waits for the device."""
        if self._event is not None:
            self._event.synchronize()
        return self._host


class SampledCodes:
    """Codes 0 that are being copied to the host.

    Args:
        copy: One code a slot.
        slots: The slots that are wanted of it; None: all.
    """

    def __init__(self, copy: HostCopy, slots: Sequence[int] | None) -> None:
        self._copy = copy
        self._slots = slots

    def read(self) -> list[int]:
        """Return one code for each wanted slot; waits for the device if it must."""
        codes: list[int] = self._copy.wait().tolist()
        return codes if self._slots is None else [codes[slot] for slot in self._slots]


class DecodedAudio:
    """Samples that are being copied to the host."""

    def __init__(self, copy: HostCopy) -> None:
        self._copy = copy

    def read(self) -> npt.NDArray[np.int16]:
        """Return int16 `[B, n]`; waits for the device if it must."""
        samples: npt.NDArray[np.int16] = self._copy.wait().numpy()
        return samples
