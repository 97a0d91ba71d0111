"""The times of an answer: read from a server's, and written as subtitles or JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from qwen_tts_api.cli.outputs import to_file
from qwen_tts_api.service.times.subtitles import to_srt, to_vtt
from qwen_tts_api.service.times.timed import Spoken, TimedSegment, TimedWord, Times

Document = dict[str, Any]


def write_times(files: dict[str, Path], times: Times) -> None:
    """Write files by their kind: `srt`, `vtt`, `times`.

    Raises:
        click.ClickException: One cannot be written.
    """
    texts = {"srt": to_srt, "vtt": to_vtt, "times": _to_json}
    for kind, path in files.items():
        with to_file(path) as write:
            write(texts[kind](times).encode())


def _to_json(times: Times) -> str:
    segments = [segment.document() for segment in times.segments]
    document = {"duration": round(times.duration_s, 3), "estimated": times.estimated}
    return json.dumps({**document, "segments": segments}, ensure_ascii=False, indent=1) + "\n"


def read_lines(chunks: Iterator[bytes], on_end: Callable[[Times], object]) -> Iterator[bytes]:
    """Yield the audio of an answer with times, whose lines are JSON; store the times at its end.

    Raises:
        click.ClickException: It is no such answer.
    """
    segments: list[TimedSegment] = []
    for line in _lines(chunks):
        try:
            document: Document = json.loads(line)
            data = base64.b64decode(document.get("audio_base64", ""))
            told = [*document.get("segments", ())]
            told += [document["segment"]] if "segment" in document else []
            segments += map(_segment, told)
            duration_s = document.get("duration")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise click.ClickException(
                "The server answered without times: is it older than this program?"
            ) from error
        if data:
            yield data
        if duration_s is not None:
            on_end(Times(tuple(segments), duration_s))


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    parts: list[bytes] = []  # of a line that goes on: a file of an hour is one
    for chunk in chunks:
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            yield b"".join([*parts, line])
            parts = []
        parts.append(rest)
    if rest := b"".join(parts):
        yield rest


def _segment(document: Document) -> TimedSegment:
    text, position, words = document["text"], 0, []
    for each in document["words"]:
        position = text.index(each["word"], position) + len(each["word"])
        spaced = text[position : position + 1].isspace()
        place = (each["char_start"], each["char_end"]) if "char_start" in each else None
        spoken = each.get("spoken", "")
        words.append(TimedWord(each["word"], each["start"], each["end"], spaced, place, spoken))
    start_s, end_s = document["start"], document["end"]
    estimated, speaker = document["estimated"], document.get("speaker", "")
    spoken = Spoken(document["spoken"]) if "spoken" in document else None
    return TimedSegment(text, start_s, end_s, tuple(words), estimated, speaker, spoken)
