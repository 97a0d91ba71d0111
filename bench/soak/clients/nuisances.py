"""Hostile and broken soak clients: disconnects, stalled readers, slow senders, malformed bodies."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import time

from bench.soak.target import EXCUSED, Target


def leaver(target: Target, rng: random.Random) -> str:
    """Request long speech, and disconnect: at once, later, or in the middle of the stream."""
    body = json.dumps({"text": "word " * 300, "stream": rng.random() < 0.5}).encode()
    with socket.create_connection(target.address, 10) as connection:
        connection.sendall(_head(len(body)) + body)
        if rng.random() < 0.7:
            connection.settimeout(rng.random())
            with contextlib.suppress(TimeoutError):
                connection.recv(rng.choice((1, 100, 50_000)))
    return "left"


def stopped_reader(target: Target, rng: random.Random) -> str:
    """Request a stream, and stop reading for a while."""
    body = json.dumps({"text": "word " * 100, "stream": True, "audio_format": "pcm"}).encode()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(target.address)
        connection.sendall(_head(len(body)) + body)
        time.sleep(rng.uniform(1, 5))
    return "stopped reading"


def dripper(target: Target, rng: random.Random) -> str:
    """Send a head or a body byte by byte, until giving up or being disconnected."""
    with socket.create_connection(target.address, 10) as connection:
        if rng.random() < 0.5:
            connection.sendall(_head(1000))
        for byte in b"POST /api/tts HTTP/1.1\r\nX: " + b"y" * 40:
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                return "cut off"
            time.sleep(0.1)
    return "gave up"


def liar(target: Target, rng: random.Random) -> str:
    """Send a malformed body: each must be a 4xx with an error body."""
    lies: list[tuple[bytes, bytes]] = [
        (_head(500), b'{"text": "Hi."}'),
        (_head(3), b'{"text": "Hi."}'),
        (_head(None), b"ZZ\r\n{}\r\n0\r\n\r\n"),
        (_head(13), b'{"text": NaN}'),
        (_head(100_000), b"[" * 100_000),
        (_head(4), b"\xff\xfe\x00\x00"),
        (_head(1 << 40), b"{}"),
        (_head(60, "multipart/form-data; boundary=x"), b"--x\r\nContent-Disposition: form-data"),
        (_head(22), b'{"text": "Hi", "x": 1}'),
        (_head(33), b'{"text": "Hi", "temperature":1e99}'[:33]),
    ]
    head, body = rng.choice(lies)
    with socket.create_connection(target.address, 30) as connection:
        connection.settimeout(30)
        answer = b""
        try:
            connection.sendall(head + body)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionError:
            pass  # refused before all of it was sent
    status = int(answer[9:12].decode("latin-1") or 0)
    target.count(status)
    if 400 <= status < 500 and b'"request_id"' in answer:
        return "refused"
    if not answer or status in EXCUSED:
        return "no answer" if not answer else "excused"
    return f"BAD answer to a lie: {status}"


def hold_threads(target: Target, number: int) -> None:
    """Occupy a number of the server's threads at once, so that all have been started."""
    body = json.dumps({"text": "word " * 300}).encode()
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            connection = stack.enter_context(socket.create_connection(target.address, 10))
            connection.sendall(_head(len(body)) + body)
        time.sleep(1)


def _head(length: int | None, content_type: str = "application/json") -> bytes:
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        "POST /api/tts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Type: {content_type}\r\n{size}\r\n\r\n"
    ).encode()
