"""Parse untrusted JSON strictly, with limits, without holding the GIL for long.

The C scanner of `json` holds the GIL for the whole document: a second for 6 MB of `[],[],[]`. Its
scanner in Python releases it, and can count values. Strings, most of a typical request, are still
decoded in C, block by block. A document too short to break a limit is left to the C scanner, which
takes a fifth of the time.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from json import decoder, scanner
from typing import Any

from qwen_tts_api.files import refuse_constant

MAX_VALUES = 1000
MAX_NUMBER_CHARS = 400

_BLOCK = 1 << 16
_SHORT = 2 * MAX_VALUES
"""Characters of a document that cannot have more than MAX_VALUES values: each has a separator."""
_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LONG_NUMBER = re.compile(rf"[-+.0-9eE]{{{MAX_NUMBER_CHARS + 1}}}")

Scan = Callable[[str, int], tuple[Any, int]]


def parse(document: bytes | str) -> Any:
    """Parse a JSON document.

    Raises:
        ValueError: It is malformed, has NaN or infinity, is nested too deep, or has more than
            MAX_VALUES values or MAX_NUMBER_CHARS characters in a number.
    """
    if isinstance(document, bytes):
        document = decode_blocks(document, json.detect_encoding(document), "surrogatepass")
    is_short = len(document) <= _SHORT and not _LONG_NUMBER.search(document)
    try:
        return (_SHORT_DOCUMENTS if is_short else _Decoder()).decode(document)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def decode_blocks(data: bytes, charset: str, errors: str) -> str:
    """Decode a text block by block."""
    decoder = codecs.getincrementaldecoder(charset)(errors)
    blocks = range(0, len(data), _BLOCK)
    return "".join([decoder.decode(data[start : start + _BLOCK]) for start in blocks]) + (
        decoder.decode(b"", final=True)
    )


class _Decoder(json.JSONDecoder):
    """Decodes one document, and counts its values."""

    def __init__(self) -> None:
        super().__init__(
            parse_constant=refuse_constant,
        )
        self._num_left = MAX_VALUES
        self.parse_object, self.parse_array = self._object, self._array
        self.parse_string = _string
        self.scan_once = self._counted(scanner.py_make_scanner(self))  # type: ignore[attr-defined]

    def _object(self, start: tuple[str, int], strict: bool, scan: Scan, *hooks: Any) -> Any:
        return decoder.JSONObject(start, strict, self._counted(scan), *hooks)  # type: ignore[attr-defined]

    def _array(self, start: tuple[str, int], scan: Scan) -> Any:
        return decoder.JSONArray(start, self._counted(scan))  # type: ignore[attr-defined]

    def _counted(self, scan: Scan) -> Scan:
        def scan_counted(text: str, start: int) -> tuple[Any, int]:
            self._num_left -= 1
            if self._num_left < 0:
                raise ValueError(f"it has more than {MAX_VALUES} values")
            if _LONG_NUMBER.match(text, start):
                raise ValueError(f"it has a number of more than {MAX_NUMBER_CHARS} characters")
            return scan(text, start)

        return scan_counted


def _string(text: str, start: int, strict: bool = True) -> tuple[str, int]:
    """Decode the string that begins at `start`; return it and the offset behind its quote."""
    decoded = [""]
    while len(text) - start > _BLOCK:
        end = _end_of_block(text, start)
        try:
            block, read = decoder.scanstring(text[start:end] + '"', 0, strict)  # type: ignore[attr-defined]
        except json.JSONDecodeError as error:
            raise json.JSONDecodeError(error.msg, text, start + error.pos) from None
        _append(decoded, block)
        if read <= end - start:
            return "".join(decoded), start + read
        start = end
    block, end = decoder.scanstring(text, start, strict)  # type: ignore[attr-defined]
    _append(decoded, block)
    return "".join(decoded), end


def _end_of_block(text: str, start: int) -> int:
    r"""Return the end of the block that begins at `start`: not inside of an escape (`\u0041`)."""
    end = start + _BLOCK
    backslash = text.find("\\", end - 5, end)
    if backslash < 0:
        return end
    before = text[start:backslash]
    return backslash - (len(before) - len(before.rstrip("\\"))) % 2


def _append(decoded: list[str], block: str) -> None:
    """Append a block; join a surrogate pair that is split between it and the block before."""
    pair = decoded[-1][-1:] + block[:1]
    if _SURROGATE_PAIR.fullmatch(pair):
        decoded[-1] = decoded[-1][:-1]
        block = pair.encode("utf-16", "surrogatepass").decode("utf-16") + block[1:]
    decoded.append(block)


_SHORT_DOCUMENTS = json.JSONDecoder(parse_constant=refuse_constant)
