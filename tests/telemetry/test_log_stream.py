"""A log that nobody reads, or that is closed, stops nothing."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from bench.server import ROOT, free_port
from qwen_tts_api.telemetry import log_stream
from qwen_tts_api.telemetry.log_stream import NonBlockingHandler
from tests.conftest import Serve


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Return both ends of a pipe of the smallest size."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:
            continue


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("x", logging.INFO, "", 0, message, None, None)


def read_lines(reader: int, handler: NonBlockingHandler) -> list[bytes]:
    """Return all that comes while the handler is flushed."""
    data = b""
    handler.flush(0)
    while select.select([reader], [], [], 0)[0]:
        data += os.read(reader, 65_536)
        handler.flush(0)
    return data.splitlines()


def test_lines_that_nobody_reads_wait_and_come_in_their_order(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    handler = NonBlockingHandler(writer)
    sent = [f"{number} {'x' * (number * 37 % 9000)}" for number in range(100)]
    for line in sent:
        handler.emit(record(line))
    assert [line.decode() for line in read_lines(reader, handler)] == sent


def test_what_is_lost_is_counted_where_it_is_missing(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first lines stay: they tell how it began."""
    monkeypatch.setattr(log_stream, "MAX_PENDING_BYTES", 10_000)
    reader, writer = pipe
    handler = NonBlockingHandler(writer)
    for number in range(1000):
        handler.emit(record(f"{number:<99}"))
    lines = read_lines(reader, handler)
    handler.emit(record("later"))
    missing = 1000 - (len(lines) - 1)
    assert missing > 500
    assert [int(line) for line in lines[:-1]] == list(range(1000 - missing))
    assert lines[-1] == b"%d lines of the log are missing here: it could not be written" % missing
    assert read_lines(reader, handler) == [b"later"]


def test_a_full_disk_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines come whole and in their order once there is room: one may be half written."""
    write, room = os.write, [4]

    def write_into_room(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", write_into_room)
    with (tmp_path / "log").open("w+b") as file:
        handler = NonBlockingHandler(file.fileno())
        for line in ("first", "second"):
            handler.emit(record(line))
        assert (tmp_path / "log").read_bytes() == b"firs"
        room[0] = 99
        handler.emit(record("third"))
    assert (tmp_path / "log").read_bytes() == b"first\nsecond\nthird\n"


def test_a_stream_that_is_closed_loses_lines_and_nothing_else(pipe: tuple[int, int]) -> None:
    """At the other end, and at this one."""
    reader, writer = pipe
    handler = NonBlockingHandler(writer)
    os.close(reader)
    handler.emit(record("a"))
    os.close(writer)
    handler.emit(record("b"))
    handler.flush()


@pytest.mark.parametrize("redirection", ["2>&-", ">&- 2>&- <&-"])
def test_a_server_without_standard_error(serve: Serve, redirection: str) -> None:
    """It serves and ends as any other."""
    server = serve(prefix=["sh", "-c", f'exec "$@" {redirection}', "sh"])
    assert server.say("Hi.", max_new_tokens=2).status_code == 200
    assert server.stop() == 0


# A server whose log is a pipe: the process in between is replaced by it.
PIPED = (
    "import os, sys; os.mkfifo(sys.argv[1]); reader = os.open(sys.argv[1], os.O_RDWR); "
    "os.dup2(reader, 1); os.dup2(reader, 2); os.execv(sys.argv[2], sys.argv[2:])"
)


def test_a_log_pipe_that_nobody_reads(serve: Serve, tmp_path: Path) -> None:
    """More requests than lines fit into it; when somebody reads, it goes on; so does the end."""
    fifo = tmp_path / "fifo"
    server = serve(prefix=[sys.executable, "-c", PIPED, str(fifo)])
    session = requests.Session()
    for _ in range(400):  # at 250 bytes a line, of 64 KiB
        assert session.get(f"{server.url}/speakers", timeout=20).status_code == 200
    with fifo.open("rb", buffering=0) as reader:
        lines = b""
        while lines.count(b"/speakers") < 400:
            assert select.select([reader], [], [], 20)[0], lines
            lines += reader.read(65_536)
    assert all(json.loads(line) for line in lines.splitlines()[:-1])
    assert server.stop() == 0


def test_the_sentence_of_a_start_that_fails_is_read_where_standard_output_is_closed() -> None:
    """The streams that are open are left as they are."""
    environ = {**os.environ, "QWEN_DEVCE": "cpu", "QWEN_BIND": f"127.0.0.1:{free_port()}"}
    command = f"exec {sys.executable} -m gunicorn -c gunicorn.conf.py wsgi:app <&- >&-"
    result = subprocess.run(
        ["sh", "-c", command], env=environ, cwd=ROOT, stderr=subprocess.PIPE, check=False
    )
    assert (result.returncode, b"did you mean QWEN_DEVICE?" in result.stderr) == (4, True)


def test_a_reader_that_has_gone(serve: Serve) -> None:
    """`qwen-tts-api serve 2>&1 | head`: the server goes on, and ends when it is told to."""
    server = serve(prefix=["bash", "-c", 'exec "$@" 2> >(head -n 1)', "bash"])
    for _ in range(20):
        assert server.get("/speakers").status_code == 200
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
