"""Other engines for the same weights, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("faster_qwen3_tts_script.py")
TIMEOUT_S = 600


def measure_faster_qwen3_tts(
    python: str, folder: Path, frames: int, runs: int = 3
) -> dict[str, Any]:
    """Measure faster-qwen3-tts with `python`, which has it installed, on this very checkpoint.

    Where it cannot be measured, the result says why.
    """
    if not python:
        return {"not measured": "no interpreter was given (--faster-qwen3-tts)"}
    command = [python, str(SCRIPT), str(folder), str(frames), str(runs)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"not measured": str(error)}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return {"not measured": (done.stderr.strip() or "it printed nothing").splitlines()[-1]}
    result: dict[str, Any] = json.loads(lines[-1])
    return result
