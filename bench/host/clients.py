"""Streaming clients that begin at once, all in one thread, as cheap as clients can be."""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

TEXT = "The quick brown fox jumps over the lazy dog, and nobody minds."
RECEIVE_BYTES = 1 << 17
TIMEOUT_S = 60.0
HEAD_END = b"\r\n\r\n"


@dataclass
class Heard:
    """What one client heard.

    Attributes:
        sent_at: When its request was sent, by `time.perf_counter`.
        first_s: Seconds until the first bytes of its audio.
        num_bytes: Of the head and the body together.
        head: The bytes until the first of the body.
    """

    sent_at: float
    first_s: float = 0.0
    num_bytes: int = 0
    head: bytes = field(default=b"", repr=False)

    def hear(self, data: bytes) -> None:
        """Take what was received."""
        self.num_bytes += len(data)
        if self.first_s:
            return
        self.head += data
        head, end, body = self.head.partition(HEAD_END)
        if end and body:
            if b" 200 " not in head[:16]:
                raise RuntimeError(self.head.decode("latin-1"))
            self.first_s = time.perf_counter() - self.sent_at


def speech(audio_format: str, frames: int, *, stream: bool = True) -> bytes:
    """Return the bytes of a request for `frames` frames of audio."""
    fields = {"text": TEXT, "language": "english", "speaker": "ryan"}
    options = {"stream": stream, "audio_format": audio_format, "max_new_tokens": frames + 1}
    body = json.dumps(fields | options).encode()
    return _request(b"POST /api/tts", body)


def probe() -> bytes:
    """Return the bytes of a request that costs HTTP alone."""
    return _request(b"GET /healthz", b"")


def _request(what: bytes, body: bytes) -> bytes:
    head = b"%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" % what
    if body:
        head += b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    return head + b"\r\n" + body


def burst(address: tuple[str, int], request: bytes, count: int) -> tuple[list[Heard], float]:
    """Send a request `count` times at once; return what was heard, and the seconds it took."""
    began = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(count):
            sock = socket.create_connection(address, TIMEOUT_S)
            sock.sendall(request)
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ, Heard(time.perf_counter()))
        heard = _listen(selector)
    return heard, time.perf_counter() - began


def _listen(selector: selectors.BaseSelector) -> list[Heard]:
    heard = []
    while selector.get_map():
        ready = selector.select(TIMEOUT_S)
        if not ready:
            raise TimeoutError("the server sends nothing")
        for key, _ in ready:
            sock, client = key.fileobj, key.data
            assert isinstance(sock, socket.socket)
            data = sock.recv(RECEIVE_BYTES)
            if data:
                client.hear(data)
            else:
                selector.unregister(sock)
                sock.close()
                heard.append(client)
    return heard


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
