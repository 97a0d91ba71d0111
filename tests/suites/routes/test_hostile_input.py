"""Hostile input of maximum size: refused quickly, in few words, without blocking other threads.

What takes its time grows with the input at most, which is seen by the processor's time of the
thread: on a busy machine the clock on the wall says nothing.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import time
from collections.abc import Callable
from json import decoder
from typing import Any

import pytest
from marshmallow import ValidationError
from werkzeug.test import TestResponse

from qwen_tts_api.errors import InvalidRequest, TTSError
from qwen_tts_api.names import fold
from qwen_tts_api.routes.bodies import strict_json
from qwen_tts_api.routes.bodies.audio_field import AudioField
from qwen_tts_api.routes.bodies.form import parse_multipart, parse_urlencoded
from qwen_tts_api.service.voices.voice import check_name
from tests.conftest import Bench
from tests.recordings import recording
from tests.rows import for_each

MakeBench = Callable[..., Bench]
MARKS = "\u0301\u0316\u0327\u0334\u0345"  # of mixed classes: to be put in order
DISPOSITION = b'Content-Disposition: form-data; name="text"'


def part(head: bytes, data: bytes = b"x") -> bytes:
    return b"--b\r\n" + head + b"\r\n\r\n" + data + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


def seconds(work: Callable[[Any], Any], value: Any) -> float:
    """Return the processor's seconds that some work takes, whether it ends well or not."""
    before = time.thread_time()
    with contextlib.suppress(ValueError, TTSError, ValidationError):
        work(value)
    return time.thread_time() - before


