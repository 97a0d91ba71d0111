"""`make check-kernels`: what a kernel takes on a GPU is told without one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.check_kernels import SHARED_BYTES, Kernel

SMALL = Kernel(89, "attend", "BLOCK=16", 28, 128, 0, 40 * 1024)


def test_a_kernel_that_fits_has_no_fault() -> None:
    assert SMALL.fault == ""
    assert "128 registers, 0 spilled,   40.0 KiB shared" in str(SMALL)


@pytest.mark.parametrize("arch", SHARED_BYTES)
def test_shared_memory_has_a_limit_for_each_kind_of_gpu(arch: int) -> None:
    """What an H200 has room for, an RTX 4090 has not."""
    assert replace(SMALL, arch=arch, shared_bytes=SHARED_BYTES[arch]).fault == ""
    over = replace(SMALL, arch=arch, shared_bytes=SHARED_BYTES[arch] + 16)
    assert f"a block may have {SHARED_BYTES[arch]} bytes" in over.fault
    assert (replace(SMALL, arch=arch, shared_bytes=150 * 1024).fault == "") == (
        arch in (80, 90, 100)
    )


def test_a_spill_is_a_fault() -> None:
    assert "spills 16 bytes" in str(replace(SMALL, stack_bytes=16))
