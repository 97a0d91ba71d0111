"""Run commands in sequence, each with its own time limit, so that a failure affects no other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TextIO

PATIENCE_S = 5.0
"""After SIGTERM, before SIGKILL."""


@dataclass(frozen=True)
class Part:
    """A command.

    Attributes:
        name: What the table calls it.
        command: Program and arguments.
        share: Of the time that is left, against the shares of the parts that follow.
    """

    name: str
    command: Sequence[str]
    share: float


@dataclass(frozen=True)
class Outcome:
    """What came of a part: `passed`, `failed with status N` or `cut off`; and how long it took."""

    name: str
    ending: str
    seconds: float


def run_parts(parts: Sequence[Part], seconds: float, log: TextIO) -> Iterator[Outcome]:
    """Run all parts within a time limit, and yield the outcome of each.

    What a part leaves of its time goes to those after it. What they print goes to standard output
    and the log, line by line.
    """
    deadline = time.monotonic() + seconds
    for index, part in enumerate(parts):
        began = time.monotonic()
        shares = sum(each.share for each in parts[index:])
        limit_s = max(0.0, deadline - began) * part.share / shares
        _say(f"== {part.name}: at most {limit_s:.0f} s\n", log)
        ending = _run(part.command, limit_s, log)
        outcome = Outcome(part.name, ending, round(time.monotonic() - began, 1))
        _say(f"== {part.name}: {ending} after {outcome.seconds} s\n", log)
        yield outcome


def _run(command: Sequence[str], limit_s: float, log: TextIO) -> str:
    """Run a command in a process group of its own, and kill the group at its end."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert process.stdout is not None
    reader = threading.Thread(target=_copy, args=(process.stdout, log), daemon=True)
    reader.start()
    try:
        status = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return "cut off"
    finally:
        _end(process)
        reader.join(PATIENCE_S)
        if not reader.is_alive():
            process.stdout.close()
    return f"failed with status {status}" if status else "passed"


def _end(process: subprocess.Popen[str]) -> None:
    """Kill what is left of a process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)


def _copy(lines: IO[str], log: TextIO) -> None:
    for line in lines:
        _say(line, log)


def _say(text: str, log: TextIO) -> None:
    for stream in (sys.stdout, log):
        stream.write(text)
        stream.flush()
