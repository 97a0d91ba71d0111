"""A recording in a request: base64, a data URL, or a file of a multipart form."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

# What would be a place to read from: never opened, wherever it leads. Only short texts are looked
# at, since base64 may begin with a slash, too.
_PLACE = re.compile(r"([a-z][a-z0-9+.-]*:|/|\\|~|\.{1,2}/|[a-z]:\\)|.*\.\w{2,4}$", re.I)
_MAX_PLACE_CHARS = 4096
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.I)


class AudioField(fields.Field[bytes | None]):
    """The bytes of an audio file. Empty means: none."""

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
    encoded = text[data_url.end() :] if data_url else text
    try:
        # Wrapped lines are allowed, any other foreign character is not.
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        if len(text) <= _MAX_PLACE_CHARS and not data_url and _PLACE.match(text):
            raise ValidationError(
                "No path or URL from the network is opened: send the audio itself, as base64, a "
                "data URL (data:audio/wav;base64,...) or a file of a multipart form."
            ) from None
        raise ValidationError(
            "Not valid base64: send the audio as base64, a data URL "
            "(data:audio/wav;base64,...) or a file of a multipart form."
        ) from None
