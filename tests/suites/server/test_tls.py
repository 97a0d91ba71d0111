"""A certificate of gunicorn's settings encrypts the main port, and that alone."""

from __future__ import annotations

from pathlib import Path

import requests

from bench.server import free_port
from tests.conftest import Serve
from tests.suites.server.crowd import Crowd

CERTIFICATE = Path(__file__).parent / "localhost.pem"
"""Made for this test, with its key: nobody trusts it."""


def test_an_encrypted_main_port(serve: Serve) -> None:
    """Requests of one connection, a body that is too large, clients that never shake hands."""
    server = serve(
        until=lambda server: "ready in" in server.log,
        GUNICORN_CMD_ARGS=f"--certfile {CERTIFICATE} --keyfile {CERTIFICATE}",
        QWEN_OPS_BIND=f"127.0.0.1:{free_port()}",
    )
    ops = f"http://{server.settings['QWEN_OPS_BIND']}"
    session = requests.Session()
    session.trust_env = False
    session.verify = str(CERTIFICATE)
    url = f"https://127.0.0.1:{server.address[1]}"
    with Crowd(server.address, 10, b"GET / HTTP/1.1\r\n"), Crowd(server.address, 200, b""):
        for _ in range(5):
            assert session.get(f"{url}/speakers", timeout=60).status_code == 200
        said = session.post(f"{url}/api/tts", json={"text": "Hi.", "max_new_tokens": 2}, timeout=60)
        assert said.status_code == 200
        large = session.post(f"{url}/api/tts", data=b" " * 3_000_000, timeout=60)
        assert large.status_code == 413
        assert requests.get(f"{ops}/readyz", timeout=60).status_code == 200
    assert server.stop() == 0
    assert "Traceback" not in server.log
