"""JSON messages of WebSockets: objects, which have a `type` in most protocols."""

from __future__ import annotations

from typing import Any

from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.routes.bodies.body import parse_json
from qwen_tts_api.routes.live.framing import Message


def read_object(message: Message) -> dict[str, Any]:
    """Return a message.

    Raises:
        InvalidRequest: It is no JSON object in a text frame.
    """
    if isinstance(message, bytes):
        raise InvalidRequest("A binary message is not expected: send JSON in a text frame.")
    return parse_json(message.encode())


def read_message(message: Message) -> tuple[str, dict[str, Any]]:
    """Return the type of a message, and all of it.

    Raises:
        InvalidRequest: It is no JSON object with a `type`, in a text frame.
    """
    document = read_object(message)
    kind = document.get("type")
    if not isinstance(kind, str):
        raise InvalidRequest("'type' is missing, or no string.", fields={"type": ["Missing."]})
    return kind, document


def text_of(document: dict[str, Any]) -> str:
    """Return the `text` of a message.

    Raises:
        InvalidRequest: There is none, or it is no string.
    """
    text = document.get("text")
    if not isinstance(text, str):
        raise InvalidRequest("'text' is missing, or no string.", fields={"text": ["Missing."]})
    return text
