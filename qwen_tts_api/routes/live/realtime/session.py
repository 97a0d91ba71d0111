"""One session of Qwen-TTS-Realtime: the client's events, and what each does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from qwen_tts_api.config import Config
from qwen_tts_api.errors import InvalidRequest, TextTooLong, TTSError
from qwen_tts_api.routes.live.json_message import read_message, text_of
from qwen_tts_api.routes.live.realtime.events import Event, error_event, event, new_id
from qwen_tts_api.routes.live.realtime.response import Response
from qwen_tts_api.routes.live.realtime.session_config import (
    COMMIT,
    DEFAULTS,
    FIELDS,
    find_model,
    read_session,
    speech_request,
)
from qwen_tts_api.routes.live.speech_queue import SpeechQueue, check_request
from qwen_tts_api.routes.live.websocket import WebSocket
from qwen_tts_api.service.speech import SpeechService

IDLE_S = 60.0
"""How long a session may be without an event, while nothing is spoken."""

PAUSE_S = 2.0
"""After how long without more text the server commits what there is, in `server_commit`."""


class RealtimeSession:
    """Speaks the protocol over one socket.

    Args:
        websocket: The socket.
        service: Speaks.
        config: The settings.
        model: The model's name in the request.
        count: Counts a response for the rate limit; raises RateLimited.
    """

    def __init__(
        self,
        websocket: WebSocket,
        service: SpeechService,
        config: Config,
        model: str,
        count: Callable[[], None],
    ) -> None:
        self._websocket = websocket
        self._service = service
        self._config = config
        self._requested_model = model
        self._model = ""
        self._count = count
        self._session: dict[str, Any] = dict(DEFAULTS)
        self._extra_fields: dict[str, Any] = {}
        self._id = new_id("sess")
        self._speech_queue = SpeechQueue(websocket)
        self._buffer = ""
        self._open: Response | None = None
        self._appended_at = 0.0
        self._has_begun = self._is_finished = False
        self._handlers: dict[str, Callable[[Event], None]] = {
            "session.update": self._update,
            "input_text_buffer.append": self._append,
            "input_text_buffer.commit": lambda _: self._commit(),
            "input_text_buffer.clear": lambda _: self._clear(),
            "response.cancel": lambda _: self._cancel(),
            "session.finish": lambda _: self._finish(),
        }

    def run(self) -> None:
        """Serve the client until it finishes or leaves.

        Raises:
            SocketClosed: The socket is closed, by whichever side.
            SocketIdle: The client is idle.
        """
        try:
            self._model = find_model(self._requested_model, self._service.models)
        except TTSError as error:
            self._send(error_event(error))
            self._websocket.close(1008, error.message)
            return
        self._websocket.idle_timeout_s = IDLE_S
        self._send(event("session.created", session=self._describe()))
        try:
            while True:
                self._receive()
        finally:
            self._speech_queue.close()

    def _receive(self) -> None:
        """Handle one event; commit the text of a client that pauses."""
        is_open = self._open is not None
        rest_s = self._appended_at + PAUSE_S - time.monotonic() if is_open else float("inf")
        message = self._websocket.receive(rest_s)
        document: Event = {}
        try:
            if message is None:
                self._close_open()
                return
            kind, document = read_message(message)
            handler = self._handlers.get(kind)
            if handler is None:
                raise InvalidRequest(
                    f"The type is {kind[:64]!r}; allowed are {', '.join(self._handlers)}.",
                    fields={"type": ["Unknown."]},
                )
            if self._is_finished:
                raise InvalidRequest("The session was finished: open another.")
            handler(document)
        except TTSError as error:
            self._send(error_event(error, document.get("event_id")))

    def _update(self, document: Event) -> None:
        if self._has_begun:
            raise InvalidRequest(
                "Session update error: session already started or finished or failed."
            )
        asked = document.get("session")
        if not isinstance(asked, dict):
            raise InvalidRequest(
                "'session' is missing, or no object.", fields={"session": ["Missing."]}
            )
        given, ignored = read_session(asked, strict=self._config.strict_parameters)
        session = self._session | given
        info = check_request(self._service, speech_request(session, self._model))
        self._session = session
        ignored += [FIELDS.get(name, name) for name in info.ignored] if info else []
        self._extra_fields = {"ignored": ignored} if ignored else {}
        if info is not None and "live_mode" in session:
            self._extra_fields["live_mode"] = info.mode  # not every model supports `continuous`
        self._send(event("session.updated", session=self._describe()))

    def _append(self, document: Event) -> None:
        text = text_of(document)
        self._has_begun = True
        if self._session["mode"] == COMMIT:
            if len(self._buffer) + len(text) > self._config.max_text_chars:
                raise TextTooLong(
                    f"The buffer would have more than {self._config.max_text_chars} characters "
                    "(QWEN_MAX_TEXT_CHARS): commit it first.",
                    fields={"text": ["Too long."]},
                )
            self._buffer += text
            return
        self._appended_at = time.monotonic()
        if self._open is not None and (self._open.live.is_over or self._is_full(self._open, text)):
            self._close_open()
        if self._open is None:
            if not text.strip():
                return
            self._open = self._respond(text)
        else:
            self._open.live.append(text)

    def _is_full(self, response: Response, text: str) -> bool:
        return response.live.num_characters + len(text) > self._config.max_text_chars

    def _commit(self) -> None:
        if self._session["mode"] == COMMIT:
            buffer, self._buffer = self._buffer, ""
            if not buffer.strip():
                raise _empty()
            self._respond(buffer).live.finish()
        elif self._open is None:
            raise _empty()
        else:
            self._close_open()

    def _clear(self) -> None:
        self._buffer = ""
        if self._open is not None:
            self._open.live.clear()
        self._send(event("input_text_buffer.cleared"))

    def _cancel(self) -> None:
        task = self._speech_queue.current
        if task is None:
            raise InvalidRequest("There is no response to cancel.")
        if self._open is not None and self._open.task is task:
            self._open = None
        task.cancel()

    def _finish(self) -> None:
        self._is_finished = True

        def end() -> None:
            self._send(event("session.finished"))
            self._websocket.close()

        try:
            if self._buffer.strip():
                self._commit()
            self._close_open()
        finally:  # even if the last text is refused
            self._speech_queue.add(end)

    def _respond(self, text: str) -> Response:
        """Queue a new response.

        Raises:
            TTSError: The text is refused, and nothing is queued.
        """
        self._count()
        request = replace(speech_request(self._session, self._model), text=text)
        live = self._service.live(request, self._websocket)
        response = Response(live, self._session["voice"], self._send)
        response.task = self._speech_queue.add(response.run, response.cancel)
        return response

    def _close_open(self) -> None:
        """Finish the open text, if there is one; it is spoken to its end."""
        response, self._open = self._open, None
        if response is not None:
            response.live.finish()

    def _describe(self) -> dict[str, Any]:
        model = self._requested_model or self._service.models.default
        return {
            "object": "realtime.session",
            "id": self._id,
            "model": model,
            **self._session,
            **self._extra_fields,
        }

    def _send(self, document: Event) -> None:
        self._websocket.send(json.dumps(document))


def _empty() -> InvalidRequest:
    return InvalidRequest(
        "The text buffer is empty: append text first.", fields={"text": ["Empty."]}
    )
