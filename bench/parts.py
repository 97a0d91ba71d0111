"""Run commands in sequence, each with its own time limit, so that a failure affects no other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
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
    """What came of a part.

    Attributes:
        name: The part's.
        ending: `passed`, `failed with status N` or `cut off`.
        seconds: How long it took.
        last_words: What it printed last, which says why, where it did not pass.
    """

    name: str
    ending: str
    seconds: float
    last_words: str = ""


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
        ending, last_words = _run(part.command, limit_s, log)
        seconds_taken = round(time.monotonic() - began, 1)
        outcome = Outcome(part.name, ending, seconds_taken, last_words)
        _say(f"== {part.name}: {ending} after {outcome.seconds} s\n", log)
        yield outcome


def _run(command: Sequence[str], limit_s: float, log: TextIO) -> tuple[str, str]:
    """Run a command in a process group of its own, and kill the group at its end.

    Returns how it ended, and its last words if it did not pass.
    """
    printed: deque[str] = deque(maxlen=1)
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
    reader = threading.Thread(target=_copy, args=(process.stdout, log, printed), daemon=True)
    reader.start()
    try:
        status = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        status = None
    finally:
        _end(process)
        reader.join(PATIENCE_S)
        if not reader.is_alive():
            process.stdout.close()
    if status == 0:
        return "passed", ""
    ending = "cut off" if status is None else f"failed with status {status}"
    return ending, "".join(printed)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill what is left of a process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)


def _copy(lines: IO[str], log: TextIO, printed: deque[str]) -> None:
    for line in lines:
        _say(line, log)
        if line.strip():
            printed.append(line.strip())


def _say(text: str, log: TextIO) -> None:
    for stream in (sys.stdout, log):
        stream.write(text)
        stream.flush()
