"""One session of `/v1/audio/speech/stream`: the client's messages, and what each does."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import replace

from qwen_tts_api.config import Config
from qwen_tts_api.errors import InvalidRequest, TextTooLong, TTSError
from qwen_tts_api.routes.apis.openai.names import FIELDS
from qwen_tts_api.routes.live.framing import Message
from qwen_tts_api.routes.live.json_message import read_message, text_of
from qwen_tts_api.routes.live.speech_queue import SpeechQueue, check_request
from qwen_tts_api.routes.live.speech_stream.stream_config import StreamConfig, read_config
from qwen_tts_api.routes.live.speech_stream.units import NONE, UnitSplitter
from qwen_tts_api.routes.live.speech_stream.utterance import (
    Document,
    Utterance,
    error_message,
)
from qwen_tts_api.routes.live.websocket import SocketIdle, WebSocket
from qwen_tts_api.service.live.speech import LiveSpeech
from qwen_tts_api.service.speech import SpeechService

CONFIG_S, IDLE_S = 10.0, 30.0
"""Timeouts of the first message, and of later ones while nothing is spoken."""

MAX_MESSAGE_BYTES = 131_072
"""The maximum size of any message but the configuration."""


class SpeechStreamSession:
    """Speaks the protocol over one socket.

    Args:
        websocket: The socket.
        service: Speaks.
        config: The settings.
        count: Counts an utterance for the rate limit; raises RateLimited.
    """

    def __init__(
        self,
        websocket: WebSocket,
        service: SpeechService,
        config: Config,
        count: Callable[[], None],
    ) -> None:
        self._websocket = websocket
        self._service = service
        self._config = config
        self._count = count
        self._id = f"sess_{uuid.uuid4().hex}"
        self._speech_queue = SpeechQueue(websocket)
        self._num_utterances = 0
        self._utterance: Utterance | None = None
        self._live: LiveSpeech | None = None
        self._stream_config: StreamConfig
        self._splitter: UnitSplitter
        self._is_over = False
        self._handlers: dict[str, Callable[[Document], None]] = {
            "session.config": self._configure_again,
            "input.text": self._append,
            "input.commit": lambda _: self._commit(),
            "input.done": lambda _: self._done(),
            "session.close": lambda _: self._end_session(),
        }

    def run(self) -> None:
        """Serve the client until it closes or leaves.

        Raises:
            SocketClosed: The socket is closed, by whichever side.
        """
        try:
            self._websocket.idle_timeout_s = CONFIG_S
            if self._begin():
                self._websocket.idle_timeout_s = IDLE_S
                while True:
                    self._receive()
        except SocketIdle:
            self._send({"type": "error", "message": "Nothing was sent for too long."})
            self._websocket.close(1001, "idle")
        finally:
            self._speech_queue.close()

    def _begin(self) -> bool:
        """Handle the first message; return whether it is a configuration."""
        message = self._websocket.receive()
        assert message is not None
        try:
            kind, document = read_message(message)
            if kind != "session.config":
                raise InvalidRequest("The first message has to be 'session.config'.")
            self._configure(document)
        except TTSError as error:
            self._send(error_message(error))
            self._websocket.close(1008, error.message)
            return False
        return True

    def _receive(self) -> None:
        message = self._websocket.receive()
        assert message is not None
        try:
            kind, document = read_message(message)
            if kind != "session.config" and len(message) > MAX_MESSAGE_BYTES:
                raise InvalidRequest(f"The message has more than {MAX_MESSAGE_BYTES} bytes.")
            handler = self._handlers.get(kind)
            if handler is None:
                raise InvalidRequest(
                    f"The type is {kind[:64]!r}; allowed are {', '.join(self._handlers)}."
                )
            if self._is_over:
                raise InvalidRequest("The session was closed: open another.")
            handler(document)
        except TTSError as error:
            self._send(error_message(error))

    def _configure(self, document: Document) -> None:
        config = read_config(document, self._service, self._config)
        info = check_request(self._service, config.speech)
        self._stream_config = config
        self._splitter = UnitSplitter(config.granularity)
        idle = [FIELDS.get(name, name) for name in info.ignored] if info else []
        self._send(
            {
                "type": "session.configured",
                "session_id": self._id,
                "response_format": config.speech.audio_format,
                "stream_audio": config.stream_audio,
                "split_granularity": config.granularity,
                "live_mode": info.mode if info else config.speech.live_mode,
                "ignored": [*config.ignored, *idle],
            }
        )

    def _configure_again(self, document: Document) -> None:
        if self._utterance is not None:
            raise InvalidRequest("An utterance is open: send 'input.done' before another config.")
        self._configure(document)

    def _append(self, document: Document) -> None:
        text = text_of(document)
        limit = self._config.max_text_chars
        if self._splitter.num_characters + len(text) > limit:
            raise TextTooLong(
                f"More than {limit} characters wait (QWEN_MAX_TEXT_CHARS): send 'input.done'."
            )
        self._open_utterance()
        if self._stream_config.by_word:
            self._open_live().append(text)
            return
        for unit in self._splitter.append(text):
            self._speak_unit(unit)

    def _commit(self) -> None:
        """Speak the buffered text; the utterance stays open."""
        utterance = self._open_utterance()
        self._speak_rest()

        def send_committed() -> None:
            self._send(
                {
                    "type": "input.committed",
                    "session_id": self._id,
                    "utterance_index": utterance.index,
                    "segment_index": utterance.num_units,
                    "segment_sentences": utterance.num_units,
                    "total_sentences": utterance.num_units,
                }
            )

        self._close_live()
        self._speech_queue.add(send_committed)

    def _done(self) -> None:
        """Speak the buffered text, and end the utterance."""
        utterance = self._open_utterance()
        config = self._stream_config

        def done() -> None:
            self._send(
                {
                    "type": "session.done",
                    "utterance_index": utterance.index,
                    "total_sentences": utterance.num_units,
                }
            )
            if config.is_wrapped:  # SGLang-Omni's clients wait for it
                self._websocket.close()

        try:
            self._speak_rest()
            self._close_live()
        finally:  # even if the last text is refused
            self._utterance = None
            self._num_utterances += 1
            self._is_over = config.is_wrapped
            self._speech_queue.add(done)

    def _end_session(self) -> None:
        self._is_over = True
        self._speech_queue.add(self._websocket.close)

    def _open_utterance(self) -> Utterance:
        if self._utterance is None:
            self._count()
            self._utterance = Utterance(self._num_utterances, self._stream_config, self._send)
        return self._utterance

    def _speak_rest(self) -> None:
        if not (text := self._splitter.flush()).strip():
            return
        if self._stream_config.granularity == NONE:
            self._speak_whole(text)
        else:
            self._speak_unit(text)

    def _speak_whole(self, text: str) -> None:
        utterance = self._utterance
        assert utterance is not None
        if self._stream_config.stream_audio:
            live = self._service.live(
                replace(self._stream_config.speech, text=text), self._websocket
            )
            live.finish()
            self._speech_queue.add(lambda: utterance.speak(live, text), live.cancel)
        else:
            self._speech_queue.add(
                lambda: utterance.speak_file(text, self._service, self._websocket)
            )

    def _speak_unit(self, text: str) -> None:
        live = self._open_live()
        live.append(text)
        live.flush()

    def _open_live(self) -> LiveSpeech:
        """Return the open live text, whose segments are units; open one if there is none."""
        if self._live is None or self._live.is_over:
            utterance = self._utterance
            assert utterance is not None
            live = self._service.live(self._stream_config.speech, self._websocket, per_segment=True)
            self._speech_queue.add(lambda: utterance.speak(live, ""), live.cancel)
            self._live = live
        return self._live

    def _close_live(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.finish()

    def _send(self, message: Message | Document) -> None:
        text = json.dumps(message) if isinstance(message, dict) else message
        self._websocket.send(text)
