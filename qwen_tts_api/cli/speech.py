"""Synthesis for `say`: by a server, or by a model in this process."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from qwen_tts_api.cli.client import ServerClient
from qwen_tts_api.cli.exits import EXIT_FAILED
from qwen_tts_api.cli.progress import ProgressLine
from qwen_tts_api.cli.settings import read_settings
from qwen_tts_api.errors import StartupError, TTSError

if TYPE_CHECKING:
    from qwen_tts_api.service.result import SpeechStream
    from qwen_tts_api.service.speech import SpeechService
    from qwen_tts_api.service.times.timed import Times

LOAD_POLL_S = 0.05
CLOSE_TIMEOUT_S = 1.0

# A process with one request needs no queue, and memory for few streams only.
LOCAL_DEFAULTS = {
    "QWEN_MAX_STREAMS": "4",
    "QWEN_MAX_TEXT_CHARS": "1000000",
    "QWEN_REQUEST_TIMEOUT_S": "86400",
}


@dataclass
class Answer:
    """Audio and its metadata.

    Attributes:
        chunks: Bytes of the audio file. Raises a click.ClickException if synthesis fails.
        seed: Reproduces the same audio.
        model: Name of the model; empty while it is not known.
        finish_reason: Why it ended (`X-Finish-Reason`), as far as that is known.
        times: When what is heard, behind the last chunk, if that was asked for.
    """

    chunks: Iterator[bytes]
    seed: str
    model: str
    finish_reason: str
    times: Times | None = None


Speak = Callable[[dict[str, Any]], AbstractContextManager[Answer]]
"""Speaks a document for `POST /api/tts`; leaving the block cancels it."""


@contextlib.contextmanager
def speak_by_server(client: ServerClient, document: dict[str, Any]) -> Iterator[Answer]:
    """Request speech from a server; leaving the block cancels the request.

    Args:
        client: Of the server.
        document: For `POST /api/tts`.

    Raises:
        click.ClickException: With the server's error message, or why there is no response.
    """
    with client.post("/api/tts", document) as response:
        answer = Answer(
            chunks=client.read_chunks(response),
            seed=response.headers.get("X-Seed", ""),
            model=response.headers.get("X-Model", ""),
            finish_reason=response.headers.get("X-Finish-Reason", ""),
        )
        if document.get("timestamps"):
            from qwen_tts_api.cli.times import read_lines

            answer.chunks = read_lines(answer.chunks, partial(setattr, answer, "times"))
        yield answer


@contextlib.contextmanager
def loaded_model(
    document: dict[str, Any], options: dict[str, str], progress: ProgressLine
) -> Iterator[Speak]:
    """Load a model into this process, and return what speaks with it.

    Args:
        document: Of the first request, which is checked before.
        options: Settings by `QWEN_*` name, which override the environment.
        progress: Shows the stages of loading.

    Raises:
        click.ClickException: The request is invalid.
        click.exceptions.Exit: The model cannot be loaded; the reason is on standard error.
    """
    from qwen_tts_api.routes.speech.schema import load_speech_request
    from qwen_tts_api.service.assembly import build_service

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    failures: list[StartupError] = []
    with _explained():
        load_speech_request(document)
    service = build_service(
        read_settings(options, LOCAL_DEFAULTS), on_startup_failure=failures.append
    )
    service.start()
    try:
        while not (status := service.status()).ready:
            progress.say(status.doing)
            if failures:
                raise click.exceptions.Exit(EXIT_FAILED)  # the engine has logged it
            time.sleep(LOAD_POLL_S)
        progress.say("speaking")
        yield partial(_speak_here, service)
    finally:
        service.close(CLOSE_TIMEOUT_S)


@contextlib.contextmanager
def _speak_here(service: SpeechService, document: dict[str, Any]) -> Iterator[Answer]:
    """Synthesize in this process.

    Raises:
        click.ClickException: The request is invalid, or synthesis fails.
    """
    from qwen_tts_api.routes.speech.schema import load_speech_request

    with _explained():
        request = load_speech_request(document)
        if request.stream:
            stream = service.stream(request)
            answer = Answer(iter(()), str(stream.info.seed), stream.info.model, "")
            answer.chunks = _explain_all(stream, answer)
        else:
            speech = service.synthesize(request)
            info, chunks = speech.info, iter([speech.data])
            answer = Answer(chunks, str(info.seed), info.model, info.finish_reason, speech.times)
    yield answer


def _explain_all(stream: SpeechStream, answer: Answer) -> Iterator[bytes]:
    with _explained():
        yield from stream
    answer.times = stream.progress.times


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except TTSError as error:
        raise click.ClickException(error.message) from error
