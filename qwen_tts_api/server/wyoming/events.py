"""Wyoming's events: framing on the wire, read with a bound on everything.

An event is a line of JSON, `{"type": ..., "data": {...}, "data_length": n, "payload_length": m}`,
then n bytes of JSON, an object that is merged into `data`, then m bytes. Only `type` is required.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from qwen_tts_api.errors import BodyTooLarge, InvalidRequest
from qwen_tts_api.names import shown
from qwen_tts_api.routes.bodies import strict_json

MAX_LINE_BYTES = 65_536
"""The limit of asyncio's streams, and so of the clients that read by them."""


@dataclass(frozen=True)
class Event:
    """One message, of either side.

    Attributes:
        type: What it is; unknown ones are ignored.
        data: Its fields.
        payload: Its bytes: samples, in an `audio-chunk`.
    """

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""

    def encode(self) -> bytes:
        """Return the bytes that are sent; the fields never in the line, whose length is limited."""
        head: dict[str, Any] = {"type": self.type}
        data = json.dumps(self.data).encode() if self.data else b""
        if data:
            head["data_length"] = len(data)
        if self.payload:
            head["payload_length"] = len(self.payload)
        return json.dumps(head).encode() + b"\n" + data + self.payload


class EventReader:
    """Reads the events of a client, whose payloads are skipped: nothing that it can ask has one.

    Args:
        receive: Returns the next bytes, b"" at the end; called with whether an event has begun.
        max_bytes: Of an event's data, and of its payload.
    """

    def __init__(self, receive: Callable[[bool], bytes], max_bytes: int) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._has_begun = False

    def read(self) -> Event | None:
        """Return the next event, or None where the client has left, be it in the middle of one.

        Raises:
            InvalidRequest: It is no event.
            BodyTooLarge: It is larger than allowed.
        """
        self._has_begun = bool(self._buffer)
        try:
            head = _parse_object(self._take_line(), "An event's line")
            data = {} if head.get("data") is None else head["data"]
            if not isinstance(head.get("type"), str) or not isinstance(data, dict):
                raise InvalidRequest("An event needs a string in 'type', and an object in 'data'.")
            data_length = self._read_length(head, "data_length")
            payload_length = self._read_length(head, "payload_length")
            if data_length:
                data |= _parse_object(self._take(data_length), "An event's data")
            self._skip(payload_length)
        except EOFError:
            return None
        return Event(head["type"], data)

    def _read_length(self, head: dict[str, Any], name: str) -> int:
        length = 0 if head.get(name) is None else head[name]
        if type(length) is not int or length < 0:
            raise InvalidRequest(f"{name!r} is {shown(length)}: it is a number of bytes.")
        if length > self._max_bytes:
            raise BodyTooLarge(
                f"{name!r} is {shown(length)}; allowed are up to {self._max_bytes} bytes "
                "(QWEN_MAX_BODY_BYTES)."
            )
        return length

    def _take_line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0 and len(self._buffer) <= MAX_LINE_BYTES:
            self._fill()
        if not 0 <= end <= MAX_LINE_BYTES:
            raise BodyTooLarge(
                f"An event's line is longer than {MAX_LINE_BYTES} bytes: is it Wyoming? Its data "
                "may follow the line ('data_length')."
            )
        return self._take(end + 1)

    def _take(self, num_bytes: int) -> bytes:
        while len(self._buffer) < num_bytes:
            self._fill()
        taken = bytes(self._buffer[:num_bytes])
        del self._buffer[:num_bytes]
        return taken

    def _skip(self, num_bytes: int) -> None:
        while len(self._buffer) < num_bytes:
            num_bytes -= len(self._buffer)
            self._buffer.clear()
            self._fill()
        del self._buffer[:num_bytes]

    def _fill(self) -> None:
        received = self._receive(self._has_begun)
        if not received:
            raise EOFError
        self._has_begun = True
        self._buffer += received


def _parse_object(text: bytes, what: str) -> dict[str, Any]:
    try:
        document = strict_json.parse(text.decode())
    except ValueError:  # of UTF-8, too
        document = None
    if not isinstance(document, dict):
        raise InvalidRequest(f"{what} is no JSON object: is it Wyoming?")
    return document
