"""Cloning over `/api/tts`, and `/speakers` as a registry, in JSON and in forms."""

from __future__ import annotations

import base64
import errno
import io
import json
import os
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from qwen_tts_api.errors import Unavailable
from qwen_tts_api.model.utterance import Reference
from tests.conftest import Bench
from tests.recordings import encode, recording, tone
from tests.routes.apis.native.test_tts import assert_error, post
from tests.rows import for_each

MakeBench = Callable[..., Bench]
RECORDING = recording(2)
BASE64 = base64.b64encode(RECORDING).decode()


def multipart(client: FlaskClient, path: str, **fields: Any) -> TestResponse:
    """POST a multipart form; bytes are a file."""
    data = {
        name: (io.BytesIO(value), "voice.wav") if isinstance(value, bytes) else value
        for name, value in fields.items()
    }
    return client.post(path, data=data, content_type="multipart/form-data")


def cloned(bench: Bench) -> Reference:
    """Return the recording that the Base model was given last."""
    reference = bench.hub.runners["clone"].prompts[-1].reference
    assert reference is not None
    return reference


@pytest.mark.parametrize(
    "ref_audio",
    [
        BASE64,
        f"data:audio/wav;base64,{BASE64}",
        f"DATA:;base64,{BASE64}",
        "\r\n".join(BASE64[begin : begin + 76] for begin in range(0, len(BASE64), 76)),
    ],
    ids=["base64", "data URL", "bare data URL", "wrapped"],
)
def test_a_recording_in_json(bench: Bench, ref_audio: str) -> None:
    """As base64, wrapped or not, or as a data URL."""
    response = post(bench.client, text="Hi", ref_audio=ref_audio, ref_text="Hello.")
    assert response.status_code == 200, response.text
    assert response.headers["X-Model"] == "clone"
    recorded = cloned(bench).samples[:48_000]  # silence follows
    assert np.abs(recorded - tone(2, 24_000)[:, 0]).max() < 1e-4
    assert cloned(bench).text == "Hello."


def test_base64_that_begins_like_a_path(bench: Bench) -> None:
    """An MP3 without tags begins with 0xFFFB, which is `//` in base64."""
    data = encode(tone(2, 24_000), 24_000, "MP3", "MPEG_LAYER_III")
    data = data[data.index(b"\xff\xfb") if b"\xff\xfb" in data else data.index(b"\xff\xf3") :]
    encoded = base64.b64encode(data).decode()
    assert encoded.startswith("//")
    response = post(bench.client, text="Hi", ref_audio=encoded, x_vector_only_mode=True)
    assert response.status_code == 200, response.text


@for_each("flag", ["true", "1", "false", "0", ""])
def test_a_recording_in_a_form(bench: Bench, flag: str) -> None:
    """A file beside fields; the flag as forms have it. Base64 in a field works, too."""
    for ref_audio in (RECORDING, BASE64):
        response = multipart(
            bench.client,
            "/api/tts",
            text="Hi",
            ref_audio=ref_audio,
            ref_text="Hello.",
            x_vector_only_mode=flag,
            model="clone",
        )
        assert response.status_code == 200, response.text
        assert cloned(bench).x_vector_only is (flag in ("true", "1"))


def test_an_empty_file_is_none(bench: Bench) -> None:
    """What a browser sends for a file that nobody chose."""
    response = multipart(bench.client, "/api/tts", text="Hi", ref_audio=b"", speaker="Ryan")
    assert response.headers["X-Model"] == "voice"
    assert post(bench.client, text="Hi", ref_audio="").headers["X-Model"] == "voice"
    assert post(bench.client, text="Hi", ref_audio=None).headers["X-Model"] == "voice"


@for_each(
    "ref_audio",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://example.org/voice.wav",
        "file:///etc/passwd",
        "ftp://host/x.wav",
        "/etc/passwd",
        "../../voice.wav",
        "~/voice.wav",
        "C:\\voice.wav",
        "voice.wav",
        "data:audio/wav,abc",
    ],
)
def test_no_path_or_url_is_opened(bench: Bench, ref_audio: str) -> None:
    """A 400 that says so and what to send."""
    response = post(bench.client, text="Hi", ref_audio=ref_audio, ref_text="Hello.")
    words = ("No path or URL from the network is opened", "base64", "multipart")
    assert_error(response, 400, "invalid_request", *words)
    assert "ref_audio" in response.get_json()["fields"]


