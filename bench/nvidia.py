"""What the driver says of a GPU: its version, and clocks and power right after a measurement."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

TIMEOUT_S = 10

LOG_MARK, LOG_LINES = "NVRM", 10
"""Of the kernel's log: a kernel that failed is an Xid there, with a number that says how."""

FACTS = {"driver": "driver_version", "power_limit_w": "power.limit", "max_sm_mhz": "clocks.max.sm"}
STATE = {
    "sm_mhz": "clocks.sm",
    "memory_mhz": "clocks.mem",
    "power_w": "power.draw",
    "celsius": "temperature.gpu",
    "slowed_by": "clocks_event_reasons.active",  # a mask
}


def facts(device: int) -> dict[str, Any]:
    """Return what does not change."""
    return _query(device, FACTS)


def state(device: int) -> dict[str, Any]:
    """Return clocks, power and temperature now; a clock falls a while after the load."""
    return _query(device, STATE)


def overview() -> str:
    """Return what `nvidia-smi` prints (errors, memory, processes), and the driver's log."""
    logged = [line for line in _lines("dmesg") if LOG_MARK in line]
    return "\n".join([*_lines("nvidia-smi"), *logged[-LOG_LINES:], ""])


def _lines(program: str) -> list[str]:
    """Return what a program prints, or why it does not."""
    try:
        return _output([program]).splitlines()
    except (OSError, subprocess.SubprocessError) as error:
        return [f"{program}: {error}"]


def _query(device: int, fields: dict[str, str]) -> dict[str, Any]:
    """Return some of `nvidia-smi`'s fields for a device of PyTorch's; nothing where it fails."""
    import torch

    uuid = str(torch.cuda.get_device_properties(device).uuid).removeprefix("GPU-")
    for name in (f"GPU-{uuid}", str(device)):  # the number is another where devices are hidden
        arguments = [f"--id={name}", f"--query-gpu={','.join(fields.values())}"]
        try:
            printed = _output(["nvidia-smi", *arguments, "--format=csv,noheader,nounits"])
        except (OSError, subprocess.SubprocessError):
            return {}
        values = [_number(value) for value in printed.strip().split(", ")]
        if len(values) == len(fields):
            return dict(zip(fields, values, strict=True))
    return {}


def _output(command: Sequence[str]) -> str:
    """Return what a program prints; it is not awaited where it hangs, as of a lost device.

    Raises:
        OSError: There is no such program.
        subprocess.TimeoutExpired: It hangs.
    """
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        return process.communicate(timeout=TIMEOUT_S)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=1)
        raise


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
