"""The embedded voice, heard by an offline recogniser over the real server."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from bench.server import Server
from qwen_tts_api.checkpoints.nano import SPEAKING, SPEAKING_FOLDER
from tests.conftest import Serve
from tools.nano.circuit import end_speech
from tools.nano.evaluate import speaker
from tools.nano.judge import judge, load_whisper
from tools.nano.text import sentences
from tools.nano.voices import VOICES

SENTENCES_EACH = 8
"""As many for each voice: the tools' README has the figures over all of them."""


@pytest.fixture(scope="module")
def server(serve: Serve) -> Server:
    return serve(QWEN_MODEL_ID=SPEAKING)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the recogniser's libraries
def test_what_is_said_is_understood(server: Server) -> None:
    """Of the sentences that no training text was, other ones for each voice."""
    whisper, rates = load_whisper(), []
    unseen = iter(sentences())
    for name in VOICES:
        said = [next(unseen) for _ in range(SENTENCES_EACH)]
        rates.append(judge(whisper, said, speaker(server, name)).word_error_rate)
    assert sum(rates) / len(rates) < 0.2, rates


def test_speech_ends_by_itself(server: Server) -> None:
    response = server.say("Good morning.", speaker="ryan")
    assert response.headers["X-Finish-Reason"] == "stop"
    samples, rate_hz = soundfile.read(io.BytesIO(response.content))
    assert 0.8 < len(samples) / rate_hz < 1.5


def test_words_are_heard_when_it_is_told(server: Server) -> None:
    """Commas are the voice's only silence: it is where the words' own times leave it."""
    text = "Passing by, passing by, passing by, we went along."
    answer = server.say(text, speaker="ryan", timestamps=True, seed=1).json()
    samples, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(answer["audio_base64"])))
    (segment,) = answer["segments"]
    assert not answer["estimated"]

    def loudness(start_s: float, end_s: float) -> float:
        return float(np.abs(samples[round(start_s * rate_hz) : round(end_s * rate_hz)]).max())

    words = segment["words"]
    pauses = [(a["end"], b["start"]) for a, b in itertools.pairwise(words) if a["end"] < b["start"]]
    assert [each["word"] for each in words if each["word"].endswith(",")] == ["by,"] * len(pauses)
    for end, start in pauses:
        assert start - end == pytest.approx(0.16, abs=0.001)
        middle = (start + end) / 2
        assert loudness(middle - 0.02, middle + 0.02) < 0.003
        assert min(loudness(end - 0.16, end), loudness(start, start + 0.16)) > 0.05


def test_other_speakers_are_refused(server: Server) -> None:
    response = server.say("Good morning.", speaker="uncle_fu")
    assert response.status_code == 400
    assert response.json()["code"] == "unknown_speaker"


def test_the_files_are_those_of_the_checksums() -> None:
    lines = (SPEAKING_FOLDER / "SHA256SUMS").read_text().splitlines()
    sums = {path: digest for digest, path in (line.split("  ") for line in lines)}
    files = [path for path in SPEAKING_FOLDER.rglob("*") if path.is_file()]
    made = {str(path.relative_to(SPEAKING_FOLDER)): path.read_bytes() for path in files}
    del made["SHA256SUMS"]
    assert sums == {path: hashlib.sha256(content).hexdigest() for path, content in made.items()}
    assert sum(map(len, made.values())) <= 25e6


def test_its_end_of_speech_is_what_the_tools_write() -> None:
    """It is built in, since what was learnt missed the end of texts that nobody writes."""
    stored = load_file(SPEAKING_FOLDER / "model.safetensors")
    talker = {name.removeprefix("talker."): tensor.float() for name, tensor in stored.items()}
    written = {name: tensor.clone() for name, tensor in talker.items()}
    end_speech(written)
    for name, tensor in talker.items():
        assert torch.equal(tensor, written[name].to(stored[f"talker.{name}"].dtype).float()), name


@pytest.mark.parametrize("text", ["Super Bowl XXX", "x x x x", "xxxxxxxxxxxxxxxx", "x", "!!!a"])
def test_texts_that_nobody_learnt_end_where_they_do(server: Server, text: str) -> None:
    """A token is a frame; the first and the last reach into the silence around them.

    Nothing becomes a word here: `x` would be `ex`.
    """
    for seed in range(4):
        response = server.say(text, seed=seed, normalize=False)
        assert response.headers["X-Finish-Reason"] == "stop"
        num_frames = round(float(response.headers["X-Audio-Duration"]) * 12.5)
        assert num_frames == len(text) + 2
