"""A checkpoint's tensors by name, converted to the model's device and dtype as they are read.

Files are memory-mapped, and each tensor is copied once: into its place in a packed matrix, on the
device and in the dtype of the model. So no tensor is in memory twice, and no file stays mapped,
which would end the process (SIGBUS) if it was truncated later.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from qwen_tts_api.checkpoints.files import DamagedFile, read_header, weight_files
from qwen_tts_api.errors import LoadError

DTYPES = (torch.bfloat16, torch.float16, torch.float32, torch.float64)

# As safetensors calls them. What is none of them is nothing that a checkpoint's numbers are in.
_DTYPE_NAMES = {
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F32": torch.float32,
    "F64": torch.float64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E8M0": torch.float8_e8m0fnu,
    "F4": torch.float4_e2m1fn_x2,
    "I8": torch.int8,
    "U8": torch.uint8,
    "I16": torch.int16,
    "U16": torch.uint16,
    "I32": torch.int32,
    "U32": torch.uint32,
    "I64": torch.int64,
    "U64": torch.uint64,
    "C64": torch.complex64,
}


class Parameters:
    """The tensors of a checkpoint, or of a part of it.

    Args:
        tensors: By name, in any dtype, on any device.
        device: The model's.
        dtype: The model's.
        prefix: The part's: names are relative to it.
        has_numbers: Whether the tensors have data, and not only shapes and types.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        device: torch.device | str,
        dtype: torch.dtype,
        prefix: str = "",
        *,
        has_numbers: bool = True,
    ) -> None:
        self.device = torch.device(device)
        self.dtype = dtype
        self._tensors = tensors
        self._prefix = prefix
        self._has_numbers = has_numbers

    @classmethod
    def of_files(
        cls, folder: Path, name: str, device: torch.device | str, dtype: torch.dtype
    ) -> Parameters:
        """Open the safetensors file of that name, or the files that its index lists.

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

    @classmethod
    def of_headers(cls, folder: Path, name: str, dtype: torch.dtype) -> Parameters:
        """Read only the headers of these files: shapes and types, no data.

        Raises:
            LoadError: As `of_files`.
        """
        tensors: dict[str, Tensor] = {}
        try:
            for path in weight_files(folder, name):
                for tensor, entry in read_header(path, folder).items():
                    stored = _DTYPE_NAMES.get(entry["dtype"], torch.bool)
                    tensors[tensor] = _without_numbers(entry["shape"], stored)
        except DamagedFile as damage:
            raise LoadError(f"The weights in {folder / name} cannot be read: {damage}") from damage
        return cls(tensors, "cpu", dtype, has_numbers=False)

    def within(self, part: str) -> Parameters:
        """Return the part with the prefix `part` and a dot."""
        prefix, has_numbers = f"{self._prefix}{part}.", self._has_numbers
        return Parameters(self._tensors, self.device, self.dtype, prefix, has_numbers=has_numbers)

    def layers(self, number: int) -> Iterator[Parameters]:
        """Yield the parts `layers.0`, `layers.1` and on, as many as config.json asks for.

        Raises:
            LoadError: There is one more.
        """
        for index in range(number):
            yield self.within(f"layers.{index}")
        surplus = self.full_name(f"layers.{number}.")
        if any(name.startswith(surplus) for name in self._tensors):
            raise LoadError(
                f"The checkpoint's weights have {surplus}*; config.json asks for {number} layers "
                "(num_hidden_layers)."
            )

    def read(self, name: str, *shape: int) -> Tensor:
        """Return a tensor.

        Args:
            name: Its name.
            shape: What config.json asks for; anything if empty.

        Raises:
            LoadError: There is none, or it has another shape.
        """
        tensor = self._find(name, *shape)
        if not self._has_numbers:
            return self._empty(*tensor.shape)
        return tensor.to(self.device, self.dtype, copy=True)

    def linear(self, name: str, *shape: int) -> tuple[Tensor, Tensor]:
        """Return a layer's weight, of this shape if it is given, and bias.

        Raises:
            LoadError: As `read`.
        """
        return self.read(f"{name}.weight", *shape), self.read(f"{name}.bias", *shape[:1])

    def stack(self, heights: Mapping[str, int], width: int) -> Tensor:
        """Return matrices concatenated along dimension 0: `[sum of heights, width]`.

        Raises:
            LoadError: As `read`.
        """
        stacked = self._empty(sum(heights.values()), width)
        for name, part in zip(heights, stacked.split([*heights.values()]), strict=True):
            self._copy(name, part)
        return stacked

    def matrix(self, heights: Mapping[str, int], width: int) -> Tensor:
        """Return the transposed weights of layers with the same input: `[width, sum of heights]`.

        On a CPU in 32 bits they are contiguous: a vector times a matrix of 64 x 2048 takes 7 us
        instead of 15. Elsewhere it is a transposed view.

        Raises:
            LoadError: As `read`.
        """
        if self.device.type != "cpu" or self.dtype is not torch.float32:
            return self.stack(heights, width).t()
        turned = self._empty(width, sum(heights.values()))
        for name, part in zip(heights, turned.split([*heights.values()], 1), strict=True):
            self._copy(name, part.t())
        return turned

    def computed(self, compute: Callable[[], Tensor], *shape: int) -> Tensor:
        """Return the result of `compute`, of this shape; without data, an empty tensor."""
        return compute() if self._has_numbers else self._empty(*shape)

    def full_name(self, name: str) -> str:
        """Return the name that a tensor has in the file."""
        return self._prefix + name

    def _find(self, name: str, *shape: int) -> Tensor:
        full_name = self.full_name(name)
        if full_name not in self._tensors:
            raise LoadError(f"The checkpoint's weights have no {full_name}.")
        tensor = self._tensors[full_name]
        if shape and tensor.shape != shape:
            raise LoadError(f"{full_name} is {[*tensor.shape]}; config.json asks for {[*shape]}.")
        if tensor.dtype not in DTYPES:
            raise LoadError(
                f"{full_name} is in {str(tensor.dtype).removeprefix('torch.')}: quantised weights "
                "are not served, only those in bfloat16, float16 or float32."
            )
        return tensor

    def _copy(self, name: str, part: Tensor) -> None:
        tensor = self._find(name, *part.shape)
        if self._has_numbers:
            part.copy_(tensor)

    def _empty(self, *shape: int) -> Tensor:
        if not self._has_numbers:
            return _without_numbers(shape, self.dtype)
        return torch.empty(shape, dtype=self.dtype, device=self.device)


def _without_numbers(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Return a tensor of this shape that takes the memory of one number.

    On the device `meta` it would take none; but nearly every operator there first imports
    PyTorch's compiler, which takes seconds.
    """
    return torch.empty((), dtype=dtype).expand(*shape)


def storage_bytes(value: Any) -> int:
    """Return the memory of the tensors in dataclasses, sequences and modules, each storage once."""
    storages = (tensor.untyped_storage() for tensor in _tensors(value))
    return sum({storage._cdata: storage.nbytes() for storage in storages}.values())


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, nn.Module):
        yield from value.state_dict().values()
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _tensors(getattr(value, field.name))
