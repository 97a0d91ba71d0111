"""`/with-timestamps` and `/stream/with-timestamps`: audio in JSON, with each character's time."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request

from qwen_tts_api.config import Config
from qwen_tts_api.routes.apis.elevenlabs.alignment import Aligner, Alignment, Alignments
from qwen_tts_api.routes.apis.elevenlabs.names import FIELDS
from qwen_tts_api.routes.apis.elevenlabs.speech import describe_operation, read_request
from qwen_tts_api.routes.openapi.operations import Answer
from qwen_tts_api.routes.speech.response import synthesize
from qwen_tts_api.routes.speech.timed import LINES_TYPE, TimedBody, TimedLines, line
from qwen_tts_api.service.live.events import AudioChunk, Ended, SegmentEnded
from qwen_tts_api.service.live.speech import LiveSpeech
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.result import Speech, SpeechStream
from qwen_tts_api.service.speech import SpeechService

Describe = Callable[[bytes, Alignments], dict[str, Any]]

SPOKEN = {"type": "object", "description": "`audio_base64`, `alignment`, `normalized_alignment`."}


def add_routes(routes: Blueprint, config: Config, service: SpeechService) -> None:
    """Add the routes of speech with timestamps."""

    def respond(voice_id: str, *, stream: bool) -> Response:
        asked, ignored = read_request(voice_id, request, config, service)
        asked = replace(asked, stream=stream, timestamps=True)
        return synthesize(service, asked, request, ignored, FIELDS, in_characters(asked))

    @routes.post("/v1/text-to-speech/<voice_id>/with-timestamps")
    @describe_operation(
        "Speak a text, with the time of each character: ElevenLabs-compatible",
        Answer("The audio and when each character is heard.", SPOKEN),
    )
    def convert_with_timestamps(voice_id: str) -> Response:
        return respond(voice_id, stream=False)

    @routes.post("/v1/text-to-speech/<voice_id>/stream/with-timestamps")
    @describe_operation(
        "Speak a text as it is made, with the time of each character: ElevenLabs-compatible",
        Answer("A JSON object a line, as in `/with-timestamps`.", SPOKEN, [LINES_TYPE]),
    )
    def stream_with_timestamps(voice_id: str) -> Response:
        return respond(voice_id, stream=True)


def in_characters(asked: SpeechRequest, describe: Describe | None = None) -> TimedBody:
    """Return how ElevenLabs writes the audio of a request, with the times of its characters.

    Args:
        asked: The request.
        describe: Returns the object of a chunk of audio and its alignments; called in order.
    """
    describe = describe or describe_audio
    text = asked.written_text
    aligner = Aligner(lambda start, end: text[start:end])

    def whole(speech: Speech) -> bytes:
        assert speech.times is not None
        for segment in speech.times.segments:
            aligner.end(segment)
        aligner.finish(len(text), 1000 * speech.times.duration_s)
        return line(describe(speech.data, aligner.take()))

    def lines(stream: SpeechStream) -> TimedLines:
        num_ended = 0

        def describe_chunk(data: bytes | None) -> list[dict[str, Any]]:
            nonlocal num_ended
            times, expected = stream.progress.times, stream.progress.expected
            assert times is not None
            for segment in times.segments[num_ended:]:
                aligner.end(segment)
            num_ended = len(times.segments)
            if expected is not None:
                aligner.expect(expected, 1000 * times.duration_s)
            if data is None:
                aligner.finish(len(text), 1000 * times.duration_s)
            alignments = aligner.take()
            return [describe(data or b"", alignments)] if data or any(alignments) else []

        return TimedLines(stream, describe_chunk)

    return TimedBody(whole, lines)


def spoken(live: LiveSpeech) -> Generator[tuple[bytes, Alignments], None, None]:
    """Yield the audio of a text that arrives, each part with the characters that end in it.

    Closing it cancels the work.

    Args:
        live: The text, with timestamps.

    Raises:
        TTSError: What `LiveSpeech.events` raises.
    """
    aligner = Aligner(live.read)
    with contextlib.closing(live.events()) as events:
        for event in events:
            if isinstance(event, AudioChunk):
                if live.expected is not None:
                    aligner.expect(live.expected, live.milliseconds)
                yield event.data, aligner.take()
            elif isinstance(event, SegmentEnded) and event.times is not None:
                aligner.end(event.times)
            elif isinstance(event, Ended) and event.finish_reason != "cancelled":
                aligner.finish(live.num_characters, live.milliseconds)
    if any(rest := aligner.take()):
        yield b"", rest


def describe_audio(data: bytes, alignments: Alignments) -> dict[str, Any]:
    """Return ElevenLabs' object of audio with timestamps, from the beginning of all audio."""
    return {
        "audio_base64": base64.b64encode(data).decode("ascii"),
        "alignment": _describe(alignments.written),
        "normalized_alignment": _describe(alignments.spoken),
    }


def _describe(alignment: Alignment) -> dict[str, Any] | None:
    if not alignment:
        return None
    return {
        "characters": alignment.characters,
        "character_start_times_seconds": [ms / 1000 for ms in alignment.starts_ms],
        "character_end_times_seconds": [ms / 1000 for ms in alignment.ends_ms],
    }
