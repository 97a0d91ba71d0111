"""The server under test, its expected responses, and the counts of actual ones."""

from __future__ import annotations

import io
import threading
import time
import uuid
import wave
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import requests

from qwen_tts_api.audio.encoders import ENCODERS
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

TIMEOUT_S = 120

TEXTS = [
    "Hello.",
    "The quick brown fox.",
    "It is ten past nine, and it rains.",
    "Guten Morgen, wie geht es?",
    "你好，今天天气很好。",
    # In three segments.
    " ".join(f"This is sentence number {number}, and it is spoken on its own." for number in "123"),
]
SEEDS = 2
VOICES = ("Ryan", "Serena")
SPEAKING, CLONING = "nano", "nano-base"

# While the server is being started again, or has too much to do.
EXCUSED = {429, 503, 504}

Wanted = tuple[str, int, str]
"""A text, a seed, and a speaker or, empty, the recording to clone."""


class Target:
    """The server under test.

    Attributes:
        url: Where it is.
        address: Host and port.
        faults: Whether answers of 500 are to be expected.
        expected: Samples of everything that is asked for, made when nothing else ran.
        expected_live: The same of what is written to a socket.
        answers: How often each status came; 0 where the connection broke.
        recording: Whose voice is cloned.
    """

    def __init__(self, url: str, address: tuple[str, int], faults: bool) -> None:
        self.url = url
        self.address = address
        self.faults = faults
        self.expected: dict[Wanted, bytes] = {}
        self.expected_live: dict[Wanted, bytes] = {}
        self.answers: Counter[int] = Counter()
        self.recording = recording()
        self._lock = threading.Lock()

    def wake(self, *, once: bool = False) -> None:
        """Load every model, by requests until one succeeds, or once."""
        for fields in ({"speaker": VOICES[0]}, {"model": CLONING}, {"model": "nano-design"}):
            while True:
                try:
                    answer = self._greet(**fields)
                except requests.RequestException:
                    answer = None
                if once or (answer is not None and answer.status_code == 200):
                    break
                time.sleep(0.2)

    def _greet(self, **fields: str) -> requests.Response:
        body = {"text": "Hi.", "max_new_tokens": 8, **fields}
        if fields.get("model") != CLONING:
            return requests.post(f"{self.url}/api/tts", data=body, timeout=TIMEOUT_S)
        form = {**body, "ref_text": "Hi."}
        files = {"ref_audio": ("me.wav", self.recording)}
        return requests.post(f"{self.url}/api/tts", data=form, files=files, timeout=TIMEOUT_S)

    def learn(self, seeds: int) -> None:
        """Record the expected audio of every choice, one after the other: most of a short soak."""
        for wanted in _choices(seeds):
            while (answer := self.say(wanted)).status_code != 200:
                time.sleep(0.2)
            self.expected[wanted] = answer.content

    def count(self, status: int) -> None:
        """Count the status of a response."""
        with self._lock:
            self.answers[status] += 1

    def ask(self, path: str, **arguments: Any) -> requests.Response:
        """Send a request, as a form or JSON, and check its request id.

        Raises:
            RequestException: The connection broke.
        """
        request_id = uuid.uuid4().hex
        headers = {"X-Request-Id": request_id, **arguments.pop("headers", {})}
        method = arguments.pop("method", "POST")
        try:
            answer = requests.request(
                method, self.url + path, headers=headers, timeout=TIMEOUT_S, **arguments
            )
        except requests.RequestException:
            self.count(0)
            raise
        self.count(answer.status_code)
        if answer.headers.get("X-Request-Id") != request_id:
            raise Wrong("somebody else's answer")
        return answer

    def say(self, wanted: Wanted, **fields: Any) -> requests.Response:
        """Request speech, by JSON or by a form."""
        text, seed, speaker = wanted
        fields = {"text": text, "seed": seed, "audio_format": "pcm", "max_new_tokens": 40, **fields}
        if speaker:
            return self.ask("/api/tts", json={"model": SPEAKING, "speaker": speaker, **fields})
        form = {"model": CLONING, "ref_text": "Hi.", **fields}
        return self.ask("/api/tts", data=form, files={"ref_audio": ("me.wav", self.recording)})

    def judge(self, wanted: Wanted, data: bytes) -> str:
        """Compare audio with the expected audio of this text, seed and voice.

        Sums in another batch round differently, and once in many thousand draws that makes another
        code, after which the utterance goes its own way: it is then right up to some frame.
        Somebody else's audio differs from the first frame on.
        """
        segmented = wanted[0] == TEXTS[-1]  # trimmed to what is heard, and pauses put between
        return _judge(self.expected[wanted], data, whole_frames=not segmented)

    def judge_live(self, wanted: Wanted, data: bytes) -> str:
        """Compare the audio of a text that was written to a socket; its end is trimmed."""
        return _judge(self.expected_live[wanted], data, whole_frames=False)

    def refused(self, answer: requests.Response) -> str:
        """Check an error response."""
        try:
            error = answer.json()["error"]
            code = error["code"] if isinstance(error, dict) else answer.json()["code"]
        except (ValueError, KeyError):
            return f"BAD body of {answer.status_code}"
        if answer.status_code == 500 and self.faults and code == "synthesis_failed":
            return "injected 500"
        if answer.status_code in EXCUSED:
            return f"{answer.status_code} {code}"
        return f"BAD {answer.status_code} {code}"

    def heard(
        self, wanted: Wanted, answer: requests.Response, pcm: Callable[[bytes], bytes] = bytes
    ) -> str:
        """Check a response that should be audio, decoded by `pcm`."""
        if answer.status_code != 200:
            return self.refused(answer)
        try:
            return self.judge(wanted, pcm(answer.content))
        except (ValueError, KeyError, EOFError, wave.Error) as error:
            return f"BAD file: {error!r}"


def _choices(seeds: int) -> list[Wanted]:
    """Return the choices of text, speaker and seed."""
    spoken = [(text, seed, name) for text in TEXTS for seed in range(seeds) for name in VOICES]
    return [*spoken, *((text, seed, "") for text in TEXTS[:3] for seed in range(seeds))]


def _judge(expected_data: bytes, data: bytes, *, whole_frames: bool) -> str:
    got = np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(int)
    expected = np.frombuffer(expected_data, "<i2").astype(int)
    common = min(len(got), len(expected))
    wrong = np.flatnonzero(np.abs(got[:common] - expected[:common]) > 8)
    if len(got) == len(expected) and not len(wrong):
        return "right"
    if len(data) % 2 or not len(got) or (whole_frames and len(got) % SAMPLES_PER_FRAME):
        return "BAD length"
    is_own = common >= SAMPLES_PER_FRAME and (not len(wrong) or wrong[0] >= SAMPLES_PER_FRAME)
    return "rounded" if is_own else "BAD audio"


class Wrong(Exception):
    """A response that is a failure of the server."""


def recording(seed: int = 0) -> bytes:
    """Return two seconds of amplitude-modulated noise, as WAV."""
    seconds = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(seed).normal(0, 3000, len(seconds)) * np.sin(3 * seconds) ** 2
    return ENCODERS["wav"].encode(noise.astype(np.int16), SAMPLE_RATE_HZ)


def samples_of_wav(data: bytes) -> bytes:
    """Decode a WAV."""
    with wave.open(io.BytesIO(data)) as file:
        samples: bytes = file.readframes(file.getnframes())
        return samples
