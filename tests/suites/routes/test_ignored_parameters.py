"""What has no use and does no harm is ignored and named, where clients cannot leave it out."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from qwen_tts_api.routes.speech.response import MAX_IGNORED
from tests.conftest import Bench
from tests.routes.apis.native.test_tts import assert_error, post
from tests.routes.apis.test_marytts import assert_refused as assert_refused_in_a_line
from tests.routes.apis.test_openai import assert_refused, speak
from tests.routes.apis.test_openai_voices import create, recording
from tests.rows import for_each

MakeBench = Callable[..., Bench]


def ignored(client: FlaskClient, **fields: Any) -> list[str]:
    """Return what an answer with speech says was ignored."""
    response = speak(client, input="Hello", **fields)
    assert response.status_code == 200, response.get_json()
    names = response.headers.get("X-Ignored-Parameters", "")
    return names.split(", ") if names else []


def data_url() -> str:
    """Return a recording as a data URL."""
    return "data:audio/wav;base64," + base64.b64encode(recording()).decode()


@for_each(
    "fields",
    [
        {"user": "anna", "metadata": {"a": 1}},
        {"lang_code": "a", "volume_multiplier": 1.0, "normalization_options": {"normalize": True}},
        {"return_download_link": False, "lang": "en", "stream_options": {"include_usage": True}},
        {"presence_penalty": 0, "api_key": "x", "timeout": 600, "exaggeration": 0.5},
        {"volumes": "", "format": None, "output_format": ""},
    ],
)
def test_fields_of_other_servers(client: FlaskClient, fields: dict[str, Any]) -> None:
    assert ignored(client, **fields) == list(fields)


@for_each(
    ("wrong", "right"),
    [
        ("intput", "input"),
        ("speeds", "speed"),
        ("vioce", "voice"),
        ("max_tokens", "max_new_tokens"),
        ("responce_format", "response_format"),
        ("format", "response_format"),
        ("output_format", "response_format"),
        ("audio_format", "response_format"),
        ("speaker_id", "voice"),
        ("voice_id", "voice"),
        ("instruct", "instructions"),
    ],
)
def test_a_field_that_means_another_is_refused_with_a_hint(
    client: FlaskClient, wrong: str, right: str
) -> None:
    """What it asks for would be missed."""
    response = speak(client, **{"input": "a", wrong: "b"})
    hint = f"Unknown field {wrong!r}: did you mean {right!r}?"
    assert_refused(response, 400, "invalid_request", wrong, hint)


@for_each(
    ("wrong", "right"),
    [
        ("input", "text"),
        ("voice", "speaker"),
        ("instructions", "instruct"),
        ("format", "audio_format"),
        ("output_format", "audio_format"),
        ("response_format", "audio_format"),
    ],
)
def test_the_hints_of_our_own_api(client: FlaskClient, wrong: str, right: str) -> None:
    response = post(client, **{"text": "a", wrong: "b"})
    assert_error(response, 400, "invalid_request", f"did you mean {right!r}?")


def test_names_that_no_header_can_hold(client: FlaskClient) -> None:
    """Are ignored in silence, and so are those beyond a number that every proxy takes."""
    many = {f"unheard_{number}": 1 for number in range(90)}
    assert ignored(client, **many) == list(many)[:MAX_IGNORED]
    assert ignored(client, **{"a\r\nSet-Cookie: b": 1, "ü": 1, "x" * 65: 1, "user": 1}) == ["user"]


@pytest.mark.parametrize("voice", ["alloy", "Ryan", "Bob", {"id": "ash"}])
def test_a_voice_that_has_no_use(bench: Bench, voice: object) -> None:
    """OpenAI's SDKs cannot leave it out: beside a recording, and with a VoiceDesign model."""
    fields = {"model": "design", "instructions": "A deep voice."}
    assert ignored(bench.client, voice=voice, **fields) == ["voice"]
    assert bench.hub.runners["design"].prompts[-1].speaker is None
    audio = data_url()
    assert ignored(bench.client, voice=voice, ref_audio=audio, ref_text="b") == ["voice"]
    assert bench.hub.runners["clone"].prompts[-1].reference is not None


