"""Clients of Coqui's server work unchanged."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.conftest import Bench
from tests.routes.apis.native.test_tts import assert_error
from tests.rows import for_each

MakeBench = Callable[..., Bench]


def test_get_with_a_query(bench: Bench) -> None:
    """What a browser's audio element and most scripts do."""
    response = bench.client.get("/api/tts?text=Hello&speaker_id=Serena&language_id=en")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "audio/wav"
    assert response.headers["Content-Length"] == str(len(response.data))
    spoken = bench.runner.prompts[-1]
    assert (spoken.text, spoken.speaker, spoken.language) == ("Hello", "serena", "english")


@pytest.mark.parametrize("multipart", [False, True])
def test_post_with_a_form(bench: Bench, multipart: bool) -> None:
    """Urlencoded and multipart."""
    response = bench.client.post(
        "/api/tts",
        data={"text": "Grüße", "speaker_id": "Ryan", "language_id": "de", "style_wav": ""},
        content_type="multipart/form-data" if multipart else None,
    )
    assert response.status_code == 200
    assert bench.runner.prompts[-1].text == "Grüße"
    assert bench.runner.prompts[-1].language == "german"


@for_each(
    ("query", "speaker", "language", "ignored"),
    [
        ("speaker=Serena&language=de", "serena", "german", ""),
        ("speaker=Serena&speaker_id=&language=de&language_id=", "serena", "german", ""),
        ("speaker=Ryan&speaker_id=Serena&language=de", "serena", "german", "speaker"),
        ("language=fr&language_id=de&speaker_id=Serena", "serena", "german", "language"),
    ],
)
def test_the_native_names_of_speaker_and_language(
    bench: Bench, query: str, speaker: str, language: str, ignored: str
) -> None:
    """The path is that of the native API; what Coqui calls them goes before."""
    response = bench.client.get(f"/api/tts?text=Hello&{query}")
    assert response.status_code == 200
    assert response.headers.get("X-Ignored-Parameters", "") == ignored
    spoken = bench.runner.prompts[-1]
    assert (spoken.speaker, spoken.language) == (speaker, language)


def test_a_text_in_a_file_of_a_form(bench: Bench) -> None:
    """`curl -F text=@chapter.txt`, or any other field that is a text."""
    files = {"text": "Grüße", "language": "de", "other": "a", "style_wav": "RIFF"}
    data = {name: (io.BytesIO(text.encode()), f"{name}.txt") for name, text in files.items()}
    response = bench.client.post("/api/tts", data=data, content_type="multipart/form-data")
    assert response.status_code == 200
    spoken = bench.runner.prompts[-1]
    assert (spoken.text, spoken.language) == ("Grüße", "german")
    assert response.headers["X-Ignored-Parameters"] == "other, style_wav"


def test_post_with_headers_only(bench: Bench) -> None:
    """As Amica does: no body, UTF-8 in headers, which WSGI hands over as Latin-1."""
    response = bench.client.post(
        "/api/tts",
        headers={
            "text": "Grüße 你好".encode().decode("latin-1"),
            "speaker-id": "Dylan",
            "language-id": "",
            "style-wav": "",
        },
    )
    assert response.status_code == 200
    spoken = bench.runner.prompts[-1]
    assert (spoken.text, spoken.speaker, spoken.language) == ("Grüße 你好", "dylan", "auto")


def test_latin_1_in_headers_is_kept(bench: Bench) -> None:
    """What is not UTF-8 was Latin-1."""
    bench.client.post("/api/tts", headers={"text": "Gr\xfc\xdfe"})
    assert bench.runner.prompts[-1].text == "Grüße"


def test_header_before_query_before_form(bench: Bench) -> None:
    """Each value for itself; an empty one falls through."""
    bench.client.post(
        "/api/tts?text=query&speaker_id=Serena&language_id=",
        headers={"text": "header", "speaker-id": ""},
        data={"text": "form", "speaker_id": "Ryan", "language_id": "fr-fr"},
    )
    spoken = bench.runner.prompts[-1]
    assert (spoken.text, spoken.speaker, spoken.language) == ("header", "serena", "french")


def test_the_body_of_a_get_does_not_count(client: FlaskClient) -> None:
    """As in Coqui's server."""
    response = client.get("/api/tts", data={"text": "body"})
    assert_error(response, 400, "text_required", "Text parameter is required")


@pytest.mark.parametrize("query", ["", "?text=", "?text=%20%0A"])
def test_no_text(client: FlaskClient, query: str) -> None:
    """The very sentence that Coqui's server answers."""
    response = client.get(f"/api/tts{query}")
    assert_error(response, 400, "text_required")
    assert response.get_json()["error"] == "Text parameter is required"


def test_head_and_options(bench: Bench) -> None:
    """HEAD is 200 without a body or a synthesis; OPTIONS lists the methods."""
    for path in ("/api/tts", "/api/tts?text=Hello"):
        response = bench.client.head(path)
        assert (response.status_code, response.data) == (200, b"")
        assert response.headers["Content-Type"] == "audio/wav"
    response = bench.client.options("/api/tts")
    assert response.status_code == 200
    assert response.headers["Allow"] == "GET, POST, HEAD, OPTIONS"
    assert not bench.runner.prompts


