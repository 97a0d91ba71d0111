"""The bounds of a form: how many fields it has, how long the head of one is, and its encoding."""

from __future__ import annotations

import pytest

from qwen_tts_api.routes.bodies.form import (
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    parse_multipart,
    parse_urlencoded,
)


def part(name: str, more: str = "") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n{more}\r\n'
    return head.encode() + b"x\r\n"


def test_a_form_has_as_many_fields_as_it_may() -> None:
    fields = [f"f{number}=x" for number in range(MAX_FIELDS + 1)]
    assert len(parse_urlencoded("&".join(fields[1:]).encode())) == MAX_FIELDS
    with pytest.raises(ValueError, match=f"more than {MAX_FIELDS} fields"):
        parse_urlencoded("&".join(fields).encode())


def test_a_multipart_form_has_as_many_parts_as_it_may() -> None:
    parts = [part(f"f{number}") for number in range(MAX_FIELDS + 1)]
    assert len(parse_multipart(b"".join(parts[1:]) + b"--b--\r\n", b"b").fields) == MAX_FIELDS
    with pytest.raises(ValueError, match=f"more than {MAX_FIELDS} fields"):
        parse_multipart(b"".join(parts) + b"--b--\r\n", b"b")


def test_the_head_of_a_part_ends_soon() -> None:
    """A file's name of megabytes would be searched again and again."""
    fitting = part("a", "X: " + "y" * (MAX_HEAD_BYTES - 100) + "\r\n")
    assert parse_multipart(fitting + b"--b--\r\n", b"b").fields == {"a": "x"}
    longer = part("a", "X: " + "y" * MAX_HEAD_BYTES + "\r\n")
    with pytest.raises(ValueError, match="no end within"):
        parse_multipart(longer + b"--b--\r\n", b"b")


def test_a_part_that_is_encoded_is_refused() -> None:
    """Its letters of base64 would be spoken; binary, 7bit and 8bit are no encodings."""
    for encoding in ("base64", "Quoted-Printable", "x-gzip"):
        encoded = part("a", f"Content-Transfer-Encoding: {encoding}\r\n") + b"--b--\r\n"
        with pytest.raises(ValueError, match=f"'{encoding.lower()}' in Content-Transfer-Encoding"):
            parse_multipart(encoded, b"b")
    for encoding in ("binary", "7bit", "8BIT"):
        plain = part("a", f"Content-Transfer-Encoding: {encoding}\r\n") + b"--b--\r\n"
        assert parse_multipart(plain, b"b").fields == {"a": "x"}
