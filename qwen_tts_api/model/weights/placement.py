"""Where a model computes: device, dtype, attention kernel."""

from __future__ import annotations

import importlib.util
import logging
import math
import mmap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from qwen_tts_api.errors import LoadError

logger = logging.getLogger(__name__)

Capability = tuple[int, int]

AMPERE = (8, 0)
"""The first compute capability that has bfloat16, that flash-attn runs on, and for whose tensor
cores Triton compiles: for older ones it multiplies number by number, with registers in memory."""


@dataclass(frozen=True)
class Placement:
    """Where a model computes.

    Attributes:
        device: `cpu` or `cuda:N`.
        dtype: `bfloat16`, `float16` or `float32`.
        attention: The kernel in use: `flash_attention_2` or `sdpa`.
    """

    device: str
    dtype: str
    attention: str

    @property
    def torch_dtype(self) -> torch.dtype:
        """Return the number format as PyTorch's."""
        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype


def zeros(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return zeros; on a CPU in memory that the system allocates when it is first written.

    Caches are large, and most of them is never used: to fill them with zeros would take half a
    second and a gigabyte even for nano.
    """
    if device.type != "cpu":
        return torch.zeros(tuple(shape), dtype=dtype, device=device)
    memory = mmap.mmap(
        -1, math.prod(shape) * dtype.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANON
    )
    return torch.frombuffer(memory, dtype=dtype).view(tuple(shape))


def to_device(
    numbers: Sequence[float], device: torch.device, dtype: torch.dtype = torch.int64
) -> Tensor:
    """Return numbers, `[n]`, on a device, without synchronising with it.

    That takes an asynchronous copy from pinned memory. NumPy reads a list of thousands, as prompts
    are, five times as fast as PyTorch.
    """
    read = np.array(numbers, np.int64 if dtype is torch.int64 else np.float32)
    host = torch.from_numpy(read).to(dtype)
    if device.type != "cuda":
        return host.to(device)
    return host.pin_memory().to(device, non_blocking=True)


def place(device: str, dtype: str, attention: str) -> Placement:
    """Check the device, and fall back to `sdpa` where flash-attn cannot run (with one warning).

    Raises:
        LoadError: The CUDA device is not there.
    """
    _check_device(device)
    attention = attention_kernel(attention)
    obstacle = flash_attention_obstacle(device, dtype, compute_capability(device))
    if attention == "flash_attention_2" and obstacle:
        logger.warning(
            "QWEN_ATTN_IMPL=flash_attention_2 cannot be used: %s. Falling back to sdpa.", obstacle
        )
        attention = "sdpa"
    return Placement(device, dtype, attention)


def attention_kernel(setting: str) -> str:
    """Return the kernel that a value of QWEN_ATTN_IMPL means.

    `eager` is a name that transformers has for attention without a fused kernel. There is no such
    path here: `sdpa` computes the same.
    """
    return "sdpa" if setting == "eager" else setting


def _check_device(device: str) -> None:
    if device == "cpu":
        return
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(device.removeprefix("cuda:")) < count:
        return
    found = f"PyTorch {torch.__version__} sees {count or 'no'} CUDA device{'s' * (count != 1)}"
    if torch.version.cuda is None:
        found += ", for it is a build without CUDA (make setup TORCH=cuda installs the other)"
    raise LoadError(
        f"QWEN_DEVICE={device} is not there: {found}. Set QWEN_DEVICE=cpu, or to a device that "
        "`nvidia-smi -L` lists (and give the container its GPU)."
    )


def compute_capability(device: str) -> Capability | None:
    """Return what a CUDA device is; None for a CPU, or where PyTorch sees no device."""
    if device == "cpu" or not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_capability(device)


def age_obstacle(capability: Capability | None) -> str | None:
    """Return why a device is too old for kernels in 16 bits, or None where it is not, or unknown.

    Args:
        capability: From `compute_capability`.
    """
    if capability is None or capability >= AMPERE:
        return None
    found, needed = (".".join(map(str, each)) for each in (capability, AMPERE))
    return f"compute capability {needed} is needed, and the device has {found}"


def flash_attention_obstacle(device: str, dtype: str, capability: Capability | None) -> str | None:
    """Return why flash-attn cannot run, or None where it can.

    Args:
        device: `cpu` or `cuda:N`.
        dtype: QWEN_DTYPE.
        capability: The device's.
    """
    if device == "cpu":
        return "it needs a CUDA device and QWEN_DEVICE is cpu"
    if dtype == "float32":
        return "it computes in 16 bits and QWEN_DTYPE is float32"
    if importlib.util.find_spec("flash_attn") is None:
        return "flash-attn is not installed"
    return age_obstacle(capability)
