"""A checkpoint's tensors by name, brought to where and how a model computes as they are read.

What a file holds is mapped, not read, and each tensor is copied out of it once: into its place
among those that it is packed with, on the device and in the dtype of the model. So nothing is held
twice, and nothing stays mapped: a file that is replaced later cannot take the process with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.checkpoint_files import DamagedFile, weight_files


class Parameters:
    """Tensors to read, each once.

    Args:
        tensors: By name, in any dtype, on any device.
        device: Where a model computes.
        dtype: In what.
        prefix: What the names of the part that is looked at begin with.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        device: torch.device | str,
        dtype: torch.dtype,
        prefix: str = "",
    ) -> None:
        self.device = torch.device(device)
        self.dtype = dtype
        self._tensors = tensors
        self._prefix = prefix

    @classmethod
    def of_files(
        cls, folder: Path, name: str, device: torch.device | str, dtype: torch.dtype
    ) -> Parameters:
        """Open the safetensors file of that name, or those that its index names.

        Raises:
            LoadError: One is missing or damaged.
        """
        tensors: dict[str, Tensor] = {}
        try:
            for path in weight_files(folder, name):
                tensors |= load_file(path)
        except (DamagedFile, SafetensorError) as damage:
            raise LoadError(f"The weights in {folder / name} cannot be read: {damage}") from damage
        return cls(tensors, device, dtype)

    def within(self, part: str) -> Parameters:
        """Return the tensors whose names begin with `part` and a dot, to be named without it."""
        return Parameters(self._tensors, self.device, self.dtype, f"{self._prefix}{part}.")

    def read(self, name: str, *shape: int) -> Tensor:
        """Return a tensor.

        Args:
            name: Its name.
            shape: What config.json asks for; anything if empty.

        Raises:
            LoadError: There is none, or it has another shape.
        """
        return self._find(name, *shape).to(self.device, self.dtype, copy=True)

    def linear(self, name: str) -> tuple[Tensor, Tensor]:
        """Return a layer's weight and bias.

        Raises:
            LoadError: As `read`.
        """
        return self.read(f"{name}.weight"), self.read(f"{name}.bias")

    def stack(self, heights: Mapping[str, int], width: int) -> Tensor:
        """Return matrices one below the other: `[height, width]` by their names.

        Raises:
            LoadError: As `read`.
        """
        stacked = self._empty(sum(heights.values()), width)
        for name, part in zip(heights, stacked.split([*heights.values()]), strict=True):
            part.copy_(self._find(name, *part.shape))
        return stacked

    def matrix(self, heights: Mapping[str, int], width: int) -> Tensor:
        """Return the weights of layers that read the same input: `[width, out of all]`.

        In the order of memory, too, where a CPU computes in 32 bits: a row times a matrix of
        64 x 2048 then takes 7 us instead of 15. Elsewhere the memory stays in the layers' order.

        Raises:
            LoadError: As `read`.
        """
        if self.device.type != "cpu" or self.dtype is not torch.float32:
            return self.stack(heights, width).t()
        turned = self._empty(width, sum(heights.values()))
        for name, part in zip(heights, turned.split([*heights.values()], 1), strict=True):
            part.t().copy_(self._find(name, *part.t().shape))
        return turned

    def _find(self, name: str, *shape: int) -> Tensor:
        full_name = self._prefix + name
        if full_name not in self._tensors:
            raise LoadError(f"The checkpoint's weights have no {full_name}.")
        tensor = self._tensors[full_name]
        if shape and tensor.shape != shape:
            raise LoadError(f"{full_name} is {[*tensor.shape]}; config.json asks for {[*shape]}.")
        return tensor

    def _empty(self, *shape: int) -> Tensor:
        return torch.empty(shape, dtype=self.dtype, device=self.device)
