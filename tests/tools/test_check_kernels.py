"""`make check-kernels`: what a kernel takes on a GPU is told without one."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.launches import TritonCall
from tools import check_kernels
from tools.check_kernels import MAX_KERNELS, SHARED_BYTES, SIZES, Kernel, compile_calls

SMALL = Kernel(89, "attend", "BLOCK=16", 28, 128, 0, 40 * 1024, 0.5)


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
    """However small."""
    assert "spills 8 bytes" in str(replace(SMALL, spilled_bytes=8))


@pytest.mark.slow
def test_a_kernel_is_compiled_without_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is launched: once for equal arguments, again for a number that is 1."""
    pytest.importorskip("triton")
    from tests.tools.small_kernel import double

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")
    x = torch.empty(64, device="meta")
    calls = [TritonCall(double, (1,), (x, number), {"BLOCK": 64}) for number in (64, 48, 1)]
    first, second = compile_calls(calls, 90)
    assert (first.name, first.num_launches, second.num_launches) == ("double", 2, 1)
    assert "BLOCK=64" in first.constants
    assert first.registers > 0
    assert first.fault == ""


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_start_compiles_few_kernels(size: str) -> None:
    """The first one on a machine takes as long: neither slots nor chunks are a reason for more.

    In a process of its own: in this one the kernels may be interpreted.
    """
    pytest.importorskip("triton")
    command = [sys.executable, "-m", "tools.check_kernels", "--count", f"--size={size}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.fullmatch(rf"{size} launches (\d+) kernels\n", done.stdout)
    assert found is not None
    assert 30 <= int(found[1]) <= MAX_KERNELS


def test_too_many_kernels_are_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is written as a constant and changes from launch to launch."""
    monkeypatch.setattr(check_kernels, "sources_of", lambda calls, arch: list(calls))
    monkeypatch.setattr(check_kernels, "MAX_KERNELS", 2)
    assert check_kernels.count("1.7b", [None] * 2, 90) == 0  # type: ignore[list-item]
    assert check_kernels.count("1.7b", [None] * 3, 90) == 1  # type: ignore[list-item]
    assert "3 kernels, more than 2" in capsys.readouterr().out
