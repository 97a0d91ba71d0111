"""Triton's launches on fake tensors: recorded, held to what a real launch demands, and not run.

Shapes, formats and devices of PyTorch's operators are what fake tensors and `CudaRules` check; what
a kernel is given, nothing else sees: pointers have no shape.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from bench.launches import TritonCall, intercepted
from tests.engine.fake_cuda import CudaRules

WITH_STRIDES = {"matrix", "before", "after", "past", "store", "cache"}
"""Parameters whose strides a launch passes, too. All others are read as if they were contiguous."""


class LaunchRules:
    """What a launch must be.

    Args:
        rules: Know whether a graph is being captured.

    Attributes:
        captured: How often each kernel has been launched in graphs.
        eager: Likewise outside of them.
    """

    def __init__(self, rules: CudaRules) -> None:
        self.captured: Counter[str] = Counter()
        self.eager: Counter[str] = Counter()
        self._rules = rules
        self._aligned: dict[tuple[str, str, torch.dtype], bool] = {}

    def check(self, call: TritonCall) -> None:
        """Check a launch, and count it.

        Raises:
            RuntimeError: It would fail on a GPU, read something else, or be compiled once more.
        """
        name = call.function.fn.__name__
        (self.captured if self._rules.captures else self.eager)[name] += 1
        signature = inspect.signature(call.function.fn)
        given = {key: value for key, value in call.kwargs.items() if key in signature.parameters}
        if not 0 < len(call.grid) <= 3 or min(call.grid) < 1:
            raise RuntimeError(f"{name}: a grid of {call.grid}")
        for parameter, value in signature.bind(*call.args, **given).arguments.items():
            if isinstance(value, Tensor):
                self._check_tensor(name, parameter, value)

    def _check_tensor(self, kernel: str, parameter: str, tensor: Tensor) -> None:
        what = f"{kernel}: {parameter} of {tuple(tensor.shape)}"
        if tensor.device.type != "cuda":
            raise RuntimeError(f"{what} is on the {tensor.device.type}")
        if parameter not in WITH_STRIDES and not tensor.is_contiguous():
            raise RuntimeError(f"{what} has strides {tensor.stride()}")
        aligned = tensor.storage_offset() * tensor.element_size() % 16 == 0
        if self._aligned.setdefault((kernel, parameter, tensor.dtype), aligned) != aligned:
            raise RuntimeError(f"{what} is aligned in some launches, and not in others")


@contextmanager
def fake_triton(rules: CudaRules) -> Iterator[LaunchRules]:
    """Check launches, and run none."""
    launches = LaunchRules(rules)
    with intercepted(launches.check):
        yield launches
