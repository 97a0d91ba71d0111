"""Well-behaved soak clients. Each act returns its outcome as a word, which is counted.

A word that begins with `BAD` is a fault of the server's.
"""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import requests

from bench.soak.target import CLONING, SPEAKING, Target, Wanted, recording, samples_of_wav


def _choose(target: Target, rng: random.Random, *, cloned: bool = False) -> Wanted:
    return rng.choice([wanted for wanted in target.expected if (wanted[2] == "") == cloned])


def whole(target: Target, rng: random.Random) -> str:
    """Request a whole file."""
    wanted = _choose(target, rng)
    return target.heard(wanted, target.say(wanted))


def wav(target: Target, rng: random.Random) -> str:
    """Request a WAV, and decode it."""
    wanted = _choose(target, rng)
    return target.heard(wanted, target.say(wanted, audio_format="wav"), samples_of_wav)


def streamed(target: Target, rng: random.Random) -> str:
    """Read a stream to its end."""
    wanted = _choose(target, rng)
    try:
        return target.heard(wanted, target.say(wanted, stream=True))
    except requests.exceptions.ChunkedEncodingError:
        if not target.faults:
            raise
        return "injected break"


def cloned(target: Target, rng: random.Random) -> str:
    """Clone a voice from a recording."""
    wanted = _choose(target, rng, cloned=True)
    return target.heard(wanted, target.say(wanted))


def coqui(target: Target, rng: random.Random) -> str:
    """Request speech as Coqui's clients do."""
    wanted = _choose(target, rng)
    answer = target.ask("/api/tts", method="GET", params=_query(wanted, text="text"))
    return target.heard(wanted, answer, samples_of_wav)


def _query(wanted: Wanted, **names: str) -> dict[str, Any]:
    text, seed, speaker = wanted
    return {
        names["text"]: text,
        "speaker_id": speaker,
        "seed": seed,
        "max_new_tokens": 40,
        "model": SPEAKING,
    }


def openai(target: Target, rng: random.Random) -> str:
    """Request speech as OpenAI's clients do."""
    wanted = _choose(target, rng)
    return target.heard(wanted, _ask_openai(target, wanted))


def events(target: Target, rng: random.Random) -> str:
    """Request server-sent events, and join their audio."""
    wanted = _choose(target, rng)
    try:
        answer = _ask_openai(target, wanted, stream_format="sse")
    except requests.exceptions.ChunkedEncodingError:
        if not target.faults:
            raise
        return "injected break"
    return target.heard(wanted, answer, _samples_of_events)


def _ask_openai(target: Target, wanted: Wanted, **fields: Any) -> requests.Response:
    text, seed, speaker = wanted
    body = {"input": text, "voice": speaker, "seed": seed, "response_format": "pcm"}
    fields = {**body, "max_new_tokens": 40, "model": SPEAKING, **fields}
    return target.ask("/v1/audio/speech", json=fields)


def _samples_of_events(data: bytes) -> bytes:
    documents = [json.loads(line[6:]) for line in data.splitlines() if line.startswith(b"data: ")]
    if [document["type"] for document in documents].count("speech.audio.done") != 1:
        raise ValueError("no end")
    return b"".join(base64.b64decode(each["audio"]) for each in documents if "audio" in each)


def registrar(target: Target, rng: random.Random) -> str:
    """Register a voice, use it, and delete it."""
    number = rng.randrange(10**9)
    name = f"v{number}"
    files = {"audio": ("me.wav", recording(number))}  # one that no model has encoded yet
    answer = target.ask("/speakers", data={"name": name, "ref_text": "Hi."}, files=files)
    if answer.status_code != 201:
        return target.refused(answer)
    spoken = target.ask(
        "/api/tts", json={"text": "Hi.", "model": CLONING, "speaker": name, "max_new_tokens": 8}
    )
    deleted = target.ask(f"/speakers/{answer.json()['voice_id']}", method="DELETE")
    if deleted.status_code != 204:
        return f"BAD {deleted.status_code} at the end"
    return "right" if spoken.status_code == 200 else target.refused(spoken)


def reader(target: Target, rng: random.Random) -> str:
    """Read the page and the lists."""
    paths = ["/", "/speakers", "/languages", "/models", "/v1/models", "/voices", "/docs"]
    answer = target.ask(rng.choice([*paths, "/openapi.json", "/metrics"]), method="GET")
    return "200" if answer.status_code == 200 else f"BAD {answer.status_code}"
