"""`make bench`: run the CPU benchmarks, and write the results with date and hardware."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import platform
import sys
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


@functools.cache
def hardware() -> dict[str, Any]:
    """Return the hardware and versions that the figures depend on."""
    import torch

    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    of_gpu = _gpu() if torch.cuda.is_available() else {}
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "gpu": None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        **of_gpu,
    }


def _gpu() -> dict[str, Any]:
    import torch

    from bench import nvidia

    device = torch.cuda.current_device()
    properties = torch.cuda.get_device_properties(device)
    triton = importlib.util.find_spec("triton") and metadata.version("triton")
    return {
        "gpu": properties.name,
        "memory_gib": round(properties.total_memory / 2**30, 1),
        "cuda": torch.version.cuda,
        "triton": triton,
        **nvidia.facts(device),
    }


def write_result(name: str, result: dict[str, Any], folder: Path = RESULTS) -> str:
    """Write `<folder>/<name>.json` atomically, and return its text."""
    document = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "hardware": hardware(),
        "result": result,
    }
    text = json.dumps(document, indent=2)
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".{name}.partial"
    scratch.write_text(text + "\n")
    scratch.replace(folder / f"{name}.json")
    return text


def main() -> None:
    """Run the benchmarks that the command line names, or all; print and write the results."""
    from bench import cpu, encoders, http_overhead, startup
    from bench.host import measure as host

    parts = {
        "engine_cpu": cpu.measure,
        "http_overhead": http_overhead.measure,
        "host": host.measure,
        "encoders": encoders.measure,
        "startup": startup.measure,
    }
    for name in sys.argv[1:] or parts:
        print(f"{name}: {write_result(name, parts[name]())}", flush=True)


if __name__ == "__main__":
    main()
