"""Audio in JSON, with each character's time."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from tests.conftest import Bench, wait_until
from tests.routes.apis.elevenlabs.test_speech import assert_refused, speak

TEXT = "This is the first sentence of all. And here comes the second one, which is longer."
WHOLE, STREAM = "/with-timestamps", "/stream/with-timestamps"


def parts_of(client: FlaskClient, path: str, **fields: Any) -> list[dict[str, Any]]:
    """Return the objects of an answer; PCM where no format is named."""
    response = speak(client, path=path, query="output_format=pcm_24000", **fields)
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.data.splitlines()]


@pytest.mark.parametrize("path", [WHOLE, STREAM])
def test_all_characters_have_their_times_in_the_audio(client: FlaskClient, path: str) -> None:
    parts = parts_of(client, path, text=TEXT, seed=1)
    assert (len(parts) == 1) == (path == WHOLE)
    samples = np.frombuffer(
        b"".join(base64.b64decode(part["audio_base64"], validate=True) for part in parts), np.int16
    )
    told = [part["alignment"] for part in parts if part["alignment"]]
    assert all(part["normalized_alignment"] == part["alignment"] for part in parts)
    assert "".join(char for each in told for char in each["characters"]) == TEXT
    starts = [s for each in told for s in each["character_start_times_seconds"]]
    ends = [s for each in told for s in each["character_end_times_seconds"]]
    assert starts[0] == 0
    assert starts[1:] == pytest.approx(ends[:-1])
    assert ends[-1] == pytest.approx(len(samples) / 24_000, abs=0.002)


def test_the_stream_has_the_audio_of_the_whole(client: FlaskClient) -> None:
    audio = [
        b"".join(base64.b64decode(part["audio_base64"]) for part in parts_of(client, path, seed=3))
        for path in (WHOLE, STREAM)
    ]
    assert audio[0] == audio[1] != b""


@pytest.mark.parametrize("path", [WHOLE, STREAM])
def test_what_cannot_be_spoken_is_refused_with_its_status(client: FlaskClient, path: str) -> None:
    assert_refused(speak(client, path=path, text=""), 400, "text_required")
    assert_refused(speak(client, "nobody", path=path), 400, "voice_not_found")
    response = speak(client, path=path, text="🎉")
    assert response.status_code == 200  # a short silence, as of every API for voice assistants


def test_a_failure_before_the_first_audio_has_its_status(bench: Bench) -> None:
    for path in (WHOLE, STREAM):
        bench.runner.prefill_error = RuntimeError("broken")
        assert_refused(speak(bench.client, path=path), 500, "synthesis_failed")


def test_a_stream_that_is_closed_cancels_the_work(bench: Bench) -> None:
    bench.runner.hang, bench.runner.hang_from = threading.Event(), 100
    response = speak(bench.client, path=STREAM, text="a" * 2000)
    next(iter(response.response))
    response.close()
    bench.runner.hang.set()
    wait_until(lambda: bench.pool.status().running == 0)
    assert len(bench.runner.batches) < 200
