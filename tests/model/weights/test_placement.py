"""Device, number format and attention kernel are checked before anything is loaded."""

from __future__ import annotations

import importlib.util
import logging
import os
from pathlib import Path

import pytest
import torch

from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.weights.placement import place, zeros


def test_the_cpu_falls_back_to_sdpa_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """flash-attn needs a GPU."""
    placed = place("cpu", "bfloat16", "flash_attention_2")
    assert (placed.attention, placed.torch_dtype) == ("sdpa", torch.bfloat16)
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "Falling back to sdpa" in warning.getMessage()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_the_kernel_that_runs_is_reported(attention: str, caplog: pytest.LogCaptureFixture) -> None:
    """`eager` is accepted, and is the same; no warning for what works."""
    assert place("cpu", "float32", attention).attention == "sdpa"
    assert not caplog.records


@pytest.mark.parametrize(
    ("installed", "dtype", "capability", "expected"),
    [
        (True, "bfloat16", (8, 0), "flash_attention_2"),
        (True, "float16", (7, 5), "sdpa"),
        (True, "float32", (8, 0), "sdpa"),
        (False, "bfloat16", (8, 0), "sdpa"),
    ],
)
def test_a_gpu_uses_flash_attention_where_it_can(
    monkeypatch: pytest.MonkeyPatch,
    installed: bool,
    dtype: str,
    capability: tuple[int, int],
    expected: str,
) -> None:
    """It must be installed, and computes in 16 bits only, on no older device."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)
    assert place("cuda:0", dtype, "flash_attention_2").attention == expected


def test_a_missing_device_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked, what is there, what to set."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(LoadError, match=r"QWEN_DEVICE=cuda:1 .*sees 1 CUDA device[, .].*cpu"):
        place("cuda:1", "bfloat16", "sdpa")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_zeros_are_zeros(dtype: torch.dtype) -> None:
    """Of any dtype, to be written to."""
    made = zeros((3, 5), dtype, torch.device("cpu"))
    assert (made.dtype, made.shape) == (dtype, (3, 5))
    assert not made.any()
    assert made.fill_(2).sum() == 30
    assert zeros((2,), dtype, torch.device("meta")).is_meta


def test_zeros_take_memory_when_they_are_written() -> None:
    """What a thousand rows could keep costs nothing until there are as many."""

    def resident_bytes() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident_bytes()
    made = zeros((2**28,), torch.float32, torch.device("cpu"))
    assert made[-1] == 0
    assert resident_bytes() - before < 2**26
