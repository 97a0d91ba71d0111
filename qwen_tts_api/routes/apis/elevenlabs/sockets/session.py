"""The messages of a client: of one context (`stream-input`), or of several by name."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

from qwen_tts_api.errors import InvalidRequest, TTSError
from qwen_tts_api.routes.apis.elevenlabs.sockets.context import (
    Context,
    Contexts,
    Document,
    error_message,
)
from qwen_tts_api.routes.live.framing import Message
from qwen_tts_api.routes.live.json_message import read_object, text_of
from qwen_tts_api.routes.live.websocket import SocketIdle, WebSocket

DEFAULT_CONTEXT = "default"

MAX_NAME_CHARS = 256

OPENING = " "
"""The text of the message that opens a context, which is no part of what is spoken."""


class _Session(ABC):
    """Reads messages until the socket is closed.

    Args:
        websocket: The socket.
        contexts: Its texts.
    """

    def __init__(self, websocket: WebSocket, contexts: Contexts) -> None:
        self.websocket = websocket
        self.contexts = contexts

    def run(self) -> None:
        """Serve the client until it closes or leaves.

        Raises:
            SocketClosed: The socket is closed, by whichever side.
        """
        try:
            while True:
                message = self.websocket.receive()
                assert message is not None
                self._take(message)
        except SocketIdle:
            self._refuse(InvalidRequest("Nothing was sent for too long."), {})
        finally:
            self.contexts.close()

    @abstractmethod
    def take(self, document: Document) -> None:
        """Handle a message.

        Raises:
            TTSError: It cannot be done; the socket is closed with it.
        """

    def _take(self, message: Message) -> None:
        label: Document = {}
        try:
            document = read_object(message)
            label = {"contextId": name} if (name := document.get("context_id")) else {}
            self.take(document)
        except TTSError as error:
            self._refuse(error, label)

    def _refuse(self, error: TTSError, label: Document) -> None:
        """Send an error, and close: the client's view of the text is wrong from here on."""
        self.websocket.send(json.dumps({**error_message(error), **label}))
        self.websocket.close(1008, error.message)


class SingleSession(_Session):
    """`stream-input`: one text, which an empty one ends."""

    def __init__(self, websocket: WebSocket, contexts: Contexts) -> None:
        super().__init__(websocket, contexts)
        self._context: Context | None = None

    def take(self, document: Document) -> None:
        """Handle a part of the text.

        Raises:
            TTSError: It cannot be spoken.
        """
        text = text_of(document)
        if self._context is None:
            self._context = self.contexts.open(None, document.get("voice_settings"))
            self.contexts.close_when_over()
            self._context.live.append("" if text == OPENING else text)
        else:
            self._context.check_settings(document.get("voice_settings"))
            self._context.live.append(text)
        live = self._context.live
        if text == "":
            live.finish()
        elif flag(document, "flush"):
            live.flush()


class MultiSession(_Session):
    """`multi-stream-input`: several texts, each with a name, spoken beside each other."""

    def take(self, document: Document) -> None:
        """Handle a part of a text, or its end.

        Raises:
            TTSError: It cannot be spoken.
        """
        name = _name_of(document)
        text = "" if document.get("text") is None else text_of(document)
        context = self.contexts.find(name)
        if context is not None and document.get("voice_settings"):
            raise InvalidRequest(f"The context {name!r} is open: its settings are in its first.")
        if context is None and text:
            context = self.contexts.open(name, document.get("voice_settings"))
            text = "" if text == OPENING else text
        if context is not None:
            context.live.append(text)
            if flag(document, "flush"):
                context.live.flush()
            if flag(document, "close_context"):
                context.finish()
        elif flag(document, "close_context"):
            self.websocket.send(json.dumps({"contextId": name, "audio": None, "isFinal": True}))
        if flag(document, "close_socket"):
            self.contexts.finish()
            self.contexts.close_when_over()


def flag(document: Document, name: str) -> bool:
    """Return a switch of a message.

    Raises:
        InvalidRequest: It is neither true nor false.
    """
    value: Any = document.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise InvalidRequest(f"{name!r} has to be true or false.", fields={name: ["No boolean."]})


def _name_of(document: Document) -> str:
    name: Any = document.get("context_id")
    if name is None:
        return DEFAULT_CONTEXT
    if isinstance(name, str) and 0 < len(name) <= MAX_NAME_CHARS:
        return name
    raise InvalidRequest(
        f"'context_id' has to be a string of 1 to {MAX_NAME_CHARS} characters.",
        fields={"context_id": ["No usable name."]},
    )
