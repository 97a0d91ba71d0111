"""The command line as a process of its own, as a shell starts it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = [sys.executable, "-m", "qwen_tts_api.cli"]
NOTHING: Mapping[str, str] = {}
ON_A_CPU = ("--device", "cpu", "--dtype", "float32")


def environment(variables: Mapping[str, str] = NOTHING) -> dict[str, str]:
    """Return this process's environment without settings, and with these variables."""
    ours = {name: value for name, value in os.environ.items() if name[:5] not in ("QWEN_", "TTS_A")}
    return {**ours, "PYTHONPATH": str(ROOT), **variables}


def run(
    *arguments: object, stdin: bytes | None = None, environ: Mapping[str, str] = NOTHING
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end; `environ` is added to the environment."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        env=environment(environ),
        timeout=120,
        check=False,
    )


@contextlib.contextmanager
def started(
    *arguments: object,
    stdin: int = subprocess.DEVNULL,
    stdout: int | None = None,
    stderr: int | None = None,
    environ: Mapping[str, str] = NOTHING,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command, which does not outlive the block."""
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=environment(environ),
        # A shell lets what it starts in the background ignore Ctrl-C, and so all that this starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()
