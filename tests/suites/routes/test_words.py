"""Numbers in words, and pronunciations, over HTTP: what is spoken, and what the headers tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests import conftest
from tests.conftest import Bench
from tests.fakes import CUSTOM_VOICE
from tests.routes.apis.native.test_tts import assert_error, post
from tests.rows import for_each

MakeBench = Callable[..., Bench]
TEXT = "I paid $5 for 3 apples."
WORDS = "I paid five dollars for three apples."


@pytest.fixture
def reader(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Return a bench whose model reads letters only."""
    card = replace(CUSTOM_VOICE, letters_only=True, languages=("english",))
    monkeypatch.setitem(conftest.CARDS, "voice", card)
    return make_bench(served=("voice",))


def said(bench: Bench) -> str:
    return bench.runner.prompts[-1].text


def test_numbers_are_words_where_that_is_asked_for(make_bench: MakeBench) -> None:
    bench = make_bench()
    assert "X-Text-Changes" not in post(bench.client, text=TEXT).headers
    assert said(bench) == TEXT
    response = post(bench.client, text=TEXT, normalize="full", language="en")
    assert said(bench) == WORDS
    assert response.headers["X-Text-Changes"] == "numbers=1, units=1"
    bench.client.get("/api/tts", query_string={"text": TEXT, "normalize": "full"})
    assert said(bench) == WORDS
    bench = make_bench(normalize_text="full")
    post(bench.client, text=TEXT)
    assert said(bench) == WORDS
    post(bench.client, text=TEXT, normalize=True)
    assert said(bench) == TEXT


def test_a_model_that_reads_letters_gets_letters(reader: Bench) -> None:
    response = post(reader.client, text="Café: 3 for $5, says the FBI.")
    assert said(reader) == "Cafe: three for five dollars, says the ef bee eye."
    assert response.headers["X-Text-Changes"] == "numbers=1, units=1, abbreviations=2, letters=1"
    post(reader.client, text="3", normalize=False)
    assert said(reader) == "3"


def test_what_it_cannot_read_is_refused_or_silence(reader: Bench) -> None:
    assert_error(post(reader.client, text="你好"), 400, "unspeakable_text", "letters a to z")
    document = {"input": "你好", "voice": "Ryan"}
    response = reader.client.post("/v1/audio/speech", json=document)
    assert response.status_code == 200
    assert response.headers["X-Finish-Reason"] == "nothing_to_say"


def test_pronunciations_of_a_request_go_before_those_of_the_file(
    make_bench: MakeBench, tmp_path: Path
) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# names\nnginx = engine ex\nSQL = sequel\n[de]\nSQL = Es Ku El\n")
    bench = make_bench(pronunciations=path)
    response = post(bench.client, text="Nginx and SQL")
    assert said(bench) == "Engine ex and sequel"
    assert response.headers["X-Text-Changes"] == "pronunciations=2"
    post(bench.client, text="SQL", language="German")
    assert said(bench) == "Es Ku El"
    post(bench.client, text="SQL, nginx", pronunciations={"sql": "squeal"})
    assert said(bench) == "Squeal, engine ex"
    path.write_text("nginx = en jinx\nwrong\n")
    post(bench.client, text="the nginx")
    assert said(bench) == "the en jinx"
    path.unlink()
    post(bench.client, text="the nginx")
    assert said(bench) == "the en jinx"


@for_each(
    ("pronunciations", "message"),
    [
        ({"a": ""}, "blank"),
        ({"a": 5}, "no string"),
        ("nginx", "object"),
        ({"a" * 300: "b"}, "200 characters"),
        ({str(number): "b" for number in range(501)}, "500"),
        ({f"{number:0150}": "b" for number in range(67)}, "10050 characters together"),
    ],
)
def test_wrong_pronunciations_are_refused(
    bench: Bench, pronunciations: object, message: str
) -> None:
    response = post(bench.client, text="a", pronunciations=pronunciations)
    assert_error(response, 400, "invalid_request", message)


def test_elevenlabs_names_for_it(bench: Bench) -> None:
    for value, text in (("on", WORDS), ("auto", TEXT), ("off", TEXT)):
        document = {"text": TEXT, "apply_text_normalization": value}
        bench.client.post("/v1/text-to-speech/Ryan", json=document)
        assert said(bench) == text
