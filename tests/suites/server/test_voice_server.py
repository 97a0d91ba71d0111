"""Cloned and registered voices by the real server, the real model code and a real disk."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import requests

from bench.server import Server
from tests.conftest import Serve, assert_same, wait_until
from tests.recordings import encode, recording, tone

TEXT = "Hello there, how are you?"
REF_TEXT = "This is what is said."


def upload(server: Server, name: str) -> requests.Response:
    """Register a voice."""
    return requests.post(
        f"{server.url}/speakers",
        data={"name": name, "ref_text": REF_TEXT, "consent": "given"},
        files={"audio": ("voice.flac", recording(2.5, "FLAC"))},
        timeout=60,
    )


def pcm(response: requests.Response) -> npt.NDArray[np.int16]:
    """Return the samples of an answer."""
    assert response.status_code == 200, response.text
    return np.frombuffer(response.content, np.dtype("<i2"))


def upload_until_killed(server: Server, answered: list[str]) -> None:
    """Register voices, and note the id of each that is answered, until the server is gone."""
    for index in range(1000):
        try:
            assert upload(server, f"voice {index}").status_code == 201
        except requests.RequestException:
            return
        answered.append(f"voice-{index}")


def kill_during_uploads(server: Server) -> list[str]:
    """End a server as a power cut does; return the ids of the voices that it had confirmed."""
    answered: list[str] = []
    thread = threading.Thread(target=upload_until_killed, args=(server, answered))
    thread.start()
    wait_until(lambda: len(answered) >= 3, 60)
    master = str(server.process.pid)
    workers = subprocess.run(["pgrep", "-P", master], capture_output=True, check=True)
    server.process.kill()
    for worker in workers.stdout.split():
        os.kill(int(worker), signal.SIGKILL)
    thread.join()
    return answered


def test_voices_outlive_a_killed_server(serve: Serve, tmp_path: Path) -> None:
    """A registered voice says what a request with its recording says, before and after.

    No voice that was confirmed is lost, and none is there by half.
    """
    settings = {"QWEN_MODEL_ID": "nano-base", "QWEN_VOICES_DIR": str(tmp_path / "voices")}
    server = serve(**settings)
    assert server.say(TEXT).json()["code"] == "reference_required"
    wanted = {"audio_format": "pcm", "seed": 3}
    ref_audio = base64.b64encode(recording(2.5, "FLAC")).decode()
    given = pcm(server.say(TEXT, **wanted, ref_audio=ref_audio, ref_text=REF_TEXT))
    embedding = pcm(server.say(TEXT, **wanted, ref_audio=ref_audio, x_vector_only_mode=True))
    assert np.abs(given.astype(int)).max() > 500
    assert given.tobytes() != embedding.tobytes()

    assert upload(server, "Anna Müller").json()["voice_id"] == "anna-muller"
    assert_same(pcm(server.say(TEXT, **wanted, speaker="Anna Müller")), given)
    assert_hostile_recordings_are_refused(server)
    assert "Traceback" not in server.log
    answered = ["anna-muller", *kill_during_uploads(server)]

    server = serve(**settings)
    listed = [voice["voice_id"] for voice in server.get("/speakers").json()]
    assert set(answered) <= set(listed)
    assert len(listed) <= len(answered) + 1
    assert {path.name for path in (tmp_path / "voices").iterdir()} == set(listed)
    assert server.say("Hi.", speaker=listed[-1]).status_code == 200
    assert_same(pcm(server.say(TEXT, **wanted, speaker="anna-muller")), given)
    streamed = server.say(TEXT, **wanted, speaker="anna-muller", stream=True)
    assert_same(pcm(streamed), given)
    without_text = server.say(TEXT, **wanted, speaker="anna-muller", x_vector_only_mode=True)
    assert_same(pcm(without_text), embedding)
    assert requests.delete(f"{server.url}/speakers/anna-muller", timeout=10).status_code == 204
    assert server.say(TEXT, speaker="anna-muller").json()["code"] == "unknown_speaker"
    assert "Traceback" not in server.log


def assert_hostile_recordings_are_refused(server: Server) -> None:
    """Check that each is a 4xx; the rest of the test sees that the server goes on."""
    bomb = encode(np.zeros((8_000 * 3600, 1), np.float32), 8_000, "FLAC", "PCM_16")
    for ref_audio, status in (
        (b"", 400),
        (b"RIFF", 400),
        (bomb, 400),
        (encode(tone(2, 24_000) * np.nan), 400),
        (bytes(9_000_000), 400),
        (bytes(16_000_000), 413),
    ):
        response = requests.post(
            f"{server.url}/api/tts",
            data={"text": "Hi.", "ref_text": REF_TEXT},
            files={"ref_audio": ("voice.wav", ref_audio)},
            timeout=60,
        )
        assert response.status_code == status, response.text
        assert response.json()["request_id"]
