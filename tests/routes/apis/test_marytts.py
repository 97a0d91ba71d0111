"""MaryTTS's dialect; `tests/clients` sends it what Home Assistant and rhasspy send."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlencode

import pytest
import soundfile
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from qwen_tts_api.audio import FORMATS
from tests.conftest import CARDS, Bench
from tests.rows import for_each

MakeBench = Callable[..., Bench]


def assert_refused(response: TestResponse, status: int, *words: str) -> None:
    """Check the status, and that the answer is one plain line that has the words."""
    assert response.status_code == status, response.text
    assert response.mimetype == "text/plain"
    assert response.text.endswith("\n")
    assert response.text.count("\n") == 1
    for word in words:
        assert word in response.text


@for_each(
    "content_type",
    [
        None,
        "application/x-www-form-urlencoded",
        "application/json",
        "multipart/form-data; boundary=x",
        "nonsense",
    ],
)
def test_a_body_is_a_query_string_whatever_its_type(bench: Bench, content_type: str | None) -> None:
    """speak2mary names no type at all."""
    body = urlencode({"INPUT_TEXT": "Grüße & 你好", "VOICE": "dylan", "LOCALE": "de"})
    response = bench.client.post("/process", data=body.encode(), content_type=content_type)
    assert response.status_code == 200, response.text
    spoken = bench.runner.prompts[-1]
    assert (spoken.text, spoken.speaker) == ("Grüße & 你好", "dylan")
    assert spoken.language == "german"


def test_get_with_a_query(bench: Bench) -> None:
    """A WAV that Python's wave reads, with an exact length."""
    response = bench.client.get("/process?INPUT_TEXT=Hello+there&LOCALE=en_US")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "audio/wav"
    assert response.headers["Content-Length"] == str(len(response.data))
    with wave.open(io.BytesIO(response.data)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        assert file.getnframes() == len("Hello there") * 1920
    assert bench.runner.prompts[-1].language == "english"


def test_the_body_comes_before_the_query(bench: Bench) -> None:
    """Each value for itself; an empty one means nothing."""
    query = "/process?INPUT_TEXT=query&VOICE=Serena&LOCALE=de"
    response = bench.client.post(query, data=b"INPUT_TEXT=body&VOICE=")
    assert response.status_code == 200
    spoken = bench.runner.prompts[-1]
    assert (spoken.text, spoken.speaker, spoken.language) == ("body", "serena", "german")


@for_each("voice", ["cmu-slt-hsmm", "dfki-spike-hsmm", "Bob", "", " "])
def test_unknown_voices_mean_the_default_one(bench: Bench, voice: str) -> None:
    """Whatever QWEN_UNKNOWN_SPEAKER says: Home Assistant always sends MaryTTS's own."""
    response = bench.client.get("/process", query_string={"INPUT_TEXT": "a", "VOICE": voice})
    assert response.status_code == 200
    assert bench.runner.prompts[-1].speaker == "ryan"


def test_voices_by_name_or_alias(make_bench: MakeBench) -> None:
    bench = make_bench(speaker_aliases=(("cmu-slt-hsmm", "Dylan"),))
    for voice, speaker in (("UNCLE_FU", "uncle_fu"), ("cmu-slt-hsmm", "dylan")):
        bench.client.get("/process", query_string={"INPUT_TEXT": "a", "VOICE": voice})
        assert bench.runner.prompts[-1].speaker == speaker


@for_each(
    ("locale", "language"),
    [
        ("en_US", "english"),
        ("en-US", "english"),
        ("en_GB", "english"),
        ("de", "german"),
        ("fr", "french"),
        ("zh_CN", "chinese"),
        ("", "auto"),
    ],
)
def test_locales_are_languages(bench: Bench, locale: str, language: str) -> None:
    bench.client.get("/process", query_string={"INPUT_TEXT": "a", "LOCALE": locale})
    assert bench.runner.prompts[-1].language == language


def test_a_language_that_the_model_does_not_speak_is_refused(client: FlaskClient) -> None:
    """Home Assistant offers Swedish, Turkish, Luxembourgish and Telugu."""
    for locale in ("sv", "tr", "lb", "te"):
        response = client.get(f"/process?INPUT_TEXT=a&LOCALE={locale}")
        assert_refused(response, 400, repr(locale), "German")


@for_each("audio", ["WAVE_FILE", "WAVE", "wave_file", "WAVE_STREAM", ""])
def test_names_of_wav(client: FlaskClient, audio: str) -> None:
    """rhasspy says WAVE, Home Assistant WAVE_FILE."""
    response = client.get(f"/process?INPUT_TEXT=abc&AUDIO={audio}")
    assert response.headers["Content-Type"] == "audio/wav"
    assert response.data.startswith(b"RIFF")


@for_each("audio", [f"{name.upper()}_FILE" for name in FORMATS if FORMATS[name].has_header])
def test_other_containers(client: FlaskClient, audio: str) -> None:
    """Every format whose files tell their rate; MaryTTS's name of WAV is WAVE."""
    audio = audio.replace("WAV_", "WAVE_")
    response = client.get(f"/process?INPUT_TEXT=abc&AUDIO={audio}")
    assert response.status_code == 200, response.text
    with soundfile.SoundFile(io.BytesIO(response.data)) as file:
        container = audio.removesuffix("_FILE")
        assert file.format == {"WAVE": "WAV", "OPUS": "OGG"}.get(container, container)
        assert file.samplerate == 24_000
        assert abs(file.frames - 3 * 1920) < 2 * 1152  # MP3 pads its frames


def test_unknown_containers_are_refused(client: FlaskClient) -> None:
    response = client.get("/process?INPUT_TEXT=a&AUDIO=TAPE_FILE")
    assert_refused(response, 400, "'TAPE_FILE'", "WAVE_FILE", "AU_FILE", "AIFF_FILE")


@pytest.mark.parametrize(
    ("field", "right"),
    [("INPUT_TYPE=RAWMARYXML", "TEXT and SSML"), ("OUTPUT_TYPE=TOKENS", "AUDIO")],
)
def test_other_kinds_of_text_and_answer_are_refused(
    client: FlaskClient, field: str, right: str
) -> None:
    response = client.get(f"/process?INPUT_TEXT=abc&{field}")
    assert_refused(response, 400, field.partition("=")[2], right)


def test_what_has_no_meaning_is_named(client: FlaskClient) -> None:
    """INPUT_TYPE and OUTPUT_TYPE are in every request, and the audio is what they ask for."""
    body = urlencode(
        {
            "INPUT_TEXT": "a",
            "INPUT_TYPE": "TEXT",
            "OUTPUT_TYPE": "AUDIO",
            "effect_Robot_selected": "on",
            "effect_Robot_parameters": "amount:100.0;",
            "a\r\nSet-Cookie: b": "c",
        }
    )
    response = client.post("/process", data=body.encode())
    assert response.status_code == 200
    ignored = response.headers["X-Ignored-Parameters"]
    assert ignored == "effect_Robot_selected, effect_Robot_parameters"
    response = client.get("/process?INPUT_TEXT=a&INPUT_TYPE=TEXT&OUTPUT_TYPE=AUDIO")
    assert "X-Ignored-Parameters" not in response.headers


def test_head_makes_no_speech(bench: Bench) -> None:
    response = bench.client.head("/process?INPUT_TEXT=a")
    assert (response.status_code, response.data) == (200, b"")
    assert not bench.runner.prompts


@pytest.mark.parametrize("query", ["", "?INPUT_TEXT=", "?input_text=a"])
def test_no_text(client: FlaskClient, query: str) -> None:
    assert_refused(client.get(f"/process{query}"), 400, "INPUT_TEXT")


def test_bad_parameters(make_bench: MakeBench) -> None:
    client = make_bench(max_body_bytes=4096, max_text_chars=10).client
    body = b"&".join([b"a=1"] * 200)
    assert_refused(client.post("/process", data=body), 400, "parameters")
    assert_refused(client.post("/process", data=b"INPUT_TEXT=" + b"x" * 11), 400, "11 characters")
    assert_refused(client.post("/process", data=b"x" * 5000), 413, "QWEN_MAX_BODY_BYTES")


def test_every_error_is_a_line_of_text(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the router and of the model, too: clients show the line as it is."""
    assert_refused(bench.client.delete("/process"), 405)
    assert_refused(bench.client.post("/voices"), 405)
    assert_refused(bench.client.get("/locales/x"), 404)
    bench.runner.prefill_error = RuntimeError("weights on fire")
    assert_refused(bench.client.get("/process?INPUT_TEXT=a"), 500)
    monkeypatch.setattr(bench.service, "synthesize", lambda *_: 1 / 0)
    assert_refused(bench.client.get("/process?INPUT_TEXT=a"), 500)


def test_while_the_model_loads(make_bench: MakeBench) -> None:
    response = make_bench(start=False).client.get("/process?INPUT_TEXT=a")
    assert_refused(response, 503)
    assert int(response.headers["Retry-After"]) > 0


def test_voices(client: FlaskClient) -> None:
    """Name, locale, sex; a line each, with no space in a name."""
    response = client.get("/voices")
    assert response.mimetype == "text/plain"
    assert response.text.splitlines() == [
        "Serena zh_CN female",
        "Uncle_Fu zh_CN male",
        "Ryan en_US male",
        "Dylan zh_CN male",
    ]


def test_locales(client: FlaskClient) -> None:
    """A line each, no newline after the last: rhasspy splits at newlines."""
    response = client.get("/locales")
    assert response.mimetype == "text/plain"
    assert response.text == "zh_CN\nen_US\nfr\nde"


def test_every_listed_voice_and_locale_can_be_asked_for(bench: Bench) -> None:
    for line in bench.client.get("/voices").text.splitlines():
        name, locale, _ = line.split(" ")
        query = {"INPUT_TEXT": "a", "VOICE": name, "LOCALE": locale}
        assert bench.client.get("/process", query_string=query).status_code == 200
        assert bench.runner.prompts[-1].speaker == name.lower()
    for locale in bench.client.get("/locales").text.split("\n"):
        response = bench.client.get(f"/process?INPUT_TEXT=a&LOCALE={locale}")
        assert response.status_code == 200


def test_no_voice_has_a_locale_that_its_model_does_not_speak(
    monkeypatch: pytest.MonkeyPatch, make_bench: MakeBench
) -> None:
    """The embedded voice has a Serena, too, who knows English alone; a client picks by locale."""
    monkeypatch.setitem(CARDS, "voice", replace(CARDS["voice"], languages=("english",)))
    bench = make_bench()
    voices = bench.client.get("/voices").text.splitlines()
    assert [line.split(" ")[1] for line in voices] == ["en_US"] * 4
    test_every_listed_voice_and_locale_can_be_asked_for(bench)


def test_a_model_without_speakers(make_bench: MakeBench) -> None:
    """An empty list, and any VOICE is the default: the voice that QWEN_DEFAULT_INSTRUCT tells."""
    bench = make_bench(served=("design",), default_instruct="A calm voice.")
    assert bench.client.get("/voices").data == b""
    response = bench.client.get("/process?INPUT_TEXT=a&VOICE=cmu-slt-hsmm")
    assert response.status_code == 200
    assert bench.hub.runners["design"].prompts[-1].instruct == "A calm voice."
