"""A well-behaved client of a socket: it has a text spoken while it writes it."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from bench.soak.target import EXCUSED, SPEAKING, TEXTS, TIMEOUT_S, VOICES, Target, Wanted
from qwen_tts_api.errors import TTSError
from qwen_tts_api.routes.openapi.operations import codes_of

EXCUSED_CODES = {code for status, code in codes_of(TTSError) if status in EXCUSED}
PATH = "/api-ws/v1/realtime"
SENTENCES = TEXTS[:4]
"""Each is one segment, however it is cut."""


def typist(target: Target, rng: random.Random) -> str:
    """Write a sentence in pieces; it has to sound as it does for who is alone."""
    wanted = rng.choice(list(target.expected_live))
    cuts = sorted(rng.choices(range(len(wanted[0]) + 1), k=3))
    try:
        audio, error = write(target, wanted, cuts)
    except InvalidStatus as refusal:
        status = refusal.response.status_code
        target.count(status)
        return f"{status}" if status in EXCUSED else f"BAD handshake: {status}"
    except WebSocketException as failure:
        target.count(0)
        raise ConnectionResetError(repr(failure)) from failure
    if not error:
        return target.judge_live(wanted, audio)
    code = str(error["code"])
    if code in EXCUSED_CODES:
        return code
    is_injected = target.faults and code == "synthesis_failed"
    return "injected break" if is_injected else f"BAD {code}: {error['message']}"


def learn_live(target: Target) -> None:
    """Record the expected audio of every sentence."""
    for text in SENTENCES:
        for voice in VOICES:
            error: dict[str, Any] = {"code": "not asked"}
            while error:
                audio, error = write(target, (text, 0, voice), [])
            target.expected_live[text, 0, voice] = audio


def write(target: Target, wanted: Wanted, cuts: list[int]) -> tuple[bytes, dict[str, Any]]:
    """Write a text, cut at some places; return its audio, and the error that ended it.

    Raises:
        WebSocketException: There is no socket, or it broke.
    """
    text, seed, voice = wanted
    url = f"{target.url.replace('http', 'ws')}{PATH}?model={SPEAKING}"
    with connect(url, open_timeout=TIMEOUT_S, max_size=1 << 20) as socket:
        target.count(101)
        session = {"voice": voice, "seed": seed, "max_new_tokens": 40}
        _send(socket, "session.update", session=session)
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            _send(socket, "input_text_buffer.append", text=text[start:end])
        _send(socket, "session.finish")
        return _read(socket)


def _send(socket: Connection, kind: str, **fields: Any) -> None:
    socket.send(json.dumps({"type": kind, **fields}))


def _read(socket: Connection) -> tuple[bytes, dict[str, Any]]:
    audio, error = b"", {}
    while (event := json.loads(socket.recv(TIMEOUT_S)))["type"] != "session.finished":
        if event["type"] == "response.audio.delta":
            audio += base64.b64decode(event["delta"], validate=True)
        elif event["type"] == "error":
            error = event["error"]
    return audio, error
