"""The command line as a process of its own, as a shell starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = [sys.executable, "-m", "qwen_tts_api.cli"]
ON_A_CPU = ("--device", "cpu", "--dtype", "float32")


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without settings, and with these variables."""
    ours = {name: value for name, value in os.environ.items() if name[:5] not in ("QWEN_", "TTS_A")}
    return ours | {"PYTHONPATH": str(ROOT), **variables}


def run(
    *arguments: object, stdin: bytes | None = None, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end; variables are added to the environment."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        env=environment(**variables),
        timeout=120,
        check=False,
    )


def start(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """Start a command."""
    return subprocess.Popen([*COMMAND, *map(str, arguments)], env=environment(), **options)