@for_each(
    ("fields", "code", "words"),
    [
        ({"ref_audio": "A%%%"}, "invalid_request", ["ref_audio", "base64"]),
        ({"ref_audio": BASE64[:-3]}, "invalid_request", ["ref_audio", "base64"]),
        ({"ref_audio": "äöü"}, "invalid_request", ["ref_audio", "base64"]),
        ({"ref_audio": 7}, "invalid_request", ["ref_audio"]),
        ({"ref_audio": ["x"]}, "invalid_request", ["ref_audio"]),
        ({"ref_audio": BASE64, "x_vector_only_mode": "maybe"}, "invalid_request", ["x_vector"]),
        ({"ref_audio": BASE64, "ref_text": 7}, "invalid_request", ["ref_text"]),
        ({"ref_audio": BASE64}, "reference_required", ["'ref_text'", "'x_vector_only_mode'"]),
        ({"ref_audio": "aGVsbG8="}, "reference_required", ["'ref_text'"]),
        ({"ref_audio": "aGVsbG8=", "ref_text": "a"}, "invalid_audio", ["WAV, FLAC"]),
        ({"ref_audio": BASE64, "ref_text": "a", "model": "small"}, "not_supported", ["'small'"]),
        ({"model": "clone"}, "reference_required", ["'ref_audio'"]),
    ],
)
def test_bad_recordings(
    client: FlaskClient, fields: dict[str, Any], code: str, words: list[str]
) -> None:
    """A 400 that names the field."""
    assert_error(post(client, text="Hi", **fields), 400, code, *words)


def test_only_a_recording_may_be_large(make_bench: MakeBench) -> None:
    """`QWEN_MAX_BODY_BYTES` holds for the rest; a recording has a limit of its own."""
    bench = make_bench(max_body_bytes=4096, max_audio_bytes=100_000)
    assert len(RECORDING) < 100_000 < len(BASE64)
    fields = {"text": "Hi", "ref_text": "a"}
    assert post(bench.client, **fields, ref_audio=BASE64).status_code == 200
    assert multipart(bench.client, "/api/tts", **fields, ref_audio=RECORDING).status_code == 200
    too_large = base64.b64encode(recording(2.1)).decode()
    assert_error(post(bench.client, **fields, ref_audio=too_large), 400, "invalid_audio", "100000")
    too_large = base64.b64encode(recording(4)).decode()
    response = post(bench.client, **fields, ref_audio=too_large)
    assert_error(response, 413, "body_too_large", "4096", "QWEN_MAX_AUDIO_BYTES")
    assert_error(post(bench.client, text="a" * 5000), 413, "body_too_large", "4096")
    assert_error(multipart(bench.client, "/api/tts", text="a" * 5000), 413, "body_too_large")


def upload(client: FlaskClient, name: str, **fields: Any) -> TestResponse:
    """POST a voice with a recording."""
    return multipart(client, "/speakers", name=name, **{"audio": RECORDING, **fields})


def test_upload_list_use_delete(bench: Bench) -> None:
    """The whole life of a voice."""
    response = upload(bench.client, "Änna", ref_text="Hello.", consent="She said yes.")
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == "/speakers/anna"
    described = response.get_json()
    assert described["created_at"] > 1_700_000_000
    assert {name: described[name] for name in described if name not in ("created_at",)} == {
        "name": "Änna",
        "voice_id": "anna",
        "preview_url": described["preview_url"],
        "dialect": None,
        "kind": "registered",
        "source": "upload",
        "duration_s": 2.0,
        "ref_text": "Hello.",
    }
    listed = bench.client.get("/speakers").get_json()
    assert [entry["kind"] for entry in listed] == ["speaker"] * 4 + ["registered"]
    assert listed[-1] == described
    link = urlsplit(described["preview_url"])
    preview = bench.client.get(f"{link.path}?{link.query}")
    assert (preview.status_code, preview.headers["X-Model"]) == (200, "clone")
    assert cloned(bench).text == "Hello."
    response = bench.client.delete("/speakers/anna")
    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers
    assert_error(bench.client.delete("/speakers/anna"), 404, "voice_not_found", "'anna'")
    assert len(bench.client.get("/speakers").get_json()) == 4
    assert_error(post(bench.client, text="Hi", speaker="anna"), 400, "unknown_speaker")


