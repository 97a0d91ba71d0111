"""The few answers of a hub that downloading a checkpoint needs, over a folder's files."""

from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """A hub with one model, `Qwen/speaks`, and a private one, `Qwen/private`.

    Attributes:
        folder: The files of the model.
        url: For HF_ENDPOINT.
        requests: Method, path and `Range` of everything that was asked for.
        held: Name of a file whose end is not sent.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[tuple[str, str, str]] = []
        self.held = ""
        self.closing = Event()
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def listing(self) -> dict[str, Any]:
        """Return the model's description."""
        paths = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        siblings = [
            {"rfilename": str(path.relative_to(self.folder)), "size": path.stat().st_size}
            for path in paths
        ]
        return {"id": "Qwen/speaks", "sha": REVISION, "siblings": siblings}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self, with_body: bool) -> None:
        path = urlsplit(self.path).path
        self.hub.requests.append((self.command, path, self.headers.get("Range", "")))
        if path.startswith("/api/models/Qwen/speaks"):
            self._send(200, json.dumps(self.hub.listing()).encode(), {}, with_body)
        elif path.startswith(f"/Qwen/speaks/resolve/{REVISION}/"):
            self._send_file(path.split(f"{REVISION}/")[1], with_body)
        elif "private" in path:
            self._send(403, b"{}", {"X-Error-Code": "GatedRepo"}, with_body)
        else:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, with_body)

    def _send_file(self, name: str, with_body: bool) -> None:
        data = (self.hub.folder / name).read_bytes()
        headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": REVISION}
        begin = int((self.headers.get("Range") or "bytes=0-")[6:].partition("-")[0])
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        self._send(206 if begin else 200, data[begin:], headers, with_body, name == self.hub.held)

    def _send(
        self, status: int, body: bytes, headers: dict[str, str], with_body: bool, held: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if not with_body:
            return
        try:
            self.wfile.write(body[:-1000] if held else body)
            if held:
                self.hub.closing.wait(60)
        except OSError:  # the client left, as it was told to
            self.close_connection = True
