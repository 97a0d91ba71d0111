"""Compile every fused kernel for every kind of GPU, with none at hand: `make check-kernels`.

    python -m tools.check_kernels --arch 90 --size 1.7b

Which kernels there are, with which shapes, is recorded of the paths themselves, as Triton would
specialise them: so nothing is compiled that is not launched, and nothing is left out. Triton's own
ptxas compiles, and its cuobjdump tells what a kernel takes. A kernel that spills registers or takes
more shared memory than a block may have is an error.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.launches import TritonCall
from bench.paths import fused_launches
from bench.published_sizes import empty_model
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.engine.runner.kernels.choice import fused_kernels, prepare_triton

ROOT = Path(__file__).resolve().parent.parent

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

MAX_SPILLED_BYTES = 64
"""Of a thread. The slow path of the sine keeps some, which only large arguments take."""

SIZES = ("1.7b", "0.6b")

SLOTS = (1, 2, 32)
"""Triton compiles for a number that is 1, for one that 16 divides, and for others."""

CHUNKS = (1, 24)
"""The smallest and the largest, of which kernels may be compiled for either."""


@dataclass(frozen=True)
class Kernel:
    """A kernel that was compiled.

    Attributes:
        arch: The compute capability that it is for, times ten.
        name: The function's.
        constants: That it was compiled for.
        num_launches: How often it is launched.
        registers: That a thread has.
        spilled_bytes: What a thread writes to memory for want of registers.
        shared_bytes: What a block has.
    """

    arch: int
    name: str
    constants: str
    num_launches: int
    registers: int
    spilled_bytes: int
    shared_bytes: int

    @property
    def fault(self) -> str:
        """Return what is wrong, or nothing."""
        if self.spilled_bytes > MAX_SPILLED_BYTES:
            return f"spills {self.spilled_bytes} bytes a thread"
        if self.shared_bytes > SHARED_BYTES[self.arch]:
            return f"a block may have {SHARED_BYTES[self.arch]} bytes of shared memory"
        return ""

    def __str__(self) -> str:
        return (
            f"sm_{self.arch} {self.name:24} {self.registers:4} registers, "
            f"{self.spilled_bytes} spilled, {self.shared_bytes / 1024:6.1f} KiB shared, "
            f"{self.num_launches:4} launches "
            f"{self.constants} {self.fault}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Compile, print what each kernel takes; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--arch", type=int, action="append", choices=SHARED_BYTES)
    parser.add_argument("--size", action="append", choices=SIZES)
    options = parser.parse_args(arguments)
    began = time.monotonic()
    prepare_triton(ROOT / "build")
    work = [(arch, size) for size in options.size or SIZES for arch in options.arch or SHARED_BYTES]
    processes = min(len(work), len(os.sched_getaffinity(0)))
    spawned = multiprocessing.get_context("spawn")
    faults = num_kernels = 0
    with ProcessPoolExecutor(processes, spawned) as pool:
        for kernels in pool.map(compile_size, work):
            for kernel in kernels:
                print(kernel, flush=True)
                faults += bool(kernel.fault)
            num_kernels += len(kernels)
    seconds = time.monotonic() - began
    print(f"{num_kernels} kernels compiled in {seconds:.0f} s, {faults} with a fault")
    return int(faults > 0)


def compile_size(work: tuple[int, str]) -> list[Kernel]:
    """Compile the kernels of a size for a compute capability."""
    arch, size = work
    with tempfile.TemporaryDirectory() as cache:
        model = empty_model(size, locate("nano", Path(cache)))
    calls = [
        launch.call
        for num_slots in SLOTS
        for chunk_frames in CHUNKS
        for launches in fused_launches(model, num_slots, fused_kernels(), chunk_frames).values()
        for launch in launches.all
        if launch.call is not None
    ]
    return list(compile_calls(calls, arch))


def compile_calls(calls: Sequence[TritonCall], arch: int) -> Iterator[Kernel]:
    """Compile what some launches need, each kernel once."""
    import triton
    from triton.backends.compiler import GPUTarget

    target = GPUTarget("cuda", arch, 32)
    sources: dict[str, tuple[Any, Any, int]] = {}
    for call in calls:
        key, source, options = _specialised(call, target)
        sources[key] = source, options, sources[key][2] + 1 if key in sources else 1
    for source, options, num_launches in sources.values():
        compiled = triton.compile(source, target=target, options=options.__dict__)
        registers, stack_bytes = _usage(compiled.asm["cubin"])
        spilled_bytes = _spilled(compiled.asm["ptx"], arch) if stack_bytes else 0
        names = source.fn.arg_names
        constants = {names[path[0]]: value for path, value in source.constants.items()}
        yield Kernel(
            arch=arch,
            name=source.fn.fn.__name__,
            constants=" ".join(f"{name}={value}" for name, value in constants.items()),
            num_launches=num_launches,
            registers=registers,
            spilled_bytes=spilled_bytes,
            shared_bytes=compiled.metadata.shared,
        )


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
    """Return how many registers a thread has, and how many bytes of stack."""
    import triton

    folder = Path(triton.__file__).parent / "backends/nvidia/bin"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        shown = subprocess.run(
            [folder / "cuobjdump", "-res-usage", file.name],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+)", shown)
    assert found is not None, shown
    return int(found[1]), int(found[2])


def _spilled(ptx: str, arch: int) -> int:
    """Return how many bytes of registers a thread spills.

    A stack alone is no spill: the sine has one, for arguments that are large.
    """
    from triton.backends.nvidia.compiler import get_ptxas

    target = re.search(r"^\.target (\w+)", ptx, re.MULTILINE)
    assert target is not None
    with tempfile.TemporaryDirectory() as scratch:
        source, compiled = Path(scratch, "kernel.ptx"), Path(scratch, "kernel.cubin")
        source.write_text(ptx)
        shown = subprocess.run(
            [get_ptxas(arch).path, "-v", f"--gpu-name={target[1]}", source, "-o", compiled],
            capture_output=True,
            text=True,
            check=True,
        ).stderr
    found = re.search(r"(\d+) bytes spill stores", shown)
    assert found is not None, shown
    return int(found[1])


if __name__ == "__main__":
    sys.exit(main())
