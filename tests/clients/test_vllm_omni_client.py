"""A client of vLLM-Omni's batches, with the fields that its protocol/audio.py has."""

from __future__ import annotations

import base64
import io
import json
import socket
from typing import Literal

import requests
import soundfile
from pydantic import BaseModel, ConfigDict

from bench.server import Server
from tests.conftest import endings, wait_until


class Strict(BaseModel):
    """Other fields than these are an error."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Usage(Strict):
    input_tokens: int
    output_tokens: int
    total_tokens: int


class Result(Strict):
    index: int
    status: Literal["success", "error"]
    audio_data: str | None = None
    media_type: str | None = None
    error: str | None = None
    usage: Usage | None = None


class Results(Strict):
    id: str
    results: list[Result]
    total: int
    succeeded: int
    failed: int


def test_a_batch_of_dialogue(server: Server) -> None:
    """Shared defaults, own voices, own formats; one line that cannot be spoken."""
    document = {
        "model": "nano",
        "voice": "Vivian",
        "language": "English",
        "response_format": "flac",
        "task_type": "CustomVoice",
        "items": [
            {"input": "Hello there."},
            {"input": "Who are you?", "speaker": "Ryan", "speed": 1.5},
            {"input": "Nobody.", "voice": "Nemo"},
            {"input": "Goodbye.", "response_format": "mp3", "max_new_tokens": 30},
        ],
    }
    answer = requests.post(f"{server.url}/v1/audio/speech/batch", json=document, timeout=60)
    batch = Results.model_validate_json(answer.content)
    assert (batch.total, batch.succeeded, batch.failed) == (4, 3, 1)
    assert [each.index for each in batch.results] == [0, 1, 2, 3]
    assert [each.status for each in batch.results] == ["success", "success", "error", "success"]
    types = ("audio/flac", "audio/flac", None, "audio/mpeg")
    for result, media_type in zip(batch.results, types, strict=True):
        assert result.media_type == media_type
        if result.audio_data is not None:
            assert result.usage is not None
            samples, _ = soundfile.read(io.BytesIO(base64.b64decode(result.audio_data)))
            assert len(samples) > 0


def test_leaving_ends_all_of_it(server: Server) -> None:
    """What runs is cancelled, and what waits is never begun."""
    before = endings(server)
    items = [
        {"input": f"{number}. " + "Hello there, again and again. " * 60} for number in range(9)
    ]
    body = json.dumps({"items": items}).encode()
    head = (
        "POST /v1/audio/speech/batch HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(server.address, 30) as connection:
        connection.sendall(head.encode() + body)
        wait_until(lambda: server.get("/readyz").json()["running"] > 0)
    wait_until(lambda: (endings(server) - before)["client_left"] > 0)
    wait_until(lambda: server.get("/readyz").json()["running"] == 0)
    assert server.get("/readyz").json()["waiting"] == 0
    assert sum((endings(server) - before).values()) < len(items)
