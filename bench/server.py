"""A real server process on a free port, for benchmarks and tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parent.parent
POLL_S = 0.05


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Server:
    """A gunicorn process that serves this checkout.

    Args:
        log: The file that takes what the process prints.
        app: The WSGI application.
        prefix: A command that executes the server: what stands behind it.
        settings: QWEN_* and other variables, in place of those for a quick start.
    """

    def __init__(
        self, log: Path, app: str = "wsgi:app", prefix: Sequence[str] = (), **settings: str
    ) -> None:
        settings.setdefault("QWEN_BIND", f"127.0.0.1:{free_port()}")
        host, _, port = settings["QWEN_BIND"].rpartition(":")
        self.url = f"http://{host}:{port}"
        self.address = (host, int(port))
        self.log_path = log
        environ = {name: value for name, value in os.environ.items() if name[:5] != "QWEN_"}
        self.settings = {
            "QWEN_MODEL_ID": "nano",
            "QWEN_DEVICE": "cpu",
            "QWEN_DTYPE": "float32",
            "QWEN_ATTN_IMPL": "sdpa",
            "QWEN_OPS_BIND": "off",
            **settings,
        }
        environ |= self.settings
        command = [*prefix, sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", app]
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environ, stdout=stream, stderr=stream
            )

    @property
    def log(self) -> str:
        """Return the log of the server."""
        return self.log_path.read_text()

    def get(self, path: str) -> requests.Response:
        """GET a path."""
        return requests.get(self.url + path, timeout=60)

    def say(self, text: str, **fields: Any) -> requests.Response:
        """POST a text to /api/tts."""
        return requests.post(f"{self.url}/api/tts", json={"text": text, **fields}, timeout=60)

    def is_up(self) -> bool:
        """Return whether the server responds."""
        try:
            return requests.get(f"{self.url}/healthz", timeout=2).ok
        except (requests.ConnectionError, requests.Timeout):
            return False

    def is_ready(self) -> bool:
        """Return whether `/readyz` is 200."""
        assert self.process.poll() is None, self.log
        try:
            return self.get("/readyz").status_code == 200
        except requests.ConnectionError:
            return False

    def wait_until_ready(self) -> None:
        """Wait until speech requests are served; the log is told where the process ends instead."""
        while not self.is_ready():
            time.sleep(POLL_S)

    def worker(self) -> int:
        """Return the process id of gunicorn's worker."""
        children = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=True
        )
        return int(children.stdout.split()[0])

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        """Kill the server if it still runs."""
        self.process.kill()
        self.process.wait()
