"""Files with times beside the audio, and answers that they are read from."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bench.server import Server
from qwen_tts_api.cli.times import read_lines, write_times
from qwen_tts_api.service.times.timed import TimedSegment, TimedWord, Times
from tests.cli.command import run
from tests.conftest import Serve

WORDS = (TimedWord("Hello", 0.1, 0.5, True), TimedWord("there.", 0.6, 1.2, False))
SEGMENT = TimedSegment("Hello there.", 0.1, 1.2, WORDS, estimated=True)
TIMES = Times((SEGMENT,), 1.5)
LINES = [
    {"media_type": "audio/wav", "sample_rate": 24_000},
    {"expected": {**SEGMENT.document(), "end": 9.0}},
    {"audio_base64": base64.b64encode(b"one").decode()},
    {"segment": SEGMENT.document()},
    {"audio_base64": base64.b64encode(b"two").decode()},
    {"duration": 1.5, "srt": "", "vtt": ""},
]


def chunked(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_lines_are_audio_and_times_in_any_cut(size: int) -> None:
    told: list[Times] = []
    stream = "".join(json.dumps(line) + "\n" for line in LINES).encode()
    assert list(read_lines(chunked(stream, size), told.append)) == [b"one", b"two"]
    audio = {"audio_base64": base64.b64encode(b"file").decode(), "segments": [SEGMENT.document()]}
    whole = json.dumps({**audio, "duration": 1.5}).encode()
    assert list(read_lines(chunked(whole, size), told.append)) == [b"file"]
    assert told == [TIMES, TIMES]


def test_another_answer_is_no_times() -> None:
    with pytest.raises(click.ClickException, match="older"):
        list(read_lines(iter([b"RIFF\xff\n\0"]), lambda _: None))


def test_files(tmp_path: Path) -> None:
    files = {kind: tmp_path / f"x.{kind}" for kind in ("srt", "vtt", "times")}
    write_times(files, TIMES)
    assert files["srt"].read_bytes().startswith(b"1\r\n00:00:00,100 --> 00:00:01,200\r\nHello")
    assert files["vtt"].read_text().startswith("WEBVTT\n\n00:00:00.100 --> 00:00:01.200\nHello")
    document = json.loads(files["times"].read_text())
    assert document == {"duration": 1.5, "estimated": True, "segments": [SEGMENT.document()]}


@pytest.fixture(scope="module")
def server(serve: Serve) -> Server:
    return serve()


@pytest.mark.parametrize(("text", "name"), [("Hello there. And you?", "x.mp3"), ("-", "x.wav")])
def test_say_writes_them(server: Server, tmp_path: Path, text: str, name: str) -> None:
    """Of a whole file, and of a text that comes through a pipe."""
    arguments = [text, "-o", tmp_path / name, "--server", server.url]
    for kind in ("srt", "vtt", "times"):
        arguments += [f"--{kind}", tmp_path / f"x.{kind}"]
    result = run("say", *arguments, stdin=b"Hello there. And you?")
    assert result.returncode == 0, result.stderr
    document = json.loads((tmp_path / "x.times").read_text())
    assert " ".join(each["text"] for each in document["segments"]) == "Hello there. And you?"
    assert b"Hello there." in (tmp_path / "x.srt").read_bytes()
    assert (tmp_path / "x.vtt").read_text().startswith("WEBVTT\n\n00:")
    assert (tmp_path / name).stat().st_size > 1000


def test_a_folder_that_is_not_there_is_named_before_anything_is_spoken(tmp_path: Path) -> None:
    result = run("say", "x", "-o", tmp_path / "x.wav", "--srt", tmp_path / "no" / "x.srt")
    assert result.returncode == 2
    assert b"no folder" in result.stderr
