"""JSON of strangers: strict, no more of it than a request can mean, and read without a standstill.

The standard library's scanner in C holds every thread of the process until it is through: a second
for 6 MB of `[],[],[]`. Its scanner in Python lets others run and, since each value passes through
it, can stop. Strings are still read in C: those are most of a good request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json import decoder, scanner
from typing import Any, NoReturn

MAX_VALUES = 1000
MAX_NUMBER_CHARS = 400

_LONG_NUMBER = re.compile(rf"[-+.0-9eE]{{{MAX_NUMBER_CHARS + 1}}}")

Scan = Callable[[str, int], tuple[Any, int]]


def parse(document: bytes | str) -> Any:
    """Return the value that a JSON document consists of.

    Raises:
        ValueError: It is not strict JSON: malformed, NaN, or with more than is read.
    """
    if isinstance(document, bytes):
        document = document.decode(json.detect_encoding(document), "surrogatepass")
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


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
