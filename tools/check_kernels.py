"""Compile every fused kernel for every kind of GPU, with none at hand: `make check-kernels`.

    python -m tools.check_kernels --arch 90 --size 1.7b
    python -m tools.check_kernels --count

Which kernels there are, with which shapes, is recorded of the paths themselves, as Triton would
specialise them: so nothing is compiled that is not launched, and nothing is left out. Triton's own
ptxas compiles, and its cuobjdump tells what a kernel takes. A kernel that spills registers, or
takes more shared memory than a block may have, is an error, and one for Hopper that waits for each
of its products; so are more kernels than a start may compile.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.launches import TritonCall
from bench.paths import fused_launches
from bench.published_sizes import empty_model
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.engine.runner.kernels.choice import fused_kernels, prepare_triton
from qwen_tts_api.engine.runner.kernels.compile_ahead import parsed_one_by_one

SHARED_BYTES = {
    80: 163 * 1024,  # A100
    89: 99 * 1024,  # RTX 4090, L4, L40S
    90: 227 * 1024,  # H100, H200
    100: 227 * 1024,  # B200
    120: 99 * 1024,  # RTX 5090
}
"""What a block may have, by compute capability.

Source: NVIDIA's CUDA C++ Programming Guide, technical specifications per compute capability.
"""

MAX_KERNELS = 70
"""Of one size: the first start on a machine compiles them."""

SIZES = ("1.7b", "0.6b")

SHAPES = ((1, 1), (3, 24), (32, 4))
"""Slots and frames of a chunk: Triton could compile anew for a number that is 1, for one that 16
divides, and for others. The test that counts says that it does not."""


@dataclass
class Source:
    """A kernel to be compiled.

    Attributes:
        source: Triton's `ASTSource`.
        options: Triton's.
        num_launches: How often it is launched.
    """

    source: Any
    options: Any
    num_launches: int = 0

    @property
    def name(self) -> str:
        """The function's."""
        name: str = self.source.fn.fn.__name__
        return name

    @property
    def constants(self) -> str:
        """What it is compiled for."""
        names = self.source.fn.arg_names
        constants = {names[path[0]]: value for path, value in self.source.constants.items()}
        return " ".join(f"{name}={value}" for name, value in constants.items())


@dataclass(frozen=True)
class Kernel:
    """A kernel that was compiled.

    Attributes:
        arch: The compute capability that it is for, times ten.
        name: The function's.
        constants: What it was compiled for.
        num_launches: How often it is launched.
        registers: That a thread has.
        spilled_bytes: What a thread writes to memory for want of registers.
        shared_bytes: What a block has.
        seconds: How long it took to compile.
        waits: It waits for each product of a warp group before it begins the next.
    """

    arch: int
    name: str
    constants: str
    num_launches: int
    registers: int
    spilled_bytes: int
    shared_bytes: int
    seconds: float
    waits: bool = False

    @property
    def fault(self) -> str:
        """Return what is wrong, or nothing."""
        if self.spilled_bytes:
            return f"spills {self.spilled_bytes} bytes a thread"
        if self.shared_bytes > SHARED_BYTES[self.arch]:
            return f"a block may have {SHARED_BYTES[self.arch]} bytes of shared memory"
        if self.waits:
            return "each product waits for the one before"
        return ""

    def __str__(self) -> str:
        return (
            f"sm_{self.arch} {self.name:24} {self.registers:4} registers, "
            f"{self.spilled_bytes} spilled, {self.shared_bytes / 1024:6.1f} KiB shared, "
            f"{self.num_launches:4} launches, {self.seconds:4.1f} s "
            f"{self.constants} {self.fault}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Compile, print what each kernel takes; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--arch", type=int, action="append", choices=SHARED_BYTES)
    parser.add_argument("--size", action="append", choices=SIZES)
    parser.add_argument("--count", action="store_true", help="count kernels, and compile none")
    options = parser.parse_args(arguments)
    archs = options.arch or list(SHARED_BYTES)
    with tempfile.TemporaryDirectory() as folder:
        prepare_triton(Path(folder))
        calls = {size: launched(size, Path(folder)) for size in options.size or SIZES}
        faults = sum(count(size, calls[size], archs[0]) for size in calls)
        if not options.count:
            distinct = [call for size in calls for call in calls[size]]
            faults += sum(check(distinct, arch) for arch in archs)
    return int(faults > 0)


def launched(size: str, cache: Path) -> list[TritonCall]:
    """Return what a server launches of a published size."""
    model, kernels = empty_model(size, locate("nano", cache)), fused_kernels()
    return [
        launch.call
        for num_slots, chunk_frames in SHAPES
        for launches in fused_launches(model, num_slots, kernels, chunk_frames).values()
        for launch in launches.all
        if launch.call is not None
    ]


