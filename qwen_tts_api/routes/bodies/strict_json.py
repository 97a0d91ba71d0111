"""JSON of strangers: strict, no more of it than a request can mean, and read without a standstill.

The standard library's scanner in C holds every thread of the process until it is through: a second
for 6 MB of `[],[],[]`. Its scanner in Python lets others run and, since each value passes through
it, can stop. Strings are still read in C, block by block: those are most of a good request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json import decoder, scanner
from typing import Any, NoReturn

from qwen_tts_api.routes.bodies.form import decode_blocks

MAX_VALUES = 1000
MAX_NUMBER_CHARS = 400

_BLOCK = 1 << 16
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LONG_NUMBER = re.compile(rf"[-+.0-9eE]{{{MAX_NUMBER_CHARS + 1}}}")

Scan = Callable[[str, int], tuple[Any, int]]


def parse(document: bytes | str) -> Any:
    """Return the value that a JSON document consists of.

    Raises:
        ValueError: It is not strict JSON: malformed, NaN, or with more than is read.
    """
    if isinstance(document, bytes):
        document = decode_blocks(document, json.detect_encoding(document), "surrogatepass")
    try:
        return _Decoder().decode(document)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


class _Decoder(json.JSONDecoder):
    """Reads one document."""

    def __init__(self) -> None:
        super().__init__(
            parse_constant=_refuse_constant,
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
    """Return the string whose first character is at `start`, and where its quote ends."""
    parts = [""]
    while len(text) - start > _BLOCK:
        end = _end_of_block(text, start)
        try:
            part, read = decoder.scanstring(text[start:end] + '"', 0, strict)  # type: ignore[attr-defined]
        except json.JSONDecodeError as error:
            raise json.JSONDecodeError(error.msg, text, start + error.pos) from None
        _append(parts, part)
        if read <= end - start:
            return "".join(parts), start + read
        start = end
    part, end = decoder.scanstring(text, start, strict)  # type: ignore[attr-defined]
    _append(parts, part)
    return "".join(parts), end


def _end_of_block(text: str, start: int) -> int:
    r"""Return where a block ends that begins at `start`: not within an escape, as `\u0041` is."""
    end = start + _BLOCK
    backslash = text.find("\\", end - 5, end)
    if backslash < 0:
        return end
    before = text[start:backslash]
    return backslash - (len(before) - len(before.rstrip("\\"))) % 2


def _append(parts: list[str], part: str) -> None:
    """Append a block's characters; of two surrogates that are one character, one may be in each."""
    pair = parts[-1][-1:] + part[:1]
    if _PAIR.fullmatch(pair):
        parts[-1] = parts[-1][:-1]
        part = pair.encode("utf-16", "surrogatepass").decode("utf-16") + part[1:]
    parts.append(part)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
