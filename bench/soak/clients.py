"""What the clients of a soak do. Each act returns a word for what came of it, which is counted.

A word that begins with `BAD` is a fault of the server's.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import socket
import struct
import time
import wave
from collections.abc import Callable
from typing import Any

import numpy as np
import requests

Act = Callable[["Target", random.Random], str]

TEXTS = [
    "Hello.",
    "The quick brown fox.",
    "It is ten past nine, and it rains.",
    "Guten Morgen, wie geht es?",
    "你好，今天天气很好。",
]
SEEDS = 4
# While the server is being started again, or has too much to do.
EXCUSED = {429, 503, 504}


class Target:
    """The server, and what it should answer.

    Attributes:
        url: Where it is.
        address: Host and port.
        expected: Samples by text and seed, made when nothing else ran.
        faults: Whether answers of 500 are to be expected.
    """

    def __init__(self, url: str, address: tuple[str, int], faults: bool) -> None:
        self.url = url
        self.address = address
        self.expected: dict[tuple[str, int], bytes] = {}
        self.faults = faults

    def learn(self) -> None:
        """Ask for everything once."""
        for text in TEXTS:
            for seed in range(SEEDS):
                while True:
                    answer = self.say(text, seed)
                    if answer.status_code == 200:
                        break
                    time.sleep(0.2)
                self.expected[text, seed] = answer.content

    def say(self, text: str, seed: int, **fields: Any) -> requests.Response:
        """Ask for a text."""
        body = {"text": text, "seed": seed, "audio_format": "pcm", "max_new_tokens": 40, **fields}
        return requests.post(f"{self.url}/api/tts", json=body, timeout=120)

    def judge(self, text: str, seed: int, data: bytes) -> str:
        """Tell whether audio is what this text and seed should give.

        Sums in another batch round differently, and once in many thousand draws that makes another
        code, after which the utterance goes its own way: it is then right up to some frame.
        Somebody else's audio differs from the first frame on.
        """
        got = np.frombuffer(data, "<i2").astype(int)
        expected = np.frombuffer(self.expected[text, seed], "<i2").astype(int)
        common = min(len(got), len(expected))
        wrong = np.flatnonzero(np.abs(got[:common] - expected[:common]) > 8)
        if len(got) == len(expected) and not len(wrong):
            return "right"
        if len(got) % 1920 or not len(got):
            return "BAD length"
        return "rounded" if common and (not len(wrong) or wrong[0] >= 1920) else "BAD audio"


def _choose(rng: random.Random) -> tuple[str, int]:
    return rng.choice(TEXTS), rng.randrange(SEEDS)


def _refused(target: Target, answer: requests.Response) -> str:
    """Judge an answer that is not audio."""
    try:
        code = answer.json()["code"]
    except (ValueError, KeyError):
        return f"BAD body of {answer.status_code}"
    if answer.status_code == 500 and target.faults and code == "synthesis_failed":
        return "injected 500"
    if answer.status_code in EXCUSED:
        return f"{answer.status_code} {code}"
    return f"BAD {answer.status_code} {code}"


def whole(target: Target, rng: random.Random) -> str:
    """Ask for a file."""
    text, seed = _choose(rng)
    answer = target.say(text, seed)
    if answer.status_code != 200:
        return _refused(target, answer)
    return target.judge(text, seed, answer.content)


def wav(target: Target, rng: random.Random) -> str:
    """Ask for a WAV, and read it as Python does."""
    text, seed = _choose(rng)
    answer = target.say(text, seed, audio_format="wav")
    if answer.status_code != 200:
        return _refused(target, answer)
    with wave.open(io.BytesIO(answer.content)) as file:
        return target.judge(text, seed, file.readframes(file.getnframes()))


def streamed(target: Target, rng: random.Random) -> str:
    """Listen to a stream to its end."""
    text, seed = _choose(rng)
    try:
        answer = target.say(text, seed, stream=True)
    except requests.exceptions.ChunkedEncodingError:
        return "injected break" if target.faults else "BAD break"
    if answer.status_code != 200:
        return _refused(target, answer)
    return target.judge(text, seed, answer.content)


def coqui(target: Target, rng: random.Random) -> str:
    """Ask as Coqui's clients do."""
    answer = requests.get(f"{target.url}/api/tts", params={"text": rng.choice(TEXTS)}, timeout=120)
    return "200" if answer.status_code == 200 else _refused(target, answer)


def leaver(target: Target, rng: random.Random) -> str:
    """Ask for much, and go: at once, a little later, or in the middle of the stream."""
    body = json.dumps({"text": "word " * 300, "stream": rng.random() < 0.5}).encode()
    with socket.create_connection(target.address, 10) as connection:
        connection.sendall(_head(len(body)) + body)
        if rng.random() < 0.7:
            connection.settimeout(rng.random())
            with contextlib.suppress(TimeoutError):
                connection.recv(rng.choice((1, 100, 50_000)))
    return "left"


def stopped_reader(target: Target, rng: random.Random) -> str:
    """Ask for a stream and take nothing of it for a while."""
    body = json.dumps({"text": "word " * 100, "stream": True, "audio_format": "pcm"}).encode()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(target.address)
        connection.sendall(_head(len(body)) + body)
        time.sleep(rng.uniform(1, 5))
    return "stopped reading"


def dripper(target: Target, rng: random.Random) -> str:
    """Send a head or a body a byte at a time, and give up or be cut off."""
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
    """Send a body that is not what it says it is: each must be a 4xx with a body of ours."""
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
    status = answer[9:12].decode("latin-1")
    if status[:1] == "4" and b'"request_id"' in answer:
        return "refused"
    if not answer or int(status or 0) in EXCUSED:
        return "no answer" if not answer else "excused"
    return f"BAD answer to a lie: {status}"


def bomb(target: Target, rng: random.Random) -> str:
    """Send 40 bytes of FLAC that claim to be 256 GiB, or an upload of rubbish, as a voice."""
    streaminfo = struct.pack(">HH3s3s", 4096, 4096, bytes(3), bytes(3))
    claim = (24_000 << 44 | 0 << 41 | 15 << 36 | (1 << 36) - 1).to_bytes(8, "big")
    flac = b"fLaC" + b"\x80\x00\x00\x22" + streaminfo + claim + bytes(16)
    data = flac if rng.random() < 0.5 else rng.randbytes(100_000)
    answer = requests.post(
        f"{target.url}/api/tts",
        files={"ref_audio": ("voice.flac", data)},
        data={"text": "Hi.", "ref_text": "Hi."},
        timeout=60,
    )
    if 400 <= answer.status_code < 500 or answer.status_code in EXCUSED:
        return "refused"
    return f"BAD answer to a bomb: {answer.status_code}"


def _head(length: int | None, content_type: str = "application/json") -> bytes:
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        "POST /api/tts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Type: {content_type}\r\n{size}\r\n\r\n"
    ).encode()


ACTS: list[tuple[Act, int]] = [
    (whole, 8),
    (wav, 4),
    (streamed, 6),
    (coqui, 2),
    (leaver, 4),
    (stopped_reader, 1),
    (dripper, 1),
    (liar, 4),
    (bomb, 1),
]
"""What a client does, and how often in comparison."""
