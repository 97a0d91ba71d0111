"""The speech of a text that is still being written, word by word, over a socket of the server.

The protocol is Qwen-TTS-Realtime (docs/api/live.md). A thread sends what comes; the samples that
are sent back are encoded here.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import json
import secrets
import threading
import time
from collections.abc import Generator, Iterator
from typing import IO, Any

import click
import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.connection import Connection

from qwen_tts_api.cli.client import ServerClient
from qwen_tts_api.cli.live.playback import Playback
from qwen_tts_api.cli.live.speech import OF_THE_WHOLE, choose_file
from qwen_tts_api.cli.live.text import READ_BYTES
from qwen_tts_api.cli.progress import ProgressLine
from qwen_tts_api.cli.speech import Answer
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.service.live.audio import LiveAudio
from qwen_tts_api.service.live.segment import LiveSegment
from qwen_tts_api.service.plan import PAUSES_S, RANDOM_SEED_BITS
from qwen_tts_api.service.text.sentences import Boundary
from qwen_tts_api.service.times.words import LETTERS_PER_S

PATH = "/api-ws/v1/realtime"
MAX_AHEAD_CHARS = 2000
"""How far the text may be ahead of its audio, which the server lets wait."""
CANCEL_S = 2.0
"""Timeout of the server's answer to a cancellation, which says how much was spoken."""

_NAMES = {
    **{"speaker": "voice", "language": "language_type", "instruct": "instructions"},
    "normalize": "enable_tn",
}
_NOT_OF_A_SESSION = ("ref_audio", "ref_text", "x_vector_only_mode")


class WordSpeech:
    """Sends a text as it comes, and takes its audio.

    Args:
        pipe: Has the text in UTF-8; its `read` returns what there is.
        socket: Of the server.
        document: For `POST /api/tts`, without the text.
        progress: Shows how long it takes from a word to its audio.
        in_real_time: Whether a player takes the audio.

    Attributes:
        answer: Its audio.
    """

    def __init__(
        self,
        pipe: IO[bytes],
        socket: Connection,
        document: dict[str, Any],
        progress: ProgressLine,
        *,
        in_real_time: bool,
    ) -> None:
        self._pipe = pipe
        self._socket = socket
        self._progress = progress
        output, tempo = choose_file(document)
        self._audio = LiveAudio(output, tempo=tempo, stream=True, per_segment=False)
        self._playback = Playback(self._audio, in_real_time=in_real_time)
        self._changed = threading.Condition()  # its lock guards what follows
        self._num_sent = self._num_done = 0
        self._asked_at = 0.0  # when text came that no audio has followed yet
        self._error: Exception | None = None
        self._response: LiveSegment | None = None  # what is being spoken
        seed = document.get("seed", secrets.randbits(RANDOM_SEED_BITS))
        own = {"seed": seed, "speech_rate": tempo}
        self._send("session.update", session={**_session(document), **own})
        self.answer = Answer(filter(None, self._chunks()), str(seed), "", "")

    def start(self) -> None:
        """Read the text, in a thread."""
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def stop(self) -> str:
        """Cancel what is being spoken; return how much of the text has been heard, in words."""
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            self._cancel()
        return self._playback.describe(self._num_sent)

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while data := self._pipe.read(READ_BYTES):
                self._append(decoder.decode(data))
            self._append(decoder.decode(b"", final=True))
        except UnicodeDecodeError as error:
            self._append(error.object[: error.start].decode())
            self._error = error
        except OSError as error:
            self._error = error
        with contextlib.suppress(ConnectionClosed):  # the other thread sees it, too
            self._send("session.finish")

    def _append(self, text: str) -> None:
        for start in range(0, len(text), MAX_AHEAD_CHARS):
            part = text[start : start + MAX_AHEAD_CHARS]
            with self._changed:
                self._changed.wait_for(lambda: self._num_ahead() <= MAX_AHEAD_CHARS)
                self._num_sent += len(part)
                self._asked_at = self._asked_at or time.monotonic()
            with contextlib.suppress(ConnectionClosed):
                self._send("input_text_buffer.append", text=part)

    def _num_ahead(self) -> int:
        spoken = round(self._audio.segment_samples / SAMPLE_RATE_HZ * LETTERS_PER_S)
        return self._num_sent - self._num_done - (spoken if self._response is not None else 0)

    def _chunks(self) -> Generator[bytes, None, None]:
        while (event := self._receive())["type"] != "session.finished":
            with self._changed:
                self._changed.notify_all()
            if event["type"] == "session.updated":
                _check_session(event["session"])
                self.answer.model = event["session"]["model"]
            elif event["type"] == "response.created":
                yield self._begin()
            elif event["type"] == "response.audio.delta":
                yield self._write(base64.b64decode(event["delta"]))
            elif event["type"] == "response.done":
                yield self._end(event["response"])
        if self._error is not None:
            raise click.ClickException(f"Reading the text failed: {self._error}.")
        if not self._audio.num_samples:
            raise click.ClickException("There is nothing to speak in the text.")
        yield self._audio.finish()

    def _begin(self) -> bytes:
        pause = self._audio.begin(self._num_done)
        self._response = LiveSegment("", self._num_done, self._num_sent, Boundary.SENTENCE)
        self._playback.begin(self._response)
        return pause

    def _write(self, data: bytes) -> bytes:
        if self._asked_at:
            self._progress.delay_s = time.monotonic() - self._asked_at
            self._asked_at = 0.0
        chunk = self._audio.write(np.frombuffer(data, "<i2"))
        self._playback.advance()
        return chunk

    def _end(self, response: dict[str, Any]) -> bytes:
        characters: int = response["usage"]["characters"]
        if self._response is not None:
            self._response.end = self._response.start + characters
        with self._changed:
            self._num_done += characters
            self._response = None
        rest = self._audio.end_segment(PAUSES_S[Boundary.SENTENCE])
        self._playback.advance()
        self._playback.end()
        return rest

    def _cancel(self) -> None:
        self._send("response.cancel")
        until = time.monotonic() + CANCEL_S
        while self._response is not None:
            event = json.loads(self._socket.recv(max(0.0, until - time.monotonic())))
            if event["type"] == "response.done":
                self._end(event["response"])

    def _receive(self) -> dict[str, Any]:
        try:
            event: dict[str, Any] = json.loads(self._socket.recv())
        except ConnectionClosed as closed:
            reason = closed.reason or "what came of its answer is not the whole"
            raise click.ClickException(f"The server closed the connection: {reason}.") from closed
        if event["type"] == "error":
            raise click.ClickException(event["error"]["message"])
        return event

    def _send(self, kind: str, **fields: object) -> None:
        self._socket.send(json.dumps({"type": kind, **fields}))


