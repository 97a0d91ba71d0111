"""What the image's HEALTHCHECK asks, and what it makes of the answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.server import free_port
from qwen_tts_api.server import healthcheck


class _Health(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.end_headers()
        self.wfile.write(b"as it is")

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    class Handler(_Health):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def set_binds(monkeypatch: pytest.MonkeyPatch, bind: str, ops_bind: str) -> None:
    monkeypatch.setenv("QWEN_BIND", bind)
    monkeypatch.setenv("QWEN_OPS_BIND", ops_bind)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")


def test_the_ops_port_is_asked_where_there_is_one(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The main port may have no free thread; a proxy has no part in it."""
    set_binds(monkeypatch, f"127.0.0.1:{free_port()}", f"0.0.0.0:{server.server_port}")
    assert healthcheck.main() == 0


def test_the_main_port_is_asked_where_there_is_no_other(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_binds(monkeypatch, f"0.0.0.0:{server.server_port}", "off")
    assert healthcheck.main() == 0


def test_a_server_that_says_so_is_ill(
    server: ThreadingHTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_binds(monkeypatch, "127.0.0.1:1", f"127.0.0.1:{server.server_port}")
    monkeypatch.setattr(server.RequestHandlerClass, "status", 503)
    assert healthcheck.main() == 1
    assert "answers 503: as it is" in capsys.readouterr().out


def test_nobody_there_is_ill(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_binds(monkeypatch, "127.0.0.1:1", f"[::]:{free_port()}")
    assert healthcheck.main() == 1
    assert "no answer from [::]:" in capsys.readouterr().out
