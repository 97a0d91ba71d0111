"""Synthesis for `say`: by a server, or by a model in this process."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from qwen_tts_api.cli.client import ServerClient
from qwen_tts_api.cli.exits import EXIT_FAILED
from qwen_tts_api.cli.progress import Progress
from qwen_tts_api.cli.settings import read_settings
from qwen_tts_api.errors import StartupError, TTSError

LOAD_POLL_S = 0.05
CLOSE_TIMEOUT_S = 1.0

# A process with one request needs no queue, and memory for few streams only.
LOCAL_DEFAULTS = {
    "QWEN_MAX_STREAMS": "4",
    "QWEN_MAX_TEXT_CHARS": "1000000",
    "QWEN_REQUEST_TIMEOUT_S": "86400",
}


@dataclass(frozen=True)
class Answer:
    """Audio and its metadata.

    Attributes:
        chunks: Bytes of the audio file. Raises a click.ClickException if synthesis fails.
        seed: Reproduces the same audio.
        model: Name of the model.
        is_cut: Whether the frame budget ended it, as far as that is known.
    """

    chunks: Iterator[bytes]
    seed: str
    model: str
    is_cut: bool


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
        yield Answer(
            chunks=client.read_chunks(response),
            seed=response.headers.get("X-Seed", ""),
            model=response.headers.get("X-Model", ""),
            is_cut=response.headers.get("X-Finish-Reason") == "length",
        )


@contextlib.contextmanager
def speak_here(
    document: dict[str, Any], options: dict[str, str], progress: Progress
) -> Iterator[Answer]:
    """Load the model into this process, and synthesize.

    Args:
        document: As for `POST /api/tts`.
        options: Settings by `QWEN_*` name, which override the environment.
        progress: Shows the stages of loading.

    Raises:
        click.ClickException: The request is invalid, or synthesis fails.
        click.exceptions.Exit: The model cannot be loaded; the reason is on standard error.
    """
    from qwen_tts_api.routes.speech.schema import load_speech_request
    from qwen_tts_api.service.assembly import build_service

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    failures: list[StartupError] = []
    with _explained():
        request = load_speech_request(document)
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
        with _explained():
            if request.stream:
                stream = service.stream(request)
                info = stream.info
                answer = Answer(_explain_all(stream), str(info.seed), info.model, False)
            else:
                speech = service.synthesize(request)
                info = speech.info
                is_cut = info.finish_reason == "length"
                answer = Answer(iter([speech.data]), str(info.seed), info.model, is_cut)
        yield answer
    finally:
        service.close(CLOSE_TIMEOUT_S)


def _explain_all(chunks: Iterator[bytes]) -> Iterator[bytes]:
    with _explained():
        yield from chunks


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except TTSError as error:
        raise click.ClickException(error.message) from error
