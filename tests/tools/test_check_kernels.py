"""`make check-kernels`: what a kernel takes on a GPU is told without one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.rows import for_each
from tools import check_kernels
from tools.check_kernels import SHARED_BYTES, Kernel

SMALL = Kernel(89, "attend", "BLOCK=16", 28, 128, 0, 40 * 1024, 0.5)


def run_compiling(name: str, cache: Path) -> str:
    """Return what a module prints in a process of its own: in this one kernels are interpreted."""
    environment = {
        "TRITON_CACHE_DIR": str(cache),
        "TRITON_DEFAULT_FP_FUSION": "1",
        "TRITON_INTERPRET": "0",
    }
    done = subprocess.run(
        [sys.executable, "-m", name],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_kernel_that_fits_has_no_fault() -> None:
    assert SMALL.fault == ""
    assert "128 registers, 0 spilled,   40.0 KiB shared" in str(SMALL)


@for_each("arch", SHARED_BYTES)
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


def test_products_that_wait_for_each_other_are_a_fault() -> None:
    """As ptxas writes them: only the last of a group has a barrier to wait for."""
    one = "HGMMA.64x32x16.F32.BF16 R24, gdesc[UR4], R24 ;\n"
    last = "HGMMA.64x32x16.F32.BF16 R24, gdesc[UR4], R24, gsb0 ;\n"
    for sass, waits in ((last + last, True), (one + one + last, False), ("HMMA.16816 ;", False)):
        assert check_kernels.waits_for_each_product(sass) == waits
    assert "waits for the one before" in replace(SMALL, arch=90, waits=True).fault


@pytest.mark.slow
def test_a_kernel_is_compiled_without_a_gpu(tmp_path: Path) -> None:
    """As it is launched: once for equal arguments, again for a number that is 1."""
    pytest.importorskip("triton")
    first, second = run_compiling("tests.tools.small_kernel", tmp_path).splitlines()
    for told, num_launches in ((first, 2), (second, 1)):
        found = re.fullmatch(
            r"sm_90 double +(\d+) registers, 0 spilled, +[\d.]+ KiB shared, +"
            rf"{num_launches} launches, +[\d.]+ s .*BLOCK=64.* ",
            told,
        )
        assert found is not None, told
        assert int(found[1]) > 0


@pytest.mark.slow
def test_more_rows_are_multiplied_by_the_same_sums(tmp_path: Path) -> None:
    """In larger tiles: a slot's numbers do not depend on how many run beside it, to the bit."""
    pytest.importorskip("triton")
    lines = run_compiling("tests.tools.frame_products", tmp_path).splitlines()
    assert len(lines) == 18
    for first in range(0, len(lines), 6):
        few, many = lines[first : first + 3], lines[first + 3 : first + 6]
        assert few == many
        assert all("m16n8k16" in line and "warpsPerCTA = [4, 1, 1]" in line for line in few)


def test_too_many_kernels_are_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is written as a constant and changes from launch to launch."""
    monkeypatch.setattr(check_kernels, "sources_of", lambda calls, arch: list(calls))
    monkeypatch.setattr(check_kernels, "MAX_KERNELS", 2)
    assert check_kernels.count("1.7b", [None] * 2, 90) == 0  # type: ignore[list-item]
    assert check_kernels.count("1.7b", [None] * 3, 90) == 1  # type: ignore[list-item]
    assert "3 kernels, more than 2" in capsys.readouterr().out