def test_consent_is_kept(bench: Bench, tmp_path: Path) -> None:
    """On the disk, word by word; not for every client to read."""
    upload(bench.client, "Anna", consent="By letter, 2026-11-01.")
    stored = json.loads((tmp_path / "voices" / "anna" / "voice.json").read_text())
    assert stored["consent"] == "By letter, 2026-11-01."
    assert "letter" not in bench.client.get("/speakers").text


def test_voices_survive_a_restart(make_bench: MakeBench) -> None:
    """Another process on the same folder has them."""
    upload(make_bench().client, "Anna", ref_text="Hello.")
    again = make_bench()
    assert post(again.client, text="Hi", speaker="Anna").headers["X-Model"] == "clone"


def test_upload_in_json(bench: Bench) -> None:
    """The same fields."""
    response = bench.client.post("/speakers", json={"name": "Anna", "audio": BASE64})
    assert response.status_code == 201, response.text
    assert response.get_json()["ref_text"] == ""
    assert post(bench.client, text="Hi", speaker="Anna").status_code == 200
    assert cloned(bench).x_vector_only


@for_each(
    ("fields", "status", "code", "words"),
    [
        ({}, 400, "invalid_request", ["name"]),
        ({"name": ""}, 400, "invalid_request", ["'audio'", "'instruct'"]),
        ({"name": "Anna"}, 400, "invalid_request", ["'audio'", "'instruct'"]),
        ({"name": "", "audio": BASE64}, 400, "invalid_request", ["'name'", "1 to 100"]),
        ({"name": "!!", "audio": BASE64}, 400, "invalid_request", ["'!!'"]),
        ({"name": "Anna", "audio": "/etc/passwd"}, 400, "invalid_request", ["No path or URL"]),
        ({"name": "Anna", "audio": "aGVsbG8="}, 400, "invalid_audio", ["WAV, FLAC"]),
        ({"name": "Anna", "audio": BASE64, "zzz": 1}, 400, "invalid_request", ["'zzz'", "name"]),
        ({"name": "Anna", "audio": BASE64, "instruct": "old"}, 400, "invalid_request", ["either"]),
        ({"name": "Anna", "audio": BASE64, "ref_text": "a" * 2001}, 400, "invalid_request", []),
        ({"name": "Anna", "audio": BASE64, "consent": "a" * 1001}, 400, "invalid_request", []),
        ({"name": "Ryan", "audio": BASE64}, 409, "voice_exists", ["'Ryan'"]),
        ({"name": "Anna", "text": "Hello."}, 400, "invalid_request", ["'instruct'"]),
        ({"name": "Anna", "instruct": "old"}, 400, "text_required", []),
        ({"name": "Anna", "instruct": " ", "text": "a"}, 400, "invalid_request", ["'instruct'"]),
        ({"name": "Anna", "instruct": "old", "text": "Hi."}, 400, "invalid_audio", ["0.24 s"]),
        (
            {"name": "Anna", "instruct": "old", "text": "a" * 20, "model": "voice"},
            *(400, "not_supported", ["VoiceDesign"]),
        ),
        (
            {"name": "Anna", "instruct": "old", "text": "a" * 20, "ref_text": "a"},
            *(400, "invalid_request", ["either"]),
        ),
        ({"name": "Anna", "instruct": "old", "seed": -1}, 400, "invalid_request", ["seed"]),
    ],
)
def test_bad_voices(
    bench: Bench, fields: dict[str, Any], status: int, code: str, words: list[str]
) -> None:
    """A 4xx that says why; nothing is registered."""
    response = bench.client.post("/speakers", json=fields)
    assert_error(response, status, code, *words)
    assert set(response.get_json().get("fields", {})) <= {
        *fields,
        "name",
        "audio",
        "instruct",
        "text",
    }
    assert bench.service.voices.list("clone") == []


@for_each("voice_id", ["..", "%2e%2e%2f", "ANNA", "Ryan", "a" * 300, "%00", "🙂"])
def test_deleting_what_is_no_registered_voice(bench: Bench, voice_id: str) -> None:
    """404; a speaker of a model is none."""
    upload(bench.client, "Anna")
    assert bench.client.delete(f"/speakers/{voice_id}").status_code == 404
    assert len(bench.service.voices.list("clone")) == 1


