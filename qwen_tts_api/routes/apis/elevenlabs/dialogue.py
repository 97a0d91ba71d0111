"""`POST /v1/text-to-dialogue`, and the paths below it: texts of several voices as one file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from flask import Blueprint, Response, g, request

from qwen_tts_api.config import Config
from qwen_tts_api.errors import InvalidRequest, TTSError
from qwen_tts_api.routes.apis.elevenlabs.alignment import Alignment, Alignments
from qwen_tts_api.routes.apis.elevenlabs.names import DIALOGUE_FIELDS, FIELDS, find_voice
from qwen_tts_api.routes.apis.elevenlabs.schema import DialogueSchema, OutputQuery
from qwen_tts_api.routes.apis.elevenlabs.speech import find_request, read_fields
from qwen_tts_api.routes.apis.elevenlabs.timestamps import SPOKEN, describe_audio, in_characters
from qwen_tts_api.routes.openapi.operations import Answer, Operation
from qwen_tts_api.routes.speech import response
from qwen_tts_api.routes.speech.timed import LINES_TYPE, NATIVE
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.speech import SpeechService
from qwen_tts_api.service.text.script.turns import Turn

_SCHEMA = DialogueSchema()

_AUDIO = response.speech_answer("The audio.")
_TIMED = {**SPOKEN, "description": f"{SPOKEN['description']} And `voice_segments`."}

_ROUTES = {
    "": ("Speak texts of several voices", _AUDIO),
    "/stream": ("Speak texts of several voices as they are made", _AUDIO),
    "/with-timestamps": (
        "Speak texts of several voices, with the time of each character",
        Answer("The audio, when each character is heard, and who says it.", _TIMED),
    ),
    "/stream/with-timestamps": (
        "Speak texts of several voices as they are made, with the time of each character",
        Answer("A JSON object a line, as in `/with-timestamps`.", _TIMED, [LINES_TYPE]),
    ),
}
"""Summaries and answers, by what follows the path."""


def add_routes(routes: Blueprint, config: Config, service: SpeechService) -> None:
    """Add the routes of dialogues."""
    for suffix, (summary, answer) in _ROUTES.items():

        @Operation(
            f"{summary}: ElevenLabs-compatible",
            tag="elevenlabs",
            method="POST",
            query=OutputQuery,
            body={"application/json": DialogueSchema},
            example={
                "inputs": [
                    {"text": "Are you there?", "voice_id": "Ryan"},
                    {"text": "I am.", "voice_id": "Serena"},
                ]
            },
            answers={200: answer},
            errors=(TTSError,),
            error_schema="ElevenLabsError",
        )
        def respond(suffix: str = suffix) -> Response:
            g.field_names = DIALOGUE_FIELDS
            asked, voice_ids, ignored = _read_request(config, service)
            asked = replace(asked, stream=suffix.startswith("/stream"))
            body = NATIVE
            if suffix.endswith("with-timestamps"):
                asked = replace(asked, timestamps=True)
                body = in_characters(asked, VoiceSegments(asked.turns, voice_ids).describe)
            return response.synthesize(service, asked, request, ignored, DIALOGUE_FIELDS, body)

        path = f"/v1/text-to-dialogue{suffix}"
        routes.add_url_rule(path, f"dialogue{suffix}", respond, methods=["POST"])


class VoiceSegments:
    """Finds the speakers of the characters in successive alignments.

    Args:
        turns: Whose texts are aligned, one behind the other.
        voice_ids: Of each, as the client has it.
    """

    def __init__(self, turns: Sequence[Turn], voice_ids: Sequence[str]) -> None:
        self._ends = list(itertools.accumulate(len(turn.text) for turn in turns))
        self._voice_ids = voice_ids
        self._num_written = 0

    def describe(self, data: bytes, alignments: Alignments) -> dict[str, Any]:
        """Return ElevenLabs' object of audio with timestamps of a dialogue."""
        segments = list(self._segments(alignments.written))
        self._num_written += len(alignments.written.characters)
        return {**describe_audio(data, alignments), "voice_segments": segments}

    def _segments(self, alignment: Alignment) -> Iterator[dict[str, Any]]:
        length = len(alignment.characters)
        begin = 0
        for index, (end, voice_id) in enumerate(zip(self._ends, self._voice_ids, strict=True)):
            until = min(end - self._num_written, length)
            if until <= begin:
                continue
            yield {
                "voice_id": voice_id,
                "start_time_seconds": alignment.starts_ms[begin] / 1000,
                "end_time_seconds": alignment.ends_ms[until - 1] / 1000,
                "character_start_index": begin,
                "character_end_index": until,
                "dialogue_input_index": index,
            }
            begin = until


def _read_request(
    config: Config, service: SpeechService
) -> tuple[SpeechRequest, list[str], list[str]]:
    """Return the request, the voices as the client has them, and names of ignored fields.

    Raises:
        InvalidRequest: A field is missing or wrong.
    """
    asked, ignored = read_fields(_SCHEMA, request, config)
    if not asked.turns:
        raise InvalidRequest(
            "'inputs' is missing or empty: it is a list of texts, each with its voice_id.",
            fields={"inputs": ["Missing or empty."]},
        )
    output_format = request.args.get("output_format", "")
    wanted, _ = find_request(asked, "default", output_format, config, service)
    voice_ids = [turn.speaker for turn in asked.turns]
    is_taken = partial(service.voices.is_taken, model=wanted.model)
    found = [find_voice(voice_id, is_taken) for voice_id in voice_ids]
    if None in found and wanted.lenient:  # else they are refused
        ignored = [*ignored, FIELDS["speaker"]]
        found = [voice or "" for voice in found]
    turns = tuple(
        replace(turn, speaker=turn.speaker if voice is None else voice)
        for turn, voice in zip(asked.turns, found, strict=True)
    )
    return replace(wanted, turns=turns, break_tags=True), voice_ids, ignored