def count(size: str, calls: Iterable[TritonCall], arch: int) -> int:
    """Print how many kernels a size has; return the number of faults."""
    number = len(sources_of(calls, arch))
    fault = (
        "" if number <= MAX_KERNELS else f", more than {MAX_KERNELS}: the first start takes long"
    )
    print(f"{size} launches {number} kernels{fault}", flush=True)
    return int(number > MAX_KERNELS)


def check(calls: Iterable[TritonCall], arch: int) -> int:
    """Compile for a compute capability, and print; return the number of faults."""
    began, kernels = time.monotonic(), compile_calls(calls, arch)
    for kernel in kernels:
        print(kernel)
    faults = sum(bool(kernel.fault) for kernel in kernels)
    seconds, alone = time.monotonic() - began, sum(kernel.seconds for kernel in kernels)
    print(
        f"sm_{arch}: {len(kernels)} kernels compiled in {seconds:.0f} s ({alone:.0f} s one after "
        f"another), {faults} with a fault",
        flush=True,
    )
    return faults


def compile_calls(calls: Iterable[TritonCall], arch: int) -> list[Kernel]:
    """Compile what some launches need, each kernel once, on all cores."""
    sources = sources_of(calls, arch)
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
    with parsed_one_by_one(), pool:
        return list(pool.map(lambda source: compile_source(source, arch), sources))


def compile_source(source: Source, arch: int) -> Kernel:
    """Compile a kernel."""
    import triton

    began = time.monotonic()
    compiled = triton.compile(source.source, target=_target(arch), options=source.options.__dict__)
    seconds = time.monotonic() - began
    registers, spilled_bytes = _usage(compiled.asm["cubin"])
    return Kernel(
        arch=arch,
        name=source.name,
        constants=source.constants,
        num_launches=source.num_launches,
        registers=registers,
        spilled_bytes=spilled_bytes,
        shared_bytes=compiled.metadata.shared,
        seconds=seconds,
        waits=arch == 90 and waits_for_each_product(_shown(compiled.asm["cubin"], "-sass")),
    )


def sources_of(calls: Iterable[TritonCall], arch: int) -> list[Source]:
    """Return the kernels that some launches need."""
    sources: dict[str, Source] = {}
    for call in calls:
        key, source, options = _specialised(call, _target(arch))
        sources.setdefault(key, Source(source, options)).num_launches += 1
    return list(sources.values())


def _target(arch: int) -> Any:
    from triton.backends.compiler import GPUTarget

    return GPUTarget("cuda", arch, 32)


def _specialised(call: TritonCall, target: Any) -> tuple[str, Any, Any]:
    """Return a call's key, source and options as the launch itself would make them.

    Tensors on the meta device have the address 0, which 16 divides, as PyTorch's allocations are.
    """
    from triton.compiler import ASTSource, make_backend
    from triton.runtime.jit import create_function_from_signature

    function, backend = call.function, make_backend(target)
    bind = create_function_from_signature(function.signature, function.params, backend)
    arguments, specialization, given = bind(*call.args, **call.kwargs)
    options, signature, constants, attributes = function._pack_args(
        backend, call.kwargs, arguments, specialization, given
    )
    source = ASTSource(function, signature, constants, attributes)
    return (
        f"{function.fn.__module__}.{function.fn.__name__} {specialization} {given}",
        source,
        options,
    )


def _usage(cubin: bytes) -> tuple[int, int]:
    """Return how many registers a thread has, and how many bytes of them it spills.

    Spills are what is stored to local memory: a stack may be there without, in code for Blackwell.
    """
    shown = _shown(cubin, "-res-usage")
    found = re.search(r"REG:(\d+) STACK:(\d+)", shown)
    assert found is not None, shown
    stores = (
        re.findall(r"\bSTL(?:\.(64|128))?\b", _shown(cubin, "-sass")) if found[2] != "0" else []
    )
    return int(found[1]), sum(int(bits or 32) // 8 for bits in stores)


def waits_for_each_product(sass: str) -> bool:
    """Whether all products of warp groups are groups of their own, which are waited for.

    ptxas does so where it does not understand what becomes of their sums, and says nothing.
    """
    products = re.findall(r"\bHGMMA\.[^;]*", sass)
    return bool(products) and all("gsb0" in each for each in products)


def _shown(cubin: bytes, what: str) -> str:
    """Return what cuobjdump says."""
    import triton

    program = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        return subprocess.run(
            [program, what, file.name], capture_output=True, text=True, check=True
        ).stdout


if __name__ == "__main__":
    sys.exit(main())