WORK: dict[str, tuple[Callable[[Any], Any], Callable[[int], Any]]] = {
    "marks in a name that is looked up": (fold, lambda n: "a" + MARKS * (n // 5)),
    "marks in a name": (check_name, lambda n: "a" + MARKS * (n // 5)),
    "spaces around a name": (check_name, lambda n: " " * n + "a"),
    "a JSON number": (strict_json.parse, lambda n: b'{"seed":' + b"1" * n + b"}"),
    "a JSON fraction": (strict_json.parse, lambda n: b'{"speed":0.' + b"1" * n + b"}"),
    "nested JSON": (strict_json.parse, lambda n: b'{"x":' + b"[" * n),
    "nested JSON objects": (strict_json.parse, lambda n: b'{"x":' * (n // 5)),
    "a JSON array": (strict_json.parse, lambda n: b"[" + b"[]," * (n // 3)),
    "JSON keys": (strict_json.parse, lambda n: b"{" + b'"a":0,' * (n // 6)),
    "a JSON text": (strict_json.parse, lambda n: json.dumps({"text": "ä" * (n // 6)}).encode()),
    "a JSON key": (strict_json.parse, lambda n: json.dumps({"a" * n: 0}).encode()),
    "spaces in JSON": (strict_json.parse, lambda n: b" " * n + b"{}"),
    "fields": (parse_urlencoded, lambda n: b"a&" * (n // 2)),
    "percents": (parse_urlencoded, lambda n: b"text=" + b"%" * n),
    "escaped bytes": (parse_urlencoded, lambda n: b"text=" + b"%ff" * (n // 3)),
    "bytes that are not UTF-8": (parse_urlencoded, lambda n: b"text=" + b"\xff" * n),
    "parts": (
        lambda body: parse_multipart(body, b"b"),
        lambda n: multipart(*[part(DISPOSITION)] * (n // 55)),
    ),
    "a file's name": (
        lambda body: parse_multipart(body, b"b"),
        lambda n: multipart(part(DISPOSITION + b'; filename="' + b"a" * n + b'"')),
    ),
    "a part's parameters": (
        lambda body: parse_multipart(body, b"b"),
        lambda n: multipart(part(DISPOSITION + b"; a=b" * (n // 5))),
    ),
    "a part's headers": (
        lambda body: parse_multipart(body, b"b"),
        lambda n: multipart(part(DISPOSITION + b"\r\nA: b" * (n // 6))),
    ),
    "folded headers": (
        lambda body: parse_multipart(body, b"b"),
        lambda n: multipart(part(DISPOSITION + b"\r\n " * (n // 3))),
    ),
    "almost a boundary": (
        lambda body: parse_multipart(body, b"b"),
        lambda n: multipart(part(DISPOSITION, b"\r\n--b-" * (n // 6))),
    ),
    "lines before the first part": (
        lambda body: parse_multipart(body, b"b"),
        lambda n: b"a\r\n" * (n // 3) + multipart(part(DISPOSITION)),
    ),
    "base64": (AudioField().deserialize, lambda n: "QUJD" * (n // 4)),
    "spaced base64": (AudioField().deserialize, lambda n: "Q U J D " * (n // 8)),
    "padding": (AudioField().deserialize, lambda n: "=" * n),
    "no base64": (AudioField().deserialize, lambda n: "ä" * n),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WORK)
def test_time_grows_with_the_input_at_most(name: str) -> None:
    """With the square of it, sixteen times as much would take 256 times as long."""
    work, make = WORK[name]
    short, long = make(1 << 18), make(1 << 22)
    seconds(work, short)
    assert seconds(work, long) < 64 * max(seconds(work, short), 0.01)


UNITS = [
    "a",
    "\\\\",
    "\\n",
    '\\"',
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\\\ud83d\\ude00",
    "\\ud83d",
    "\u00e9",
    "\U0001f600",
]


@pytest.mark.parametrize("unit", UNITS)
def test_long_strings_are_read_in_blocks(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a whole, one of 14 MB would hold every thread for 0.1 s. What is read is the same."""
    lengths: list[int] = []
    original = decoder.scanstring  # type: ignore[attr-defined]

    def scanstring(text: str, start: int, strict: bool) -> tuple[str, int]:
        value, end = original(text, start, strict)
        lengths.append(end - start)
        return value, end

    monkeypatch.setattr(decoder, "scanstring", scanstring)
    for shift in range(12):
        document = '{"text": "' + "a" * shift + unit * (200_000 // len(unit)) + '", "seed": 1}'
        assert strict_json.parse(document.encode()) == json.loads(document)
    assert max(lengths) <= (1 << 16) + 1


def test_what_is_wrong_in_a_long_string_is_told_by_its_place() -> None:
    document = '{"text": "' + "a" * 199_987 + "\n" + "a" * 100_000 + '"}'
    with pytest.raises(ValueError, match="Invalid control character") as expected:
        json.loads(document)
    with pytest.raises(ValueError, match=re.escape(str(expected.value))):
        strict_json.parse(document)


@pytest.mark.parametrize("size", range(1, 9))
def test_boundaries_are_found_wherever_blocks_end(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body of 56 MB that is searched as a whole holds every thread for 0.2 s."""
    body = multipart(part(DISPOSITION, b"a\n--\r\n-"), part(DISPOSITION.replace(b"text", b"c")))
    expected = parse_multipart(body, b"b")
    assert expected.fields == {"text": "a\n--\r\n-", "c": "x"}
    monkeypatch.setattr("qwen_tts_api.routes.bodies.form._SEARCH_BLOCK", size)
    assert parse_multipart(body, b"b") == expected


def test_what_is_too_long_is_not_composed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The length is looked at first: composing marks holds every thread of the process."""
    composed: list[int] = []

    def normalize(form: str, text: str) -> str:
        composed.append(len(text))
        return text

    monkeypatch.setattr("unicodedata.normalize", normalize)
    with pytest.raises(InvalidRequest, match="520001 characters"):
        check_name("a" + MARKS * 104_000)
    check_name("Zoe\u0308")
    assert composed == [4]


def test_a_name_may_come_in_pieces() -> None:
    """As macOS writes letters with marks: what counts is what people see."""
    assert check_name("e\u0301" * 100) == "é" * 100
    with pytest.raises(InvalidRequest):
        check_name("e\u0301" * 101)


def unknown(num: int) -> dict[str, int]:
    return {f"unheard_of_{number}": number for number in range(num)}


def with_keys(num: int) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return requests with many keys, at the top and within."""
    many = unknown(num)
    document = {"text": "Hi", "name": "a", "input": "Hi"}
    form = "&".join(f"{name}={value}" for name, value in many.items())
    body = multipart(*(part(DISPOSITION.replace(b"text", name.encode())) for name in many))
    return {
        **{
            f"{path} {where}": (path, {"json": document | more})
            for path in ("/api/tts", "/speakers", "/v1/audio/speech", "/v1/audio/voices")
            for where, more in (
                ("top", many),
                ("within", {"voice": many}),
                ("list", {"x": [many]}),
                ("recording", many | {"ref_audio": ""}),
            )
        },
        **{
            f"{path} form": (path, {"data": form, "content_type": FORM})
            for path in ("/api/tts", "/speakers", "/process")
        },
        **{
            f"{path} multipart": (path, {"data": body, "content_type": MULTIPART})
            for path in ("/api/tts", "/speakers", "/v1/audio/speech", "/v1/audio/voices")
        },
    }


FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
MANY = with_keys(20_000)


@for_each("name", MANY)
def test_many_keys_are_refused_in_few_words(bench: Bench, name: str) -> None:
    """Wherever they are; and in a moment, of which most is spent on sending them."""
    path, sent = MANY[name]
    before = time.thread_time()
    response = bench.client.post(path, **sent)
    assert time.thread_time() - before < 2
    assert response.status_code in (400, 413)
    assert len(response.data) < 2000


def test_unknown_fields_are_explained_and_counted(bench: Bench) -> None:
    """The first few of them."""
    response = bench.client.post("/api/tts", json={"text": "Hi"} | unknown(20))
    error = response.get_json()
    assert response.status_code == 400
    assert list(error["fields"]) == [f"unheard_of_{number}" for number in range(5)]
    assert error["error"].endswith("So are 15 more.")


ECHOES: list[tuple[str, str, dict[str, Any]]] = [
    ("/api/tts", "a 1", {"text": "Hi", "a" * 500_000: 1}),
    ("/api/tts", "model", {"text": "Hi", "model": "m" * 500_000}),
    ("/api/tts", "speaker", {"text": "Hi", "speaker": "s" * 500_000}),
    ("/api/tts", "speaker", {"text": "Hi", "speaker": "s" * 500_000, "model": "design"}),
    ("/api/tts", "speaker", {"text": "Hi", "speaker": "s" * 500_000, "model": "clone"}),
    ("/api/tts", "language", {"text": "Hi", "language": "l" * 500_000}),
    ("/api/tts", "language", {"text": "Hi", "language": "-" * 500_000}),
    ("/api/tts", "format", {"text": "Hi", "audio_format": "f" * 500_000}),
    ("/api/tts", "seed", {"text": "Hi", "seed": "7" * 500_000}),
    ("/api/tts", "speed", {"text": "Hi", "speed": "7" * 500_000}),
    ("/api/tts", "stream", {"text": "Hi", "stream": "7" * 500_000}),
    ("/api/tts", "audio", {"text": "Hi", "ref_audio": "ä" * 500_000, "model": "clone"}),
    ("/api/tts", "audio", {"text": "Hi", "ref_audio": "/" * 500_000, "model": "clone"}),
    ("/speakers", "name", {"name": "n" * 500_000, "audio": "QUJD"}),
    ("/speakers", "name", {"name": "a" + MARKS * 30_000, "audio": "QUJD"}),
    ("/speakers", "consent", {"name": "n", "consent": "c" * 500_000, "audio": "AUDIO"}),
    ("/speakers", "ref_text", {"name": "n", "ref_text": "t" * 500_000, "audio": "AUDIO"}),
    ("/v1/audio/speech", "model", {"input": "Hi", "model": "m" * 500_000}),
    ("/v1/audio/speech", "voice", {"input": "Hi", "voice": "v" * 500_000}),
    ("/v1/audio/speech", "voice", {"input": "Hi", "voice": {"id": "v" * 500_000}}),
    ("/v1/audio/speech", "format", {"input": "Hi", "response_format": "f" * 500_000}),
    ("/v1/audio/speech", "task", {"input": "Hi", "task_type": "f" * 500_000}),
    ("/v1/audio/voices", "name", {"name": "n" * 500_000, "audio_sample": "QUJD"}),
]


@for_each("number", range(len(ECHOES)))
def test_an_error_does_not_send_back_what_it_got(bench: Bench, number: int) -> None:
    path, word, document = ECHOES[number]
    audio = base64.b64encode(recording()).decode()
    document = {name: audio if value == "AUDIO" else value for name, value in document.items()}
    response = bench.client.post(path, json=document)
    assert 400 <= response.status_code < 500
    assert len(response.data) < 1500
    assert word.split(" ")[0] in response.text


@for_each(
    "document",
    [
        '{"text": "Hi", "temperature": 1e400}',
        '{"text": "Hi", "temperature": -1e400}',
        '{"text": "Hi", "seed": 1e400}',
        '{"text": "Hi", "sample_rate": 1e400}',
        f'{{"text": "Hi", "seed": {"9" * 399}}}',
        f'{{"text": "Hi", "sample_rate": {"9" * 399}}}',
        f'{{"text": "Hi", "speed": {"9" * 399}}}',
        f'{{"text": "Hi", "seed": {"9" * 5000}}}',
        f'{{"text": "Hi", "seed": -{"9" * 5000}}}',
        f'{{"text": "Hi", "speed": 1e{"9" * 5000}}}',
        "9" * 5000,
        '{"text": "Hi", "speed": NaN}',
        '{"text": "Hi", "speed": Infinity}',
        '{"text": "Hi", "speed": -Infinity}',
        '{"text": "Hi", "speed": {}}',
        '{"text": "Hi", "speaker": "\\ud800"}',
        '{"text": "Hi", "speaker": "\\u0000"}',
        '{"text": "Hi", "language": "\\ud800"}',
        '{"text": "Hi", "model": "\\ud800"}',
        '{"text": "Hi", "audio_format": "\\ud800"}',
        '{"text": "Hi", "\\ud800": 1}',
        '{"text": "Hi", "ref_text": "\\ud800", "ref_audio": "QUJD"}',
        '{"text": "Hi", "instruct": "\\ud800"}',
        '{"text": ["Hi"]}',
        '{"text": {"a": "Hi"}}',
        '{"text": "Hi", "speaker": ["Ryan"]}',
        '{"text": "Hi", "stream": []}',
        '{"text": "Hi"} {}',
        '{"text": "Hi",}',
        "{'text': 'Hi'}",
        '["text"]',
        "null",
        "",
        "\ufeff",
    ],
)
def test_what_means_nothing_is_a_400(bench: Bench, document: str) -> None:
    """In JSON and of JSON: numbers without end, halves of characters, other types."""
    response = bench.client.post("/api/tts", data=document, content_type="application/json")
    assert response.status_code == 400, response.text
    assert len(response.data) < 1500
    response = bench.client.post(
        "/v1/audio/speech",
        data=document.replace('"text"', '"input"'),
        content_type="application/json",
    )
    assert response.status_code < 500


def send_large(bench: Bench, body: bytes, content_type: str) -> TestResponse:
    return bench.client.post("/api/tts", data=body, content_type=content_type)


SMALL, LARGE = 2000, 4000
NO_RECORDINGS = {
    "empty": (b'{"ref_audio": "", "text": "' + b"a" * LARGE + b'"}', "application/json"),
    "null": (b'{"ref_audio": null, "text": "' + b"a" * LARGE + b'"}', "application/json"),
    "quoted": (b'{"text": "\\"ref_audio\\": \\"' + b"a" * LARGE + b'"}', "application/json"),
    "other": (b'{"ref_audio": "QUJD", "ref_text": "' + b"a" * LARGE + b'"}', "application/json"),
    "form": (b"ref_audio=QUJD&text=" + b"a" * LARGE, FORM),
    "like": (b"xref_audio=" + b"a" * LARGE, FORM),
    "part": (
        multipart(
            part(DISPOSITION.replace(b"text", b"ref_audio")), part(DISPOSITION, b"a" * LARGE)
        ),
        MULTIPART,
    ),
}


@pytest.mark.parametrize("name", NO_RECORDINGS)
def test_only_a_recording_lets_in_its_size(make_bench: MakeBench, name: str) -> None:
    """Not that there is a field for one."""
    bench = make_bench(max_body_bytes=SMALL, max_audio_bytes=LARGE)
    response = send_large(bench, *NO_RECORDINGS[name])
    assert (response.status_code, response.get_json()["code"]) == (413, "body_too_large")


AUDIO = base64.b64encode(b"RIFF" * (LARGE // 4)).decode()
RECORDINGS = {
    "json": (json.dumps({"text": "Hi", "ref_audio": AUDIO}).encode(), "application/json"),
    "spaced": (f'{{"text": "Hi", "ref_audio" :\n"{AUDIO}"}}'.encode(), "application/json"),
    "form": (f"text=Hi&ref_audio={AUDIO}".encode(), FORM),
    "file": (
        multipart(
            part(DISPOSITION, b"Hi"),
            part(DISPOSITION.replace(b"text", b"ref_audio") + b'; filename="a"', b"R" * LARGE),
        ),
        MULTIPART,
    ),
}


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_lets_in_its_size(make_bench: MakeBench, name: str) -> None:
    """However it is sent; then it is looked at."""
    bench = make_bench(max_body_bytes=SMALL, max_audio_bytes=LARGE, served=("clone",))
    response = send_large(bench, *RECORDINGS[name])
    assert response.status_code == 400
    assert response.get_json()["code"] in ("invalid_audio", "reference_required")