@contextlib.contextmanager
def speak_words(
    pipe: IO[bytes],
    client: ServerClient,
    document: dict[str, Any],
    progress: ProgressLine,
    *,
    in_real_time: bool,
) -> Iterator[Answer]:
    """Speak a text word by word; where that ends early, say how far it has been heard.

    Args:
        pipe, document, progress, in_real_time: As of `WordSpeech`.
        client: Of the server.

    Raises:
        click.ClickException: What `ServerClient.open_socket` raises, or the server's error.
    """
    with client.open_socket(PATH, model=document.get("model", "")) as socket:
        speech = WordSpeech(pipe, socket, document, progress, in_real_time=in_real_time)
        speech.start()
        try:
            yield speech.answer
        except (KeyboardInterrupt, click.ClickException):
            progress.stop(speech.stop())
            raise


def _check_session(session: dict[str, Any]) -> None:
    if ignored := session.get("ignored"):
        raise click.ClickException(
            f"{', '.join(ignored)} would be without effect here: leave it out."
        )


def _session(document: dict[str, Any]) -> dict[str, Any]:
    """Return the session of a document's fields.

    Raises:
        click.ClickException: One of them cannot be had word by word.
    """
    for name in _NOT_OF_A_SESSION:
        if name in document:
            raise click.ClickException(
                f"{name!r} cannot be had word by word: register the voice, and name it as speaker."
            )
    left_out = (*OF_THE_WHOLE, "model", "stream")
    given = {name: value for name, value in document.items() if name not in left_out}
    return {_NAMES.get(name, name): value for name, value in given.items()} | {
        "live_mode": "continuous"
    }