def test_a_designed_voice(bench: Bench) -> None:
    """A VoiceDesign model speaks once; from then on the Base model speaks in that voice."""
    text = "This is how I speak, I think."
    fields = {
        "instruct": "An old man",
        "text": "This is **how** I speak, I think.",
        "language": "en",
        "seed": 5,
    }
    heard = post(bench.client, model="design", **fields)
    for response in (
        bench.client.post("/speakers", json={"name": "Grandpa", **fields}),
        multipart(bench.client, "/speakers", name="Grandpa 2", **fields),
    ):
        assert response.status_code == 201, response.text
        described = response.get_json()
        assert (described["source"], described["ref_text"]) == ("design", text)
        designed = bench.hub.runners["design"].prompts[-1]
        assert (designed.instruct, designed.language) == ("An old man", "english")
        assert designed.sampling.seed == 5
        post(bench.client, text="Hi", speaker=described["voice_id"])
        assert cloned(bench).text == text
        with wave.open(io.BytesIO(heard.data)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        recorded = cloned(bench).samples[: len(samples)]  # silence follows
        assert np.abs(recorded - samples / 32768).max() < 1e-4


def test_design_needs_a_model_for_it(make_bench: MakeBench) -> None:
    """A 400 that says which."""
    bench = make_bench(served=("voice", "clone"))
    response = bench.client.post("/speakers", json={"name": "A", "instruct": "old", "text": "a"})
    assert_error(response, 400, "not_supported", "VoiceDesign", "QWEN_MODELS")


def test_a_design_that_was_cut_is_not_registered(bench: Bench) -> None:
    """Its text would say more than its sound."""
    fields = {"name": "A", "instruct": "old", "text": "a" * 3000}
    response = bench.client.post("/speakers", json=fields)
    assert_error(response, 400, "invalid_request", "frame budget")
    assert bench.service.voices.list("clone") == []


def test_a_registry_that_is_read_only(make_bench: MakeBench) -> None:
    """403 for every change; what is there speaks."""
    upload(make_bench().client, "Anna")
    bench = make_bench(voice_uploads=False)
    words = ("QWEN_VOICE_UPLOADS",)
    assert_error(upload(bench.client, "Bob"), 403, "registry_read_only", *words)
    assert_error(bench.client.delete("/speakers/anna"), 403, "registry_read_only", *words)
    fields = {"name": "C", "instruct": "old", "text": "a" * 20}
    response = bench.client.post("/speakers", json=fields)
    assert_error(response, 403, "registry_read_only", *words)
    assert post(bench.client, text="Hi", speaker="Anna").status_code == 200


def test_a_full_registry(make_bench: MakeBench) -> None:
    """409, with the setting."""
    client = make_bench(max_voices=1).client
    assert upload(client, "Anna").status_code == 201
    assert_error(upload(client, "Bob"), 409, "too_many_voices", "QWEN_MAX_VOICES")


def test_a_truncated_upload(bench: Bench) -> None:
    """Nothing of it is registered."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nAnna\r\n'
        b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n'
    ) + RECORDING
    response = bench.client.post(
        "/speakers", data=body, content_type="multipart/form-data; boundary=x"
    )
    assert_error(response, 400, "invalid_request")
    assert bench.service.voices.list("clone") == []


def test_a_full_disk_is_a_503(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every dialect, with when to try again; nothing is left, and the log has no traceback."""

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        refused = upload(bench.client, "Anna")
        assert (refused.status_code, refused.get_json()["code"]) == (503, "registry_unavailable")
        fields = {"name": "Anna", "audio_sample": (io.BytesIO(recording()), "a.wav")}
        theirs = bench.client.post("/v1/audio/voices", data=fields)
        assert theirs.status_code == 503
    for response in (refused, theirs):
        assert int(response.headers["Retry-After"]) > 0
        assert "space" not in response.text
    assert upload(bench.client, "Anna").status_code == 201


@for_each("error", [Unavailable, *Unavailable.__subclasses__()])
def test_what_passes_says_when_to_come_back(error: type[Unavailable]) -> None:
    """A 503 without Retry-After makes clients come back at once, or never."""
    assert error("The server is busy.").retry_after_s
    assert error("The server is busy.", retry_after_s=1).retry_after_s == 1