def test_instructions_where_the_model_takes_none(bench: Bench) -> None:
    assert ignored(bench.client, model="small", instructions="slowly") == ["instructions"]
    assert bench.hub.runners["small"].prompts[-1].instruct == ""


def test_the_text_of_a_recording_that_is_not_there(bench: Bench) -> None:
    """The default model speaks, or the registered voice with its own text."""
    fields = {"ref_text": "b", "x_vector_only_mode": True}
    assert ignored(bench.client, **fields) == list(fields)
    assert bench.runner.prompts
    create(bench.client, name="Anna", audio_sample=recording())
    assert ignored(bench.client, voice="anna", ref_text="b") == ["ref_text"]


def test_names_of_openai_that_mean_nobody(make_bench: MakeBench) -> None:
    """LiveKit says `ash` where its user says nothing; the default speaker speaks."""
    small = make_bench(served=("small",))
    assert ignored(small.client, voice="ash") == ["voice"]
    assert ignored(small.client, voice="alloy") == []
    assert small.hub.runners["small"].prompts[-1].speaker == "ryan"


def test_a_base_model_says_what_it_needs(make_bench: MakeBench) -> None:
    """Not "allowed are none"; once the default voice is registered, it speaks."""
    client = make_bench(served=("clone",), default_speaker="Anna").client
    response = speak(client, input="a", voice="alloy")
    assert_refused(response, 400, "reference_required", "ref_audio", "'ref_audio'", "registered")
    response = speak(client, input="a", voice="Bob")
    assert_refused(response, 400, "unknown_speaker", "voice", "'Bob'", "Register", "'ref_audio'")
    create(client, name="Anna", audio_sample=recording(), ref_text="b")
    assert ignored(client, voice="alloy") == ["voice"]


def test_what_would_do_harm_is_refused(make_bench: MakeBench) -> None:
    """Another voice than the one that is asked for would speak."""
    client = make_bench().client
    response = speak(client, input="a", voice="Bob")
    assert_refused(response, 400, "unknown_speaker", "voice", "'Bob'", "Serena")
    fields = {"ref_audio": data_url(), "ref_text": "b"}
    response = speak(client, input="a", model="voice", **fields)
    assert_refused(response, 400, "not_supported", "ref_audio", "'clone'")
    create(client, name="Anna", audio_sample=recording())
    response = speak(client, input="a", model="design", voice="anna")
    assert_refused(response, 400, "not_supported", "voice", "'clone'")


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"user": "anna"}, "invalid_request", "user"),
        ({"voice": "ash"}, "unknown_speaker", "voice"),
        ({"voice": "alloy", "model": "design"}, "not_supported", "voice"),
        ({"instructions": "slowly", "model": "small"}, "not_supported", "instructions"),
    ],
)
def test_strict_by_a_setting(
    make_bench: MakeBench, fields: dict[str, Any], code: str, param: str
) -> None:
    response = speak(make_bench(strict_parameters=True).client, input="a", **fields)
    assert_refused(response, 400, code, param)


def test_our_own_api_in_json_is_strict(client: FlaskClient) -> None:
    response = post(client, text="a", user="anna")
    assert_error(response, 400, "invalid_request", "'user'")
    response = post(client, text="a", model="small", instruct="slowly")
    assert_error(response, 400, "not_supported", "'instruct'")


def test_an_unknown_speaker_by_policy_is_named(make_bench: MakeBench) -> None:
    response = post(make_bench(unknown_speaker="default").client, text="a", speaker="Bob")
    assert response.headers["X-Ignored-Parameters"] == "speaker"


def test_coqui(client: FlaskClient) -> None:
    """Its server ignores what it does not know; here the answer says so."""
    query = "text=a&speaker_id=p225&instruct=slow&model=design&speaker_wav=&x=1"
    response = client.get(f"/api/tts?{query}")
    assert response.status_code == 200, response.text
    assert response.headers["X-Ignored-Parameters"] == "speaker_wav, x, speaker_id"


