"""Forms of strangers, urlencoded and multipart: bodies that are in memory, bounded, and may be bad.

werkzeug's parser reads them as they come, for which it looks at the head of a part again with each
block: 14 MB of a file's name take it 8 seconds. Here a part's head has a limit, and so has the
number of parts, before anything is made of them.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from werkzeug.http import parse_options_header

MAX_FIELDS = 100
MAX_HEAD_BYTES = 8192
"""Of a part, as of a request's own headers."""

_BLOCK = 1 << 16
_SEARCHED = 1 << 22
_MAX_LOOKALIKES = 1000
_AFTER_MARK = re.compile(rb"(?:(--)|[ \t]{0,100}\r?\n)")
_BLANK_LINE = re.compile(rb"(?:\A|\r?\n)\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
# As werkzeug has them: with others, and without one, a text is decoded by what it looks like.
_CHARSETS = ("ascii", "us-ascii", "iso-8859-1")


@dataclass(frozen=True)
class Form:
    """What a form has; of fields with the same name the first one counts.

    Attributes:
        fields: Texts by name.
        files: Bytes by name.
    """

    fields: dict[str, str]
    files: dict[str, bytes]


@dataclass(frozen=True)
class Part:
    """A part of a multipart body; one that is no file is a text."""

    name: str
    is_file: bool
    data: bytes
    charset: str = ""


def parse_urlencoded(encoded: bytes) -> dict[str, str]:
    """Return the parameters of a query or form; of those with the same name the first one counts.

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
    """Undo the encoding of a name or value, block by block: other threads run between them."""
    pieces = []
    start = 0
    while start < len(encoded):
        end = start + _BLOCK
        # A block does not end within %XX.
        cut = encoded.rfind(b"%", end - 2, end)
        end = cut if cut > start and end < len(encoded) else end
        pieces.append(unquote_to_bytes(encoded[start:end].replace(b"+", b" ")))
        start = end
    return b"".join(pieces)


def decode(data: bytes) -> str:
    r"""Return a text that is UTF-8 or, if it is not, Windows-1252.

    Old clients send that, and say nothing of it.

    >>> decode(b"Gr\xc3\xbc\xc3\x9fe"), decode(b"Gr\xfc\xdfe"), decode(b"\x80 5")
    ('Grüße', 'Grüße', '€ 5')
    """
    try:
        return decode_blocks(data, "utf-8", "strict")
    except UnicodeDecodeError:
        return decode_blocks(data, "cp1252", "replace")


def decode_blocks(data: bytes, charset: str, errors: str) -> str:
    """Decode a text block by block: other threads run between them."""
    decoder = codecs.getincrementaldecoder(charset)(errors)
    blocks = range(0, len(data), _BLOCK)
    return "".join([decoder.decode(data[start : start + _BLOCK]) for start in blocks]) + (
        decoder.decode(b"", final=True)
    )


def parse_multipart(body: bytes, boundary: bytes) -> Form:
    """Return the fields and files of a multipart body.

    Raises:
        ValueError: It is malformed, has no end, or too many parts.
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
    """Yield the parts of a multipart body (RFC 2046, 5.1.1; lines may also end in LF alone).

    Raises:
        ValueError: It is malformed, has no end, or too many parts.
    """
    if not boundary:
        raise ValueError("its Content-Type names no boundary")
    begin = None  # of the part that the next boundary ends
    for num, (start, end, is_last) in enumerate(_boundaries(body, b"--" + boundary)):
        if num > MAX_FIELDS:
            raise ValueError(f"it has more than {MAX_FIELDS} fields")
        if begin is not None:
            yield _read_part(body[begin:start])
        if is_last:
            return
        begin = end
    raise ValueError("it has no closing boundary")


def _boundaries(body: bytes, mark: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield where each line of a boundary starts and ends, and whether it is the closing one."""
    start = 0 if body.startswith(mark) else _find_line(body, mark, 0)
    for _ in range(_MAX_LOOKALIKES):
        if start < 0:
            return
        after = _AFTER_MARK.match(body, start + len(mark))
        if after is not None:
            yield start, after.end(), after[1] is not None
        start = _find_line(body, mark, start + len(mark))
    raise ValueError("too many of its lines look like boundaries")


def _find_line(body: bytes, mark: bytes, start: int) -> int:
    """Return where the next line begins that begins with a mark; -1: nowhere.

    It is searched for block by block: other threads run between them.
    """
    wanted = b"\n" + mark
    for begin in range(start, len(body), _SEARCHED):
        found = body.find(wanted, begin, begin + _SEARCHED + len(mark))
        if found >= 0:
            return found + 1
    return -1


def _read_part(content: bytes) -> Part:
    """Return what stands between two boundaries, the line end before the second included."""
    blank = _BLANK_LINE.search(content, 0, MAX_HEAD_BYTES)
    if blank is None:
        raise ValueError(f"the head of a part has no end within {MAX_HEAD_BYTES} bytes")
    head = _FOLD.sub(b" ", content[: blank.start()]).decode("utf-8", "replace")
    headers = {
        name.strip().lower(): value.strip()
        # Not `splitlines`, which divides at U+0085 and U+2028, too.
        for name, _, value in (line.partition(":") for line in head.split("\n"))
    }
    _, disposition = parse_options_header(headers.get("content-disposition"))
    _, media_type = parse_options_header(headers.get("content-type"))
    if "name" not in disposition:
        raise ValueError("a part of it has no name")
    charset = media_type.get("charset", "").lower()
    return Part(
        name=disposition["name"],
        is_file="filename" in disposition,
        data=content[blank.end() :].removesuffix(b"\n").removesuffix(b"\r"),
        charset=charset if charset in _CHARSETS else "",
    )