@for_each("code", ["en", "EN", "en-us", "en_US", "english", "English"])
def test_language_codes(bench: Bench, code: str) -> None:
    """ISO 639-1, BCP 47, locales, names, in any case."""
    assert bench.client.get(f"/api/tts?text=a&language_id={code}").status_code == 200
    assert bench.runner.prompts[-1].language == "english"


def test_hard_coded_speakers(make_bench: MakeBench) -> None:
    """Refused by default; mapped by alias; or the default speaker's by policy."""
    query = "/api/tts?text=a&speaker_id=p376"
    assert_error(make_bench().client.get(query), 400, "unknown_speaker", "'p376'", "Serena")
    aliased = make_bench(speaker_aliases=(("P376", "Dylan"),))
    assert aliased.client.get(query).status_code == 200
    assert aliased.runner.prompts[-1].speaker == "dylan"
    lenient = make_bench(unknown_speaker="default")
    assert lenient.client.get(query).status_code == 200
    assert lenient.runner.prompts[-1].speaker == "ryan"
    assert lenient.client.get(f"{query}&model=design").status_code == 200


def test_style_wav(client: FlaskClient) -> None:
    """A path on the server is refused; style tokens are accepted and reported as ignored."""
    response = client.get("/api/tts?text=a&style_wav=/etc/passwd")
    assert_error(response, 400, "not_supported", "style_wav")
    tokens = json.dumps({"0": 0.1, "1": 0.1})
    response = client.get("/api/tts", query_string={"text": "a", "style_wav": tokens})
    assert response.status_code == 200
    assert response.headers["X-Ignored-Parameters"] == "style_wav"


def test_our_own_fields_in_a_link(bench: Bench) -> None:
    """So that a link can ask for ogg, a model or a seed; checked as in JSON."""
    query = "/api/tts?text=a&audio_format=ogg&seed=12&instruct=slow&unknown=1"
    response = bench.client.get(query)
    assert response.headers["Content-Type"] == "audio/ogg"
    assert response.headers["X-Seed"] == "12"
    assert bench.runner.prompts[-1].instruct == "slow"
    for seed in ("x", "-1", "1.5", "9" * 30):
        assert_error(
            bench.client.get(f"/api/tts?text=a&seed={seed}"), 400, "invalid_request", "seed"
        )


@pytest.mark.parametrize(
    ("given", "number"), [("1", 1), (".5", 0.5), (str(0.1 + 0.2), 0.1 + 0.2), ("1e-05", 1e-05)]
)
def test_numbers_in_a_link_are_as_programs_print_them(
    bench: Bench, given: str, number: float
) -> None:
    assert bench.client.get(f"/api/tts?text=a&temperature={given}").status_code == 200
    assert bench.runner.prompts[-1].sampling.temperature == number
    for wrong in ("nan", "inf", "1_0", "0x1", "1e", "9" * 400):
        response = bench.client.get(f"/api/tts?text=a&temperature={wrong}")
        assert_error(response, 400, "invalid_request", "temperature")


def test_json_with_the_wrong_type_is_explained(client: FlaskClient) -> None:
    """`curl -d '{...}'` without a header sends a form."""
    response = client.post(
        "/api/tts",
        data=b'{"text": "a"}',
        content_type="application/x-www-form-urlencoded",
    )
    assert_error(response, 400, "invalid_request", "Content-Type: application/json")


def test_a_truncated_multipart_form(client: FlaskClient) -> None:
    """Not taken for an empty form."""
    response = client.post(
        "/api/tts",
        input_stream=io.BytesIO(b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nabc'),
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": "57"},
    )
    assert_error(response, 400, "invalid_request")


@for_each("disposition", [b"form-data", b'form-data; filename="a"'])
@for_each("path", ["/api/tts", "/speakers", "/v1/audio/speech", "/v1/audio/voices"])
def test_a_part_of_a_form_without_a_name(
    client: FlaskClient, path: str, disposition: bytes
) -> None:
    """Whose would it be?"""
    part = b"--x\r\nContent-Disposition: %s\r\n\r\nabc\r\n--x--\r\n" % disposition
    response = client.post(path, data=part, content_type="multipart/form-data; boundary=x")
    assert response.status_code == 400
    assert "a part of it has no name" in response.text


def test_details(client: FlaskClient) -> None:
    """Coqui's clients look whether it is there."""
    response = client.get("/details")
    assert response.status_code == 200
    assert response.get_json()["model"] == "voice"


def test_amica_in_a_browser(make_bench: MakeBench) -> None:
    """Its headers are not simple ones: the browser asks whether they may be sent."""
    origin = "http://localhost:3000"
    client = make_bench(cors_origins=(origin,)).client
    response = client.options(
        "/api/tts",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "speaker-id,text",
        },
    )
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == origin
    allowed = response.headers["Access-Control-Allow-Headers"].replace(" ", "").split(",")
    assert set(allowed) == {"speaker-id", "text"}
    response = client.post("/api/tts", headers={"Origin": origin, "text": "Hello"})
    assert response.headers["Access-Control-Allow-Origin"] == origin
