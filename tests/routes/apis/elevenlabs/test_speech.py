"""ElevenLabs' dialect; `tests/clients` sends it what its SDK sends."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Bench
from tests.routes.apis.test_openai_voices import recording
from tests.rows import for_each

MakeBench = Callable[..., Bench]
CLOUD_VOICE = "JBFqnCBsd6RMkjVDRZzb"
KEY = "alice-0123456789abcdef"


def speak(
    client: FlaskClient, voice: str = "Serena", path: str = "", query: str = "", **fields: Any
) -> TestResponse:
    """POST to /v1/text-to-speech; WAV where the query names no format."""
    query = query or "output_format=wav_24000"
    return client.post(
        f"/v1/text-to-speech/{voice}{path}?{query}", json={"text": "Hello", **fields}
    )


def assert_refused(response: TestResponse, status: int, word: str, *parts: str) -> None:
    """Check status, shape, word and parts of the sentence."""
    assert response.status_code == status, response.text
    document = response.get_json()
    assert set(document) == {"detail"}
    detail = document["detail"]
    assert detail["status"] == word
    assert detail["request_id"] == response.headers["X-Request-Id"]
    for part in parts:
        assert part in detail["message"]


def test_a_whole_file(bench: Bench) -> None:
    response = speak(
        bench.client,
        text=" Hello ",
        model_id="eleven_flash_v2_5",
        language_code="de",
        seed=7,
        voice_settings={"stability": 0.5, "speed": None},
        previous_text="Before.",
    )
    assert (response.status_code, response.mimetype) == (200, "audio/wav")
    samples, rate_hz = soundfile.read(io.BytesIO(response.data))
    assert (len(samples) > 0, rate_hz) == (True, 24_000)
    ignored = response.headers["X-Ignored-Parameters"].split(", ")
    assert sorted(ignored) == ["previous_text", "voice_settings.stability"]
    prompt = bench.runner.prompts[-1]
    assert (prompt.text, prompt.language, prompt.speaker) == ("Hello", "german", "serena")
    assert prompt.sampling.seed == 7


@for_each(
    ("output_format", "media_type", "rate_hz"),
    [
        ("", "audio/mpeg", 44_100),
        ("mp3_22050_32", "audio/mpeg", 22_050),
        ("mp3_44100_192", "audio/mpeg", 44_100),
        ("pcm_8000", "audio/pcm", 8_000),
        ("pcm_16000", "audio/pcm", 16_000),
        ("pcm_22050", "audio/pcm", 22_050),
        ("pcm_44100", "audio/pcm", 44_100),
        ("opus_48000_64", "audio/ogg; codecs=opus", 48_000),
        ("ulaw_8000", "audio/basic", 8_000),
        ("alaw_8000", "audio/PCMA", 8_000),
        ("wav_48000", "audio/wav", 48_000),
        ("flac", "audio/flac", 24_000),
    ],
)
@for_each("path", ["", "/stream"])
def test_formats(
    client: FlaskClient, output_format: str, media_type: str, rate_hz: int, path: str
) -> None:
    response = speak(client, path=path, query=f"output_format={output_format}")
    assert response.status_code == 200, response.text
    assert response.content_type == media_type
    assert response.headers["X-Sample-Rate"] == str(rate_hz)
    assert ("Content-Length" in response.headers) == (path == "")
    assert response.data


@pytest.mark.parametrize("output_format", ["mp3", "pcm_24000"])
def test_a_stream_has_the_bytes_of_the_file(client: FlaskClient, output_format: str) -> None:
    query = f"output_format={output_format}"
    whole, streamed = (speak(client, path=path, query=query, seed=1) for path in ("", "/stream"))
    assert whole.data == streamed.data


@for_each("output_format", ["mp3_44100_", "mp3_1_2", "aac", "pcm_24000.0", "ulaw"])
def test_other_formats_are_refused(client: FlaskClient, output_format: str) -> None:
    response = speak(client, query=f"output_format={output_format}")
    assert_refused(response, 400, "unknown_format", output_format, "mp3_44100_128")


def test_a_rate_that_the_format_has_not_is_refused(client: FlaskClient) -> None:
    response = speak(client, query="output_format=ulaw_16000")
    assert_refused(response, 400, "invalid_request", "16000", "8000")
    assert list(response.get_json()["detail"]["fields"]) == ["output_format"]


def test_a_voice_of_the_cloud_is_the_default_one(bench: Bench) -> None:
    """Clients come with such ids; any other name that is unknown is a mistake."""
    response = speak(bench.client, CLOUD_VOICE)
    assert response.status_code == 200
    assert response.headers["X-Ignored-Parameters"] == "voice_id"
    assert speak(bench.client, "default").headers.get("X-Ignored-Parameters") is None
    assert_refused(speak(bench.client, "Nobody"), 400, "voice_not_found", "Nobody", "Serena")


def test_strict_parameters_refuse_a_voice_of_the_cloud(make_bench: MakeBench) -> None:
    client = make_bench(strict_parameters=True).client
    assert_refused(speak(client, CLOUD_VOICE), 400, "voice_not_found", CLOUD_VOICE)
    assert_refused(speak(client, nothing=1), 400, "invalid_request", "nothing")
    assert speak(client, previous_text="a").status_code == 200


def test_an_alias_of_a_cloud_voice_is_its_speaker(make_bench: MakeBench) -> None:
    bench = make_bench(speaker_aliases=((CLOUD_VOICE, "Ryan"),))
    response = speak(bench.client, CLOUD_VOICE)
    assert response.headers.get("X-Ignored-Parameters") is None
    assert bench.runner.prompts[-1].speaker == "ryan"


@pytest.mark.parametrize("speed", [0.25, 2, 4.0])
def test_speed_is_a_setting_of_the_voice(client: FlaskClient, speed: float) -> None:
    plain = speak(client, seed=1)
    fast = speak(client, seed=1, voice_settings={"speed": speed})
    sizes = [len(soundfile.read(io.BytesIO(each.data))[0]) for each in (plain, fast)]
    assert sizes[1] == round(sizes[0] / speed)


@for_each(
    ("fields", "parts"),
    [
        ({"voice_settings": {"speed": 5}}, ("voice_settings", "speed")),
        ({"voice_settings": {"speed": "1"}}, ("voice_settings", "speed")),
        ({"voice_settings": "fast"}, ("voice_settings",)),
        ({"text": 1}, ("text",)),
        ({"text": ""}, ("text",)),
        ({"text": None}, ("text",)),
        ({"model_id": "other"}, ("other",)),
        ({"language_code": "xx"}, ("xx",)),
        ({"seed": -1}, ("seed",)),
        ({"texts": "a"}, ("texts", "text")),
    ],
)
def test_what_is_wrong_is_named(
    client: FlaskClient, fields: dict[str, Any], parts: tuple[str, ...]
) -> None:
    response = speak(client, **fields)
    assert response.status_code == 400, response.text
    for part in parts:
        assert part in response.get_json()["detail"]["message"]


def test_errors_of_the_router_have_the_shape_too(client: FlaskClient) -> None:
    assert_refused(client.get("/v1/text-to-speech/Serena"), 405, "method_not_allowed")
    assert_refused(client.post("/v1/text-to-speech/Serena/no"), 404, "not_found")
    response = client.post("/v1/text-to-speech/Serena", data=b"{", content_type="application/json")
    assert_refused(response, 400, "invalid_request", "JSON")


def test_the_voices_are_listed(bench: Bench) -> None:
    bench.client.post("/v1/audio/voices", data={"name": "Anna", "audio_sample": recording_file()})
    first = bench.client.get("/v1/voices").get_json()["voices"]
    page = bench.client.get("/v2/voices?page_size=2").get_json()
    assert page["voices"] == first
    assert (page["has_more"], page["total_count"]) == (False, len(first))
    categories = {each["voice_id"]: each["category"] for each in first}
    assert categories["Serena"] == "premade"
    assert categories["anna"] == "cloned"
    assert bench.client.get("/v1/voices/ANNA").get_json()["name"] == "Anna"
    assert_refused(bench.client.get("/v1/voices/nobody"), 404, "voice_not_found", "nobody")


def recording_file() -> tuple[io.BytesIO, str]:
    """Return a recording as a form takes it."""
    return io.BytesIO(recording()), "anna.wav"


def test_the_key_may_be_in_its_own_header(make_bench: MakeBench, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"alice={KEY}\n")
    client = make_bench(api_keys_file=keys).client
    for headers, status in (
        ({"xi-api-key": KEY}, 200),
        ({"xi-api-key": KEY + "x"}, 401),
        ({"xi-api-key": ""}, 401),
        ({}, 401),
        ({"xi-api-key": KEY, "Authorization": "Bearer wrong-0123456789"}, 401),
    ):
        response = client.get("/v1/voices", headers=headers)
        assert response.status_code == status
        if status == 401:
            assert_refused(response, 401, "invalid_api_key")
