"""Other engines for the same weights, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

FIGURES = "figures: "
SCRIPT = Path(__file__).with_name("faster_qwen3_tts_script.py")


def measure_faster_qwen3_tts(
    python: str, folder: Path, frames: int, runs: int = 3
) -> dict[str, Any]:
    """Measure faster-qwen3-tts with `python`, which has it installed, on this very checkpoint.

    What it prints is printed. Where it cannot be measured, the result says why.
    """
    if not python:
        return {"not measured": "no interpreter was given (--faster-qwen3-tts)"}
    command = [python, str(SCRIPT), str(folder), str(frames), str(runs)]
    printed = ["it printed nothing"]
    try:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                printed += [line.strip()] if line.strip() else []
    except OSError as error:
        return {"not measured": str(error)}
    figures = [line for line in printed if line.startswith(FIGURES)]
    if process.returncode or not figures:
        return {"not measured": printed[-1]}
    result: dict[str, Any] = json.loads(figures[-1].removeprefix(FIGURES))
    return result
