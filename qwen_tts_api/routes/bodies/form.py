"""Parse forms, urlencoded and multipart/form-data, in bounded time.

werkzeug's streaming parser searches the headers of a multipart part again with each block: a file
name of 14 MB takes 8 seconds. Here the headers of a part and the number of parts are limited. Long
values are decoded in blocks, so that no call holds the GIL for long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from werkzeug.http import parse_options_header

from qwen_tts_api.names import shown
from qwen_tts_api.routes.bodies.strict_json import decode_blocks

MAX_FIELDS = 100
MAX_HEAD_BYTES = 8192
"""Maximum size of a multipart part's headers, as of a request's."""

_BLOCK = 1 << 16
_SEARCH_BLOCK = 1 << 22
_MAX_BOUNDARY_CANDIDATES = 1000
_AFTER_DELIMITER = re.compile(rb"(?:(--)|[ \t]{0,100}\r?\n)")
_BLANK_LINE = re.compile(rb"(?:\A|\r?\n)\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
# Those that leave a part as it is; RFC 7578, section 4.7, has no others.
_TRANSFER_ENCODINGS = ("", "7bit", "8bit", "binary")
# As werkzeug: with any other charset, or none, the text is UTF-8 or Windows-1252.
_CHARSETS = ("ascii", "us-ascii", "iso-8859-1")


@dataclass(frozen=True)
class Form:
    """The fields and files of a form by name; of several with the same name, the first.

    Attributes:
        fields: Text fields.
        files: Contents of files.
    """

    fields: dict[str, str]
    files: dict[str, bytes]


@dataclass(frozen=True)
class Part:
    """A part of a multipart body: a file or a text field."""

    name: str
    is_file: bool
    data: bytes
    charset: str = ""


def parse_urlencoded(encoded: bytes) -> dict[str, str]:
    """Parse a query string or an urlencoded form; the first value of a name counts.

    Raises:
        ValueError: There are too many.
    """
    if encoded.count(b"&") >= MAX_FIELDS:
        raise ValueError(f"it has more than {MAX_FIELDS} fields")
    fields: dict[str, str] = {}
    for pair in filter(None, encoded.split(b"&")):
        name, _, value = (decode(_unquote(part)) for part in pair.partition(b"="))
        fields.setdefault(name, value)
    return fields


def _unquote(encoded: bytes) -> bytes:
    """Percent-decode a name or value block by block."""
    decoded = []
    start = 0
    while start < len(encoded):
        end = start + _BLOCK
        # Not inside of %XX.
        cut = encoded.rfind(b"%", end - 2, end)
        end = cut if cut > start and end < len(encoded) else end
        decoded.append(unquote_to_bytes(encoded[start:end].replace(b"+", b" ")))
        start = end
    return b"".join(decoded)


def decode(data: bytes) -> str:
    r"""Decode a text as UTF-8 or, if that fails, as Windows-1252, which old clients send.

    >>> decode(b"Gr\xc3\xbc\xc3\x9fe"), decode(b"Gr\xfc\xdfe"), decode(b"\x80 5")
    ('Grüße', 'Grüße', '€ 5')
    """
    try:
        return decode_blocks(data, "utf-8", "strict")
    except UnicodeDecodeError:
        return decode_blocks(data, "cp1252", "replace")


def parse_multipart(body: bytes, boundary: bytes) -> Form:
    """Parse a multipart body into fields and files.

    Raises:
        ValueError: It is malformed, has no closing boundary, or too many parts.
    """
    form = Form({}, {})
    for part in split_multipart(body, boundary):
        if part.is_file:
            form.files.setdefault(part.name, part.data)
        else:
            charset = part.charset
            text = decode_blocks(part.data, charset, "replace") if charset else decode(part.data)
            form.fields.setdefault(part.name, text)
    return form


def split_multipart(body: bytes, boundary: bytes) -> Iterator[Part]:
    """Yield the parts of a multipart body (RFC 2046, 5.1.1); line ends may be LF, too.

    Raises:
        ValueError: It is malformed, has no closing boundary, or too many parts.
    """
    if not boundary:
        raise ValueError("its Content-Type names no boundary")
    begin = None  # of the current part
    for num, (start, end, is_last) in enumerate(_boundaries(body, b"--" + boundary)):
        if num > MAX_FIELDS:
            raise ValueError(f"it has more than {MAX_FIELDS} fields")
        if begin is not None:
            yield _read_part(body[begin:start])
        if is_last:
            return
        begin = end
    raise ValueError("it has no closing boundary")


def _boundaries(body: bytes, delimiter: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield start and end of each boundary line, and whether it is the closing one."""
    start = 0 if body.startswith(delimiter) else _find_line(body, delimiter, 0)
    for _ in range(_MAX_BOUNDARY_CANDIDATES):
        if start < 0:
            return
        after = _AFTER_DELIMITER.match(body, start + len(delimiter))
        if after is not None:
            yield start, after.end(), after[1] is not None
        start = _find_line(body, delimiter, start + len(delimiter))
    raise ValueError("too many of its lines look like boundaries")


def _find_line(body: bytes, delimiter: bytes, start: int) -> int:
    """Return the offset of the next line that begins with `delimiter`, or -1."""
    wanted = b"\n" + delimiter
    for begin in range(start, len(body), _SEARCH_BLOCK):
        found = body.find(wanted, begin, begin + _SEARCH_BLOCK + len(delimiter))
        if found >= 0:
            return found + 1
    return -1


def _read_part(content: bytes) -> Part:
    """Parse a part: all between two boundary lines, the last line end included."""
    blank = _BLANK_LINE.search(content, 0, MAX_HEAD_BYTES)
    if blank is None:
        raise ValueError(f"the head of a part has no end within {MAX_HEAD_BYTES} bytes")
    head = _FOLD.sub(b" ", content[: blank.start()]).decode("utf-8", "replace")
    headers = {
        name.strip().lower(): value.strip()
        # Not `splitlines`, which splits at U+0085 and U+2028, too.
        for name, _, value in (line.partition(":") for line in head.split("\n"))
    }
    _, disposition = parse_options_header(headers.get("content-disposition"))
    _, media_type = parse_options_header(headers.get("content-type"))
    if "name" not in disposition:
        raise ValueError("a part of it has no name")
    encoding = headers.get("content-transfer-encoding", "").lower()
    if encoding not in _TRANSFER_ENCODINGS:
        raise ValueError(
            f"a part of it is encoded ({shown(encoding)} in Content-Transfer-Encoding): send it as "
            "it is"
        )
    charset = media_type.get("charset", "").lower()
    return Part(
        name=disposition["name"],
        is_file="filename" in disposition,
        data=content[blank.end() :].removesuffix(b"\n").removesuffix(b"\r"),
        charset=charset if charset in _CHARSETS else "",
    )
