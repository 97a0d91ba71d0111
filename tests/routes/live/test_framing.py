"""Messages of frames, in any cut; what breaks a rule ends the socket, with that rule's code."""

from __future__ import annotations

import random
import struct
import zlib

from qwen_tts_api.routes.live.framing import MAX_FRAGMENTS, MAX_REASON_BYTES, Framing
from tests.rows import for_each

LIMIT = 1000
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode: int, data: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """Return a client's frame, with the mask 0."""
    size = len(data)
    if size < 126:
        head = struct.pack("!BB", fin << 7 | rsv << 4 | opcode, 0x80 | size)
    else:
        head = struct.pack("!BBH", fin << 7 | rsv << 4 | opcode, 0x80 | 126, size)
    return head + bytes(4) + data


MESSAGES = (
    frame(TEXT, "Hi ☂".encode())
    + frame(BINARY, b"\0\xff")
    + frame(TEXT, b"a", fin=False)
    + frame(PING, b"p")
    + frame(CONT, b"b")
    + frame(PONG)
    + frame(TEXT)
)


@for_each("size", [1, 2, 3, 7, 1000])
def test_the_cut_of_the_bytes_changes_nothing(size: int) -> None:
    framing = Framing(LIMIT)
    messages = [
        message
        for start in range(0, len(MESSAGES), size)
        for message in framing.receive(MESSAGES[start : start + size])
    ]
    assert messages == ["Hi ☂", b"\0\xff", "ab", ""]
    assert framing.take_output() == b"\x8a\x01p"
    assert (framing.num_frames, framing.num_pongs) == (7, 1)
    assert framing.is_open


def compressed(text: bytes) -> bytes:
    """Return a frame as permessage-deflate would have it."""
    packer = zlib.compressobj(wbits=-15)
    return frame(TEXT, packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)[:-4], rsv=4)


@for_each(
    ("data", "code"),
    [
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"\xc3", fin=False) + frame(CONT, b"("), 1007),
        (frame(TEXT, bytes(LIMIT + 1)), 1009),
        (frame(TEXT, bytes(LIMIT), fin=False) + frame(CONT, b"x"), 1009),
        (struct.pack("!BBQ", 0x81, 0xFF, 1 << 62), 1009),
        (frame(TEXT, b"", fin=False) + frame(CONT, fin=False) * MAX_FRAGMENTS, 1008),
        (compressed(b"0" * 100_000), 1002),
        (frame(CONT, b"x"), 1002),
        (frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), 1002),
        (frame(PING, bytes(126)), 1002),
        (frame(PING, fin=False), 1002),
        (frame(3), 1002),
        (b"\x81\x01x", 1002),  # without a mask
        (frame(CLOSE, b"x"), 1002),
        (frame(CLOSE, struct.pack("!H", 999)), 1002),
        (frame(CLOSE, struct.pack("!H", 1000)), 1000),
        (frame(CLOSE), 1005),
    ],
)
def test_what_breaks_a_rule_ends_it(data: bytes, code: int) -> None:
    """Then, and after a goodbye, nothing is read or sent any more."""
    framing = Framing(LIMIT)
    assert framing.receive(data) == []
    assert (framing.is_open, framing.is_over, framing.close_code) == (False, True, code)
    assert framing.take_output()[:1] == b"\x88"
    assert framing.receive(MESSAGES) == []
    framing.send("more")
    framing.ping()
    framing.close(1000)
    framing.receive_eof()
    assert framing.take_output() == b""


def test_a_message_before_the_end_is_not_lost() -> None:
    assert Framing(LIMIT).receive(frame(TEXT, b"hi") + b"\xff") == ["hi"]


def test_a_lost_connection_is_no_goodbye() -> None:
    framing = Framing(LIMIT)
    framing.receive_eof()
    assert (framing.is_open, framing.close_code) == (False, 1006)


def test_a_reason_is_cut_between_characters() -> None:
    framing = Framing(LIMIT)
    framing.close(1008, "é" * 100)
    assert framing.take_output()[4:].decode() == "é" * (MAX_REASON_BYTES // 2)


def test_no_bytes_make_it_fail() -> None:
    """Neither random ones nor frames with random faults raise, and memory stays bounded."""
    chance = random.Random(1)
    for _ in range(300):
        framing = Framing(LIMIT)
        data = bytearray(MESSAGES * 3)
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        for start in range(0, len(data), 50):
            framing.receive(bytes(data[start : start + 50]))
        framing.receive_eof()
        assert not framing.is_open
