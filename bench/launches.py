"""Record which kernels would be launched, and the bytes that they move; no GPU is needed.

PyTorch's operators are seen by a dispatch mode, Triton's launches at the launch itself. On the meta
device nothing is computed, so that a model of any size takes no time.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten: Any = torch.ops.aten

ONE_KERNEL = {aten.rms_norm, aten.scaled_dot_product_attention}
"""Operators made of others, for which a GPU has one kernel."""

ALLOCATES = {aten.empty, aten.empty_like, aten.empty_strided, aten.new_empty}

READS_ROWS = {aten.embedding, aten.gather, aten.index, aten.index_select}
"""Operators that read as much of their first tensor as they write."""

WRITES_ROWS = {aten.index_copy_, aten.index_fill_, aten.index_put_, aten.scatter_}
"""Operators that write as much of their first tensor as they are given."""


@functools.cache
def is_composite(func: Any) -> bool:
    """Whether an operator is made of others."""
    if func.namespace != "aten":
        return False
    key = "CompositeImplicitAutograd"
    made: bool = torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), key)
    return made


@dataclass(frozen=True)
class Launch:
    """One kernel.

    Attributes:
        name: The operator's or the Triton function's.
        num_bytes: What it reads and writes, as far as shapes tell.
        call: How Triton was called; None for an operator.
    """

    name: str
    num_bytes: int
    call: TritonCall | None = None


@dataclass(frozen=True)
class TritonCall:
    """A launch of a Triton function.

    Attributes:
        function: The `triton.JITFunction`, or what the interpreter has instead.
        grid: How many programs, in up to three dimensions.
        args: As they were given.
        kwargs: Likewise: parameters of the function, and options of the launch.
    """

    function: Any
    grid: tuple[int, ...]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Launches(TorchDispatchMode):
    """Records launches while it is active; `recording` is how to use it.

    An operator counts as one kernel, though some (sorting, say) are several: a lower bound. Views,
    allocations, and what is done on the host do not count.

    Args:
        by_rows: Storages, by `storage_of`, of which a Triton function reads rows that only values
            tell; each with the bytes that it counts for.
    """

    def __init__(self, by_rows: dict[int, int] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.all: list[Launch] = []
        self._by_rows = by_rows or {}

    @contextmanager
    def recording(self) -> Iterator[Launches]:
        """Record what the block launches; Triton's functions are not run."""
        with intercepted(self.record_triton), self:
            yield self

    @property
    def num_bytes(self) -> int:
        """Of all launches."""
        return sum(launch.num_bytes for launch in self.all)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        kwargs = kwargs or {}
        operator = func.overloadpacket
        if is_composite(func) and operator not in ONE_KERNEL:
            with self:
                return func.decompose(*args, **kwargs)
        result = func(*args, **kwargs)
        read, made = _tensors((args, kwargs)), _tensors(result)
        if operator not in ALLOCATES and not _is_view(func, read, made) and _on_device(read, made):
            self.all.append(Launch(operator.__name__, _operator_bytes(operator, read, made)))
        return result

    def record_triton(self, call: TritonCall) -> None:
        """Record a launch of a Triton function."""
        bound = inspect.signature(call.function.fn).bind(*call.args, **_parameters(call))
        tensors = {(storage_of(each), each.storage_offset()): each for each in _tensors(bound.args)}
        num_bytes = sum(
            self._by_rows.get(storage, _bytes_of(tensor))
            for (storage, _), tensor in tensors.items()
        )
        self.all.append(Launch(call.function.fn.__name__, num_bytes, call))


@contextmanager
def intercepted(launch: Callable[[TritonCall], None]) -> Iterator[None]:
    """Call `launch` wherever Triton would launch, where it is installed."""
    if importlib.util.find_spec("triton") is None:
        yield
        return
    from triton.runtime.interpreter import InterpretedFunction
    from triton.runtime.jit import JITFunction

    def run(function: Any, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> None:
        call = TritonCall(function, grid, args, kwargs)
        if callable(grid):
            arguments = inspect.signature(function.fn).bind(*args, **_parameters(call)).arguments
            call = TritonCall(function, grid(arguments), args, kwargs)
        launch(call)

    with (
        mock.patch.object(JITFunction, "run", run),
        mock.patch.object(InterpretedFunction, "run", run),  # where TRITON_INTERPRET is set
    ):
        yield


def storage_of(tensor: Tensor) -> int:
    """Return what tells a tensor's storage from others, as long as it lives."""
    key: int = tensor.untyped_storage()._cdata
    return key


def _parameters(call: TritonCall) -> dict[str, Any]:
    known = inspect.signature(call.function.fn).parameters
    return {name: value for name, value in call.kwargs.items() if name in known}


def _is_view(func: Any, read: Iterable[Tensor], made: Iterable[Tensor]) -> bool:
    if func._schema.is_mutable:
        return False
    storages = {storage_of(tensor) for tensor in read}
    return bool(storages) and all(storage_of(tensor) in storages for tensor in made)


def _on_device(read: list[Tensor], made: list[Tensor]) -> bool:
    return any(tensor.device.type != "cpu" for tensor in (*read, *made))


def _operator_bytes(operator: Any, read: list[Tensor], made: list[Tensor]) -> int:
    if operator in READS_ROWS:
        return sum(map(_bytes_of, read[1:])) + 2 * sum(map(_bytes_of, made))
    if operator in WRITES_ROWS:
        return sum(map(_bytes_of, read[1:-1])) + 2 * _bytes_of(read[-1])
    return sum(map(_bytes_of, (*read, *made)))


def _bytes_of(tensor: Tensor) -> int:
    """Return the bytes of a tensor's elements; of an expanded one, those that there are."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


def _tensors(values: object) -> list[Tensor]:
    return [each for each in tree_leaves(values) if isinstance(each, Tensor)]
