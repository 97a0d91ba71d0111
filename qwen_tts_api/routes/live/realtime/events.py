"""The events that the server sends in Qwen-TTS-Realtime, as JSON objects."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from typing import Any

from qwen_tts_api.errors import TTSError
from qwen_tts_api.routes.errors import error_type
from qwen_tts_api.routes.live.realtime.session_config import FIELDS

MAX_DELTA_BYTES = 98_304
"""Of audio in one event: 128 KiB in base64, where clients take no message above 256 KiB. Even, so
that each has whole samples."""

Event = dict[str, Any]


def new_id(kind: str) -> str:
    """Return an id that nothing else has."""
    return f"{kind}_{uuid.uuid4().hex}"


def event(kind: str, **fields: Any) -> Event:
    """Return an event with an id of its own."""
    return {"event_id": new_id("event"), "type": kind, **fields}


def error_event(error: TTSError, client_event_id: object = None) -> Event:
    """Return the event for an error, which does not end the session."""
    fields = error.fields_in(FIELDS) or {}
    return event(
        "error",
        error={
            "type": error_type(error.status),
            "code": "invalid_value" if error.code == "invalid_request" else error.code,
            "message": error.message_in(FIELDS),
            "param": next(iter(fields), None),
            "event_id": client_event_id if isinstance(client_event_id, str) else None,
        },
    )


class ResponseEvents:
    """The events of one response, in their order, with the same ids throughout.

    Args:
        voice: As the session has it.

    Attributes:
        item_id: Of its only item.
        has_begun: Whether `begin` was called.
    """

    def __init__(self, voice: str) -> None:
        self._voice = voice
        self._id = new_id("resp")
        self.item_id = new_id("item")
        self.has_begun = False

    def begin(self) -> Iterator[Event]:
        """Yield the events before the first audio."""
        self.has_begun = True
        yield event("input_text_buffer.committed", item_id=self.item_id)
        yield event("response.created", response=self._response("in_progress", []))
        yield event(
            "response.output_item.added",
            response_id=self._id,
            output_index=0,
            item=self._item("in_progress", []),
        )
        yield self._content("response.content_part.added", part=_PART)

    def audio(self, data: bytes) -> Iterator[Event]:
        """Yield the events with the next bytes of audio."""
        for start in range(0, len(data), MAX_DELTA_BYTES):
            delta = base64.b64encode(data[start : start + MAX_DELTA_BYTES]).decode()
            yield self._content("response.audio.delta", delta=delta)

    def end(
        self, status: str, num_characters: int, details: dict[str, Any] | None = None
    ) -> Iterator[Event]:
        """Yield the events behind the last audio.

        Args:
            status: `completed`, `cancelled` or `failed`.
            num_characters: Of the text; of what was spoken of it, if it was cancelled.
            details: Why it was not completed.
        """
        item_status = "completed" if status == "completed" else "incomplete"
        item = self._item(item_status, [_PART])
        yield self._content("response.audio.done")
        yield self._content("response.content_part.done", part=_PART)
        yield event("response.output_item.done", response_id=self._id, output_index=0, item=item)
        response = self._response(status, [item])
        response["usage"] = {"characters": num_characters}
        if details is not None:
            response["status_details"] = details
        yield event("response.done", response=response)

    def _response(self, status: str, output: list[Event]) -> Event:
        return {
            "id": self._id,
            "object": "realtime.response",
            "status": status,
            "modalities": ["audio"],
            "voice": self._voice,
            "output": output,
        }

    def _item(self, status: str, content: list[Event]) -> Event:
        return {
            "id": self.item_id,
            "object": "realtime.item",
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        }

    def _content(self, kind: str, **fields: Any) -> Event:
        ids = {"response_id": self._id, "item_id": self.item_id}
        return event(kind, **ids, output_index=0, content_index=0, **fields)


_PART = {"type": "audio", "text": ""}