def test_marytts(client: FlaskClient) -> None:
    """A voice of MaryTTS's own is the default one; Home Assistant always sends one."""
    response = client.get("/process?INPUT_TEXT=a&VOICE=cmu-slt-hsmm&STYLE=x")
    assert response.headers["X-Ignored-Parameters"] == "VOICE, STYLE"
    response = client.get("/process?INPUT_TEXT=a&VOICE=Serena")
    assert "X-Ignored-Parameters" not in response.headers


@for_each(
    ("path", "body", "named"),
    [
        ("/api/tts", {"text": "a"}, ["query.speed", "query.x", "speaker-id"]),
        ("/v1/audio/speech", {"input": "a"}, ["query.speed", "query.x"]),
        ("/v1/audio/speech/batch", {"items": [{"input": "a"}]}, ["query.speed", "query.x"]),
        ("/v1/text-to-speech/Ryan/stream", {"text": "a"}, ["query.speed", "query.x"]),
        (
            "/v1/text-to-dialogue",
            {"inputs": [{"text": "a", "voice_id": "Ryan"}]},
            ["query.enable_ssml_parsing", "query.speed", "query.x"],
        ),
    ],
)
def test_a_query_beside_a_body_that_has_all_fields(
    client: FlaskClient, path: str, body: dict[str, Any], named: list[str]
) -> None:
    """What is read of it is not named."""
    query = "?output_format=pcm_24000&enable_ssml_parsing=true" if "text-to" in path else "?"
    headers = {"speaker-id": "Ryan"}
    response = client.post(f"{path}{query}&speed=2&x=1", json=body, headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["X-Ignored-Parameters"].split(", ") == named


def test_a_batch_names_what_its_items_ignore(client: FlaskClient) -> None:
    """Whether the item or the model has no use for it."""
    items = [
        {"input": "a", "model": "small", "voice": "ash", "instructions": "slowly"},
        {"input": "a", "voice": "Ryan", "speaker": "Serena", "user": "anna"},
        {"input": "a", "voice": "Ryan", "speaker": "Ryan", "ref_text": "b"},
    ]
    response = client.post("/v1/audio/speech/batch", json={"items": items})
    names = response.headers["X-Ignored-Parameters"].split(", ")
    assert sorted(names) == ["instructions", "ref_text", "speaker", "user", "voice"]


def test_of_two_fields_of_the_same_meaning_ours_counts(bench: Bench) -> None:
    body = {"text": "*a* 4", "normalize": False, "apply_text_normalization": "on"}
    body |= {"speed": 1, "voice_settings": {"speed": 2}}
    response = bench.client.post("/v1/text-to-speech/Ryan", json=body)
    told = response.headers["X-Ignored-Parameters"]
    assert told == "apply_text_normalization, voice_settings.speed"
    assert bench.runner.prompts[-1].text == "*a* 4"


def test_a_new_voice(client: FlaskClient) -> None:
    response = create(client, name="Anna", audio_sample=recording(), speaker_description="warm")
    assert response.status_code == 200, response.text
    assert response.headers["X-Ignored-Parameters"] == "speaker_description"


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "deflate, gzip"])
def test_compressed_bodies(client: FlaskClient, encoding: str) -> None:
    """415 in each dialect, with what would be taken (RFC 9110, 15.5.16); `identity` is none."""
    body = gzip.compress(json.dumps({"input": "a"}).encode())
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    response = client.post("/v1/audio/speech", data=body, headers=headers)
    assert_refused(response, 415, "unsupported_encoding", None, encoding.lower())
    assert response.headers["Accept-Encoding"] == "identity"
    assert response.headers["X-Should-Retry"] == "false"
    response = client.post("/api/tts", data=body, headers=headers)
    assert_error(response, 415, "unsupported_encoding", "Content-Encoding")
    response = client.post("/process", data=body, headers=headers)
    assert_refused_in_a_line(response, 415, "Content-Encoding")
    headers["Content-Encoding"] = "identity"
    response = client.post("/v1/audio/speech", data=b'{"input": "a"}', headers=headers)
    assert response.status_code == 200
