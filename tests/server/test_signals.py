"""Every signal that gunicorn handles, to the master and to the worker itself."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from bench.server import Server
from qwen_tts_api.server.signals import IGNORED
from tests.conftest import Serve, wait_until

HANDLED = "HUP TTIN TTOU USR1 USR2 WINCH".split()


@pytest.mark.parametrize("to", ["master", "worker"])
@pytest.mark.parametrize("name", HANDLED)
def test_what_would_start_another_worker_is_ignored(server: Server, name: str, to: str) -> None:
    """With a line that says why; the same worker goes on, alone."""
    worker = server.worker()
    before = server.log.count(f"SIG{name} is ignored: ")
    os.kill(worker if to == "worker" else server.process.pid, getattr(signal, f"SIG{name}"))
    wait_until(lambda: server.log.count(f"SIG{name} is ignored: ") == before + 1)
    assert server.is_ready()
    assert server.worker() == worker
    assert server.log.count("Booting worker") == 1


def test_all_that_are_ignored_are_tested() -> None:
    assert {number.name for number in IGNORED} == {f"SIG{name}" for name in HANDLED}


def test_sigchld_means_nothing_by_itself(server: Server) -> None:
    """The master looks for a worker that has ended, and the worker does nothing."""
    for process in (server.process.pid, server.worker()):
        os.kill(process, signal.SIGCHLD)
    assert server.is_ready()


@pytest.mark.parametrize(
    ("name", "to", "code"),
    [
        ("TERM", "master", 0),
        ("INT", "master", 0),
        ("QUIT", "master", 0),
        ("TERM", "worker", 70),
        ("INT", "worker", 70),
        ("QUIT", "worker", 70),
        ("ABRT", "worker", 70),
        ("ABRT", "master", -signal.SIGABRT),
    ],
)
def test_what_ends_the_server(serve: Serve, name: str, to: str, code: int) -> None:
    """Told to end it exits with 0; a worker that ends without the master's word is a loss.

    A master that is gone takes the worker along.
    """
    server = serve(until=Server.is_up)
    os.kill(
        server.worker() if to == "worker" else server.process.pid, getattr(signal, f"SIG{name}")
    )
    assert server.process.wait(30) == code
    wait_until(lambda: not server.is_up(), 20)
    assert "Traceback" not in server.log
    assert ("Current thread" in server.log) == ((name, to) == ("ABRT", "worker"))


def test_sigterm_before_anything_is_there(serve: Serve) -> None:
    """While the worker imports the application, it has nothing to finish."""
    server = serve(until=lambda server: "Booting worker" in server.log)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 0


@pytest.mark.parametrize("nohup", [False, True])
def test_a_terminal_that_is_closed(serve: Serve, nohup: bool) -> None:
    """Ends the server that was started in it, unless it was started by `nohup`."""
    code = (
        "import os, signal, sys; os.setsid(); os.open(sys.argv[1], os.O_RDWR); "
        f"signal.signal(signal.SIGHUP, signal.{'SIG_IGN' if nohup else 'SIG_DFL'}); "
        "os.execv(sys.argv[2], sys.argv[2:])"
    )
    terminal, other_end = os.openpty()
    server = serve(until=Server.is_up, prefix=[sys.executable, "-c", code, os.ttyname(other_end)])
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "SIGHUP is ignored" in server.log)
    os.close(other_end)
    os.close(terminal)
    if nohup:
        wait_until(lambda: server.log.count("SIGHUP is ignored") == 2)
        assert server.stop() == 0
    else:
        assert server.process.wait(30) == 0
        assert "the terminal was closed" in server.log
