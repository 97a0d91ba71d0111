"""`/with-timestamps` and `/stream/with-timestamps`: audio in JSON, with each character's time."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from qwen_tts_api.audio.provenance import SOURCE_TYPE
from qwen_tts_api.config import Config
from qwen_tts_api.routes.apis.elevenlabs.alignment import Aligner, Alignment
from qwen_tts_api.routes.apis.elevenlabs.names import FIELDS
from qwen_tts_api.routes.apis.elevenlabs.speech import describe_operation, read_request
from qwen_tts_api.routes.connection import client_connection
from qwen_tts_api.routes.openapi.operations import Answer
from qwen_tts_api.routes.speech.response import StreamedBody, report_ignored
from qwen_tts_api.service.live.events import AudioChunk, SegmentEnded
from qwen_tts_api.service.live.speech import LiveSpeech
from qwen_tts_api.service.speech import SpeechService

LINES = "application/x-ndjson"

_SPOKEN = {"type": "object", "description": "`audio_base64`, `alignment`, `normalized_alignment`."}


def add_routes(routes: Blueprint, config: Config, service: SpeechService) -> None:
    """Add the routes of speech with timestamps."""

    def begin(voice_id: str) -> tuple[LiveSpeech, list[str]]:
        asked, ignored = read_request(voice_id, request, config, service)
        g.record.text = asked.text
        live = service.live(replace(asked, timestamps=True), client_connection(request.environ))
        live.finish()
        names = (FIELDS.get(name, name) for name in live.info.ignored)
        return live, [*ignored, *names]

    @routes.post("/v1/text-to-speech/<voice_id>/with-timestamps")
    @describe_operation(
        "Speak a text, with the time of each character: ElevenLabs-compatible",
        Answer("The audio and when each character is heard.", _SPOKEN),
    )
    def convert_with_timestamps(voice_id: str) -> Response:
        live, ignored = begin(voice_id)
        parts = list(spoken(live, early=False))
        alignment = Alignment.join(part for _, part in parts)
        body = describe_audio(b"".join(data for data, _ in parts), alignment)
        return _describe(jsonify(body), live, ignored)

    @routes.post("/v1/text-to-speech/<voice_id>/stream/with-timestamps")
    @describe_operation(
        "Speak a text as it is made, with the time of each character: ElevenLabs-compatible",
        Answer("A JSON object a line, as in `/with-timestamps`.", _SPOKEN, [LINES]),
    )
    def stream_with_timestamps(voice_id: str) -> Response:
        live, ignored = begin(voice_id)
        body = StreamedBody(_Lines(live))
        return _describe(Response(body, mimetype=LINES), live, ignored)


class _Lines(Iterator[bytes]):
    """The lines of an answer; the first is there already, so that what is refused has its status.

    Raises:
        TTSError: Nothing can be spoken.
    """

    def __init__(self, live: LiveSpeech) -> None:
        self._parts = spoken(live)
        self._first: bytes | None = self._next()

    def __next__(self) -> bytes:
        first, self._first = self._first, None
        return self._next() if first is None else first

    def close(self) -> None:
        """Cancel the work."""
        self._parts.close()

    def _next(self) -> bytes:
        return json.dumps(describe_audio(*next(self._parts))).encode() + b"\n"


def spoken(
    live: LiveSpeech, *, early: bool = True
) -> Generator[tuple[bytes, Alignment], None, None]:
    """Yield the audio of a text as it is made, each part with the characters that end in it.

    Closing it cancels the work.

    Args:
        live: The text, with timestamps.
        early: Whether characters are told when they are expected to have been heard; else when
            their segment has ended, and its times are better known.

    Raises:
        TTSError: What `LiveSpeech.events` raises.
    """
    aligner = Aligner()
    with contextlib.closing(live.events()) as events:
        for event in events:
            if isinstance(event, AudioChunk):
                if early and live.expected is not None:
                    aligner.expect(live.expected, live.milliseconds)
                yield event.data, aligner.take()
            elif isinstance(event, SegmentEnded) and event.times is not None:
                aligner.end(event.times)
    if rest := aligner.take():
        yield b"", rest


def describe_audio(data: bytes, alignment: Alignment) -> dict[str, Any]:
    """Return ElevenLabs' object of audio with timestamps, from the beginning of all audio."""
    aligned = {
        "characters": alignment.characters,
        "character_start_times_seconds": [ms / 1000 for ms in alignment.starts_ms],
        "character_end_times_seconds": [ms / 1000 for ms in alignment.ends_ms],
    }
    audio = base64.b64encode(data).decode("ascii")
    told = aligned if alignment else None
    return {"audio_base64": audio, "alignment": told, "normalized_alignment": told}


def _describe(response: Response, live: LiveSpeech, ignored: list[str]) -> Response:
    report_ignored(response, ignored)
    response.headers["Cache-Control"] = "no-cache"
    if live.info.is_marked:
        response.headers["X-Digital-Source-Type"] = SOURCE_TYPE
    response.headers["X-Seed"] = str(live.info.seed)
    response.headers["X-Model"] = live.info.model
    response.headers["X-Sample-Rate"] = str(live.info.sample_rate_hz)
    return response
