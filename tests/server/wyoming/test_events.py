"""An event is read whole or refused, wherever its bytes are cut, and nothing of it is unbounded."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
import wyoming.event

from qwen_tts_api.errors import BodyTooLarge, InvalidRequest
from qwen_tts_api.server.wyoming.events import MAX_LINE_BYTES, Event, EventReader
from tests.rows import for_each

MAX_BYTES = 1000


def reader_of(*parts: bytes) -> EventReader:
    """Return a reader that receives these parts, and then the end."""
    received: Iterator[bytes] = iter(parts)
    return EventReader(lambda has_begun: next(received, b""), MAX_BYTES)


def events_of(*parts: bytes) -> list[Event]:
    """Return all events in what is received."""
    reader = reader_of(*parts)
    return list(iter(reader.read, None))


CHUNK = wyoming.event.Event("synthesize-chunk", {"text": "Grüße, 世界. "})


def written(event: wyoming.event.Event) -> bytes:
    """Return what the official library sends."""
    stream = io.BytesIO()
    wyoming.event.write_event(event, stream)
    return stream.getvalue()


def test_what_the_official_library_sends_is_read_wherever_it_is_cut() -> None:
    """In two parts, byte by byte, and several events at once."""
    audio = wyoming.event.Event("audio-chunk", {"rate": 16000}, b"\0\1\n\n")
    data = written(CHUNK) + written(wyoming.event.Event("describe")) + written(audio)
    expected = [
        Event("synthesize-chunk", {"text": "Grüße, 世界. "}),
        Event("describe"),
        Event("audio-chunk", {"rate": 16000}),  # a client's payload is skipped
    ]
    assert events_of(data) == expected
    assert events_of(*(data[i : i + 1] for i in range(len(data)))) == expected
    for cut in range(1, len(data)):
        assert events_of(data[:cut], data[cut:]) == expected


def test_the_official_library_reads_what_is_sent() -> None:
    """Data in the second part: a long line would end its reader."""
    event = Event("info", {"tts": ["x" * MAX_LINE_BYTES, "ü", "\ud800"]}, b"\0\n\xff")
    sent = event.encode()
    assert len(sent.partition(b"\n")[0]) < 200
    read = wyoming.event.read_event(io.BytesIO(sent))
    assert read is not None
    assert (read.type, read.data, read.payload) == (event.type, event.data, event.payload)
    assert Event("ping").encode() == b'{"type": "ping"}\n'


def test_data_in_the_line_and_behind_it_are_one() -> None:
    """The latter goes before; null is as good as absent."""
    line = {"type": "x", "data": {"a": 1, "b": 1}, "data_length": 8, "payload_length": None}
    assert events_of(json.dumps(line).encode() + b'\n{"b": 2}') == [Event("x", {"a": 1, "b": 2})]
    assert events_of(b'{"type": "x", "data": null, "version": "1.10.2"}\n') == [Event("x")]


@for_each(
    "sent",
    [
        b"GET / HTTP/1.1\r\n",
        b"\n",
        b"\xff\xfe\n",
        b"[]\n",
        b"{}\n",
        b'{"type": 1}\n',
        b'{"type": "x", "data": {"a": NaN}}\n',
        b'{"type": "x", "data": {"a": [' + b"[]," * 2000 + b"[]]}}\n",
        b'{"type": "x", "data": []}\n{}',
        b'{"type": "x", "data": 1}\n',
        b'{"type": "x", "data_length": -1}\n',
        b'{"type": "x", "data_length": true}\n',
        b'{"type": "x", "data_length": 1.0}\n',
        b'{"type": "x", "payload_length": "1"}\n',
        b'{"type": "x", "data_length": 2}\n[]',
        b'{"type": "x", "data_length": 2}\n\xc3\x28',
        b'{"type": "x", "data":' + b"[" * 30_000 + b"\n",
    ],
)
def test_what_is_no_event_is_refused(sent: bytes) -> None:
    with pytest.raises(InvalidRequest):
        events_of(sent)


@for_each(
    "sent",
    [
        b"x" * (MAX_LINE_BYTES + 1),
        b'{"type": "' + b"x" * MAX_LINE_BYTES + b'"}\n',
        b'{"type": "x", "data_length": 1001}\n',
        b'{"type": "x", "payload_length": 1001}\n',
        b'{"type": "x", "payload_length": 1' + b"0" * 300 + b"}\n",
    ],
)
def test_what_is_too_large_is_refused_before_it_is_received(sent: bytes) -> None:
    reader = reader_of(sent)
    with pytest.raises(BodyTooLarge, match=r"allowed are up to|longer than"):
        reader.read()


@pytest.mark.parametrize("length", [1, 20, 40])
def test_a_client_that_leaves_in_the_middle(length: int) -> None:
    """It has asked for nothing."""
    assert events_of(written(CHUNK)[:length]) == []


def test_the_largest_event_is_read() -> None:
    """Data and payload of just the size that is allowed; the next event follows."""
    data = json.dumps({"text": "x" * (MAX_BYTES - 12)}).encode()
    assert len(data) == MAX_BYTES
    line = b'{"type": "x", "data_length": 1000, "payload_length": 1000}\n'
    sent = line + data + bytes(MAX_BYTES) + b'{"type": "y"}\n'
    assert [event.type for event in events_of(sent)] == ["x", "y"]


def test_whoever_waits_is_told_whether_an_event_has_begun() -> None:
    """The timeouts differ."""
    told = []
    parts = iter([b'{"type"', b': "x"}\n{"ty', b'pe": "y"}\n', b""])

    def receive(has_begun: bool) -> bytes:
        told.append(has_begun)
        return next(parts)

    reader = EventReader(receive, MAX_BYTES)
    assert [event.type for event in iter(reader.read, None)] == ["x", "y"]
    assert told == [False, True, True, False]
