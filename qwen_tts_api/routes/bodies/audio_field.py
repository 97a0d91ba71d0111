"""The marshmallow field of a recording: base64, a data URL, or a file of a multipart form."""

from __future__ import annotations

import binascii
import re
import string
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

# A path or URL, for a better error message; it is never opened. Only short texts are tested, since
# base64 may begin with a slash, too.
_PATH_OR_URL = re.compile(r"([a-z][a-z0-9+.-]*:|/|\\|~|\.{1,2}/|[a-z]:\\)|.*\.\w{2,4}$", re.I)
_MAX_PATH_CHARS = 4096
_ALPHABET = (string.ascii_letters + string.digits + "+/").encode()
_WRAPPING = string.whitespace.encode()
_BLOCK_CHARS = 1 << 20
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.I)


class AudioField(fields.Field[bytes | None]):
    """The bytes of an audio file; None if empty."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> bytes | None:
        if isinstance(value, bytes):
            return value or None
        if not isinstance(value, str):
            raise ValidationError("Not a string of base64.")
        return _decode(value.strip()) or None


def _decode(text: str) -> bytes:
    data_url = _DATA_URL.match(text)
    try:
        return _decode_base64(text[data_url.end() :] if data_url else text)
    except ValueError:
        if len(text) <= _MAX_PATH_CHARS and not data_url and _PATH_OR_URL.match(text):
            raise ValidationError(
                "No path or URL from the network is opened: send the audio itself, as base64, a "
                "data URL (data:audio/wav;base64,...) or a file of a multipart form."
            ) from None
        raise ValidationError(
            "Not valid base64: send the audio as base64, a data URL "
            "(data:audio/wav;base64,...) or a file of a multipart form."
        ) from None


def _decode_base64(text: str) -> bytes:
    """Decode base64, with or without line breaks, block by block.

    Raises:
        ValueError: It is not valid base64.
    """
    decoded, rest = [], b""
    for start in range(0, len(text), _BLOCK_CHARS):
        rest += text[start : start + _BLOCK_CHARS].encode("ascii").translate(None, _WRAPPING)
        end = max(0, len(rest) - 4) // 4 * 4  # the last four may have padding
        decoded.append(binascii.a2b_base64(_checked(rest[:end])))
        rest = rest[end:]
    unpadded = _checked(rest.rstrip(b"="))
    if len(rest) % 4 or len(rest) - len(unpadded) > 2:
        raise ValueError("cut short")
    return b"".join([*decoded, binascii.a2b_base64(rest)])


def _checked(encoded: bytes) -> bytes:
    """Validate base64 without padding: Python 3.10 ignores invalid characters, or is slow."""
    if encoded.translate(None, _ALPHABET):
        raise ValueError("a character that base64 does not have")
    return encoded
