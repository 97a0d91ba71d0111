"""Soak clients that flood the server: half requests, JSON keys, combining marks."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import time
from collections.abc import Callable

import requests

from bench.soak.target import EXCUSED, Target

MAX_ANSWER_BYTES = 65_536
"""Of a refusal, however much there was to refuse."""

HALF_REQUESTS = 40
"""Connections of one client that never send the rest."""


def half_requests(target: Target, rng: random.Random) -> str:
    """Open many incomplete requests, and send a complete one meanwhile."""
    beginnings = [
        b"",
        b"POST /api/tts HTTP/1.1\r\nHost: x\r\nContent-Le",
        b"POST /api/tts HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{",
        b"POST /api/tts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"POST /api/tts HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    ]
    with contextlib.ExitStack() as stack:
        for _ in range(HALF_REQUESTS):
            connection = stack.enter_context(socket.create_connection(target.address, 10))
            connection.sendall(rng.choice(beginnings))
        answer = target.ask("/languages", method="GET")
        time.sleep(rng.random())
    return "others served" if answer.status_code == 200 else f"BAD {answer.status_code}"


def marks(target: Target, rng: random.Random) -> str:
    """Send runs of combining marks, which are slow to normalize, in every text field."""
    run = "a" + "\u0301\u0316\u0327\u0334\u0345" * rng.choice((1000, 100_000))
    return _refused(
        target,
        rng,
        [
            lambda: target.ask("/speakers", json={"name": run, "instruct": "Old.", "text": "Hi."}),
            lambda: target.ask("/api/tts", json={"text": run}),
            lambda: target.ask("/api/tts", json={"text": "Hi.", "speaker": run}),
            lambda: target.ask("/api/tts", data={"text": "Hi.", "language_id": run}),
            lambda: target.ask("/v1/audio/speech", json={"input": "Hi.", "voice": run}),
        ],
    )


def keys(target: Target, rng: random.Random) -> str:
    """Send too many or too deeply nested JSON keys."""
    many = {f"key{number}": number for number in range(60_000)}
    deep = "[" * 100_000
    return _refused(
        target,
        rng,
        [
            lambda: target.ask("/api/tts", json={"text": "Hi.", "ref_audio": "", **many}),
            lambda: target.ask("/v1/audio/speech", json={"input": "Hi.", "voice": many}),
            lambda: target.ask("/speakers", data={"name": "x", **many}),
            lambda: target.ask(
                "/v1/audio/speech",
                data=json.dumps({"input": "Hi."})[:-1] + f', "voice": {deep}',
                headers={"Content-Type": "application/json"},
            ),
        ],
    )


def _refused(
    target: Target, rng: random.Random, requests_: list[Callable[[], requests.Response]]
) -> str:
    """Send a request: the response must be a 4xx, and short."""
    answer = rng.choice(requests_)()
    if len(answer.content) > MAX_ANSWER_BYTES:
        return f"BAD answer of {len(answer.content)} bytes"
    if 400 <= answer.status_code < 500 or answer.status_code in EXCUSED:
        return "refused"
    return f"BAD answer: {answer.status_code}"
