"""Run commands in sequence, each with its own time limit, so that a failure affects no other."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import IO, TextIO

SIGNALS = {signal.SIGTERM: 5.0, signal.SIGABRT: 2.0, signal.SIGKILL: 5.0}
"""What ends a part, one after another, and how long each may take. One that waits for the device
cannot answer SIGTERM; SIGABRT has Python print where all of its threads are."""


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
    # Of a part that is aborted, gigabytes would be written.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    deadline = time.monotonic() + seconds
    for index, part in enumerate(parts):
        began = time.monotonic()
        shares = sum(each.share for each in parts[index:])
        limit_s = max(0.0, deadline - began) * part.share / shares
        say(f"== {part.name}: at most {limit_s:.0f} s\n", log)
        ending, last_words = _run(part.command, limit_s, log)
        seconds_taken = round(time.monotonic() - began, 1)
        outcome = Outcome(part.name, ending, seconds_taken, last_words)
        say(f"== {part.name}: {ending} after {outcome.seconds} s\n", log)
        yield outcome


def _run(command: Sequence[str], limit_s: float, log: TextIO) -> tuple[str, str]:
    """Run a command in a process group of its own, and kill the group at its end.

    Returns how it ended, and its last words if it did not pass.
    """
    printed: deque[str] = deque(maxlen=1)
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},
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
        reader.join(SIGNALS[signal.SIGKILL])
        if not reader.is_alive():
            process.stdout.close()
    if status == 0:
        return "passed", ""
    ending = "cut off" if status is None else f"failed with status {status}"
    return ending, "".join(printed)


def _end(process: subprocess.Popen[str]) -> None:
    """End what is left of a process group."""
    for number, patience_s in SIGNALS.items():
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)


def _copy(lines: IO[str], log: TextIO, printed: deque[str]) -> None:
    for line in lines:
        say(line, log)
        if line.strip():
            printed.append(line.strip())


def say(text: str, log: TextIO) -> None:
    """Write to standard output and the log, at once."""
    for stream in (sys.stdout, log):
        stream.write(text)
        stream.flush()


def say_where(number: int, frame: FrameType | None) -> None:
    """Exit by a signal, and print where its time was over: what handles SIGTERM in a part."""
    traceback.print_stack(frame)
    sys.exit(128 + number)
