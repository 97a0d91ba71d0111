"""Which files of the package one request for speech enters: `python -m tools.request_path`.

A plain request is sent to the application with the miniature model, and a profiler sees each
function of the package that is entered. Whoever wants to know what happens to a request reads these
files in this order.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

PACKAGE = "qwen_tts_api"
QUEUES = "engine/"
"""A job is queued when code below this folder appends something to a deque."""

SETTINGS = {
    "QWEN_MODEL_ID": "nano",
    "QWEN_DEVICE": "cpu",
    "QWEN_DTYPE": "float32",
    "QWEN_ATTN_IMPL": "sdpa",
    "QWEN_LOG_LEVEL": "error",
}
"""Those of a server that is quick to start; all others have their defaults."""

READY_TIMEOUT_S = 120.0


@dataclass
class Part:
    """One part of a request's way.

    Attributes:
        functions: Each function that was entered, as file and name, in the order of first entry.
        files: Every file that was entered, in the order of first entry.
    """

    functions: list[tuple[str, str]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    _seen: set[CodeType] = field(default_factory=set, init=False, repr=False)

    def enter(self, file: str, code: CodeType) -> None:
        """Note that a function is entered, or a generator resumed."""
        if code in self._seen:
            return
        self._seen.add(code)
        if file not in self.files:
            self.files.append(file)
        # Comprehensions have frames of their own in some versions of Python only.
        if not code.co_name.startswith("<") or code.co_name == "<lambda>":
            self.functions.append((file, code.co_name))

    @property
    def num_changes(self) -> int:
        """How often the file changes from a function to the one that is first entered next."""
        files = [file for file, _ in self.functions]
        return sum(one != next_one for one, next_one in itertools.pairwise(files))


@dataclass
class RequestPath:
    """The way of a request.

    Attributes:
        queueing: From the call of the WSGI application until the engine has the job, in the
            thread that answers.
        answering: From then on until the answer is whole, in the same thread.
        computing: What other threads enter meanwhile: the engine's.
    """

    queueing: Part = field(default_factory=Part)
    answering: Part = field(default_factory=Part)
    computing: Part = field(default_factory=Part)


class Profiler:
    """Records the functions of a package that are entered while it is active.

    Attributes:
        path: What was entered.
    """

    def __init__(self, package: Path) -> None:
        self.path = RequestPath()
        self._prefix = f"{package}/"
        self._thread: int | None = None
        self._is_queued = False

    def __enter__(self) -> Profiler:
        self._thread = threading.get_ident()
        sys.setprofile(self.profile)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        self._thread = None
        if not self._is_queued:
            raise RuntimeError(f"nothing below {QUEUES} appended a job to a deque")

    def profile(self, frame: FrameType, event: str, argument: Any) -> None:
        """See `sys.setprofile`."""
        code = frame.f_code
        if self._thread is None or not code.co_filename.startswith(self._prefix):
            return
        file = code.co_filename.removeprefix(self._prefix)
        if event == "call":
            self._part().enter(file, code)
        elif event == "c_call" and file.startswith(QUEUES) and self._answers():
            owner = getattr(argument, "__self__", None)
            self._is_queued |= isinstance(owner, deque) and argument.__name__ == "append"

    def _answers(self) -> bool:
        return threading.get_ident() == self._thread

    def _part(self) -> Part:
        if not self._answers():
            return self.path.computing
        return self.path.answering if self._is_queued else self.path.queueing


def trace_request() -> RequestPath:
    """Return the way of one plain request: not the first, for which modules are imported.

    The application is the one that gunicorn would serve in this process.
    """
    import qwen_tts_api

    profiler = Profiler(Path(qwen_tts_api.__file__).parent)
    before = threading.getprofile()
    threading.setprofile(profiler.profile)  # the engine's thread takes it over when it starts
    try:
        from wsgi import app

        service = app.extensions[PACKAGE]
        service.start()
    finally:
        threading.setprofile(before)
    client = app.test_client()
    try:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while client.get("/readyz").status_code != 200:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the model was not ready after {READY_TIMEOUT_S:g} s")
            time.sleep(0.02)
        client.post("/api/tts", json={"text": "Good morning."}).get_data()
        with profiler:
            response = client.post("/api/tts", json={"text": "Hello."})
            response.get_data()
            response.close()
        if response.status_code != 200:
            raise RuntimeError(f"the request was answered {response.status}")
    finally:
        service.close(READY_TIMEOUT_S)
    return profiler.path


def figures(path: RequestPath) -> dict[str, int]:
    """Return how many files there are, and how often the file changes until the job is queued."""
    return {
        "files until queued": len(path.queueing.files),
        "changes of file until queued": path.queueing.num_changes,
        "files until answered": len({*path.queueing.files, *path.answering.files}),
        "files of the engine's thread": len(path.computing.files),
    }


def trace_tree(tree: Path) -> dict[str, Any]:
    """Return what `--json` prints for another checkout, in a process of its own Python."""
    python = tree / ".venv" / "bin" / "python"
    output = subprocess.run(
        [python if python.exists() else sys.executable, __file__, "--json"],
        env=os.environ | {"PYTHONPATH": str(tree)},
        cwd=tree,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    result: dict[str, Any] = json.loads(output)
    return result


def main() -> None:
    """Print the files that a plain request for speech enters, in order."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--functions", action="store_true", help="and the functions in them")
    parser.add_argument("--json", action="store_true", help="the files and their numbers as JSON")
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("QWEN_", "OTEL_"))]:
        del os.environ[name]
    os.environ.update(SETTINGS)
    path = trace_request()
    parts = {"queueing": path.queueing, "answering": path.answering, "computing": path.computing}
    if options.json:
        files = {name: part.files for name, part in parts.items()}
        print(json.dumps({"figures": figures(path)} | files))
        return
    for name, part in parts.items():
        print(f"{name}: {len(part.files)} files, {part.num_changes} changes of file")
        lines = (" ".join(each) for each in part.functions) if options.functions else part.files
        print(*(f"  {line}" for line in lines), sep="\n")


if __name__ == "__main__":
    main()
