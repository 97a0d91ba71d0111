"""Pauses and voices in a text by the real server and model: what is heard, to the sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import requests

from bench.server import Server
from tests.conftest import assert_same

Samples = npt.NDArray[np.int16]


def listen(server: Server, text: str = "", **fields: Any) -> Samples:
    """Return the samples of a text, or of turns."""
    text_field = {"text": text} if text else {}
    response = requests.post(
        f"{server.url}/api/tts",
        json={**text_field, "audio_format": "pcm", "seed": 5, **fields},
        timeout=120,
    )
    assert response.status_code == 200, response.text
    return np.frombuffer(response.content, "<i2")


def silences(samples: Samples, least: int) -> list[tuple[int, int]]:
    """Return begin and length of the runs of digital silence."""
    others = np.flatnonzero(np.concatenate([[1], samples, [1]]))
    lengths = np.diff(others) - 1
    return [
        (int(begin), int(length))
        for begin, length in zip(others, lengths, strict=False)
        if length >= least
    ]


def assert_alike(samples: Samples, others: Samples) -> None:
    """Check that two are the same, but for the last bit, by which a fade may end a sample later."""
    assert abs(len(samples) - len(others)) <= 4
    pairs = list(zip(silences(samples, 1000), silences(others, 1000), strict=True))
    assert all(abs(one[0] - other[0]) <= 4 and one[1] == other[1] for one, other in pairs)
    end = (min(pairs[0][0][0], pairs[0][1][0]) if pairs else len(samples)) - 240
    assert_same(samples[:end], others[:end])


def test_a_break_is_so_many_samples_of_silence(server: Server) -> None:
    """36,000 for 1.5 s, whole and streamed, and nothing else changes by its length."""
    text = 'Hello there, <break time="{}"/> how are you?'
    samples = listen(server, text.format("1.5s"), ssml=True)
    assert [length for _, length in silences(samples, 12_000)] == [36_000]
    assert_alike(samples, listen(server, text.format("1.5s"), ssml=True, stream=True))
    longer = listen(server, text.format("2500ms"), ssml=True)
    assert [length for _, length in silences(longer, 12_000)] == [60_000]
    assert abs(len(longer) - len(samples) - 24_000) <= 4


@pytest.mark.parametrize("speed", [0.8, 1.6])
def test_a_speed_leaves_pauses_alone(server: Server, speed: float) -> None:
    text = (
        '<break time="700ms"/>Hello.<break time="1s"/><break time="500ms"/>You.<break time="2s"/>'
    )
    samples = listen(server, text, ssml=True, speed=speed)
    assert [length for _, length in silences(samples, 12_000)] == [16_800, 36_000, 48_000]
    assert len(samples) > 110_000


def test_a_break_is_heard_in_a_compressed_stream(server: Server) -> None:
    """At another rate, too: a second more of it is a second more of audio."""
    seconds = []
    for pause in ("1s", "2s"):
        text = f'Hello <break time="{pause}"/> you.'
        samples = listen(server, text, ssml=True, sample_rate=16_000, stream=True)
        seconds.append(len(samples) / 16_000)
    assert abs(seconds[1] - seconds[0] - 1) < 0.001


def test_turns_are_what_their_speakers_say(server: Server) -> None:
    """Each as it would be alone with its seed, and the first with the request's."""
    turns = [{"speaker": "Ryan", "text": "Hello."}, {"speaker": "Serena", "text": "Hello."}]
    samples = listen(server, turns=turns)
    alone = listen(server, "Hello.", speaker="Ryan")
    same = min(len(alone), len(samples)) // 2
    assert_same(samples[:same], alone[:same])
    assert_alike(listen(server, turns=turns, stream=True), samples)
    assert_alike(listen(server, "[Ryan] Hello.\n[Serena] Hello.", speaker_marks=True), samples)
    other = listen(server, turns=[turns[0], {**turns[1], "speaker": "Vivian"}])
    assert not np.array_equal(other, samples)
