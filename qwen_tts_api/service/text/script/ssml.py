"""Read SSML: the part of it that can be honoured; what else there is in a text is refused.

Of W3C's Speech Synthesis Markup Language 1.1 (https://www.w3.org/TR/speech-synthesis11/). The root
may be left out, and namespaces do not matter. There is no document type, and so no entity but XML's
own five, and nothing that grows or is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from qwen_tts_api.errors import InvalidSsml
from qwen_tts_api.names import shown
from qwen_tts_api.service.models import name_language
from qwen_tts_api.service.text.script.builder import ScriptBuilder, Source
from qwen_tts_api.service.text.script.elements import (
    ELEMENTS,
    check_attributes,
    pause_of,
    style_in,
    words_of,
)
from qwen_tts_api.service.text.script.passage import PLAIN, Script, Style
from qwen_tts_api.service.text.verbalize.guess import MAX_GUESSED_CHARS
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.verbalizer import find_language

MAX_DEPTH = 32
"""Of elements in elements."""

_ROOT = re.compile(r"<\?xml\b|<!DOCTYPE\b|(?:<!--(?:(?!-->).)*-->\s*)*<speak[\s/>]", re.DOTALL)
_BEFORE_ROOT = "\ufeff \t\r\n"
"""What files begin with that is no text: the sign of their byte order, and white space."""
_WRAPPER = "<speak>"
_PARTIAL_ENTITY = re.compile(rb"&#?\w*$")
_TAG = re.compile(r"<[^<>]*>")

_CODES = expat.errors.codes
_MISMATCH = _CODES[expat.errors.XML_ERROR_TAG_MISMATCH]
_INVALID = _CODES[expat.errors.XML_ERROR_INVALID_TOKEN]
_UNCLOSED = _CODES[expat.errors.XML_ERROR_NO_ELEMENTS]
_HINTS = {
    _CODES[expat.errors.XML_ERROR_INVALID_TOKEN]: (
        "this is no XML; in a text & is written &amp; and < is written &lt;"
    ),
    _CODES[expat.errors.XML_ERROR_UNDEFINED_ENTITY]: (
        "there is no such entity; there are &amp; &lt; &gt; &quot; &apos; and numbers, such as "
        "&#160;"
    ),
    _CODES[expat.errors.XML_ERROR_NO_ELEMENTS]: "an element is not closed",
    _CODES[expat.errors.XML_ERROR_UNCLOSED_TOKEN]: "a tag is not closed",
    _CODES[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]: "nothing may follow the end of <speak>",
}


def read_ssml(text: str, language: str, start: int = 0, *, timed: bool = False) -> Script:
    """Return the script that an SSML document is; one without any words has no passage.

    Args:
        text: The document, with or without its `<speak>`; valid Unicode.
        language: Of what has no other in the document, by name or code, or `Auto`.
        start: Where the document begins in the client's text.
        timed: Whether passages have the client's text that they are made of.

    Raises:
        InvalidSsml: It is malformed, or has an element, an attribute or a value that is not
            understood. The message says where, and what is understood.
    """
    return _Reader(text, language, start, timed=timed).read()


@dataclass
class _Open:
    """An element that is open.

    Attributes:
        name: Its name.
        attributes: Its attributes.
        style: Of the text in it.
        place: Where it begins.
        text: What has come of that, where no elements may be in it.
    """

    name: str
    attributes: Mapping[str, str]
    style: Style
    place: str
    text: list[str] = field(default_factory=list)


class _Reader:
    """Reads one document."""

    def __init__(self, text: str, language: str, start: int, *, timed: bool) -> None:
        length = len(text)
        text = text.lstrip(_BEFORE_ROOT)
        start += length - len(text)
        self._language = language
        self._is_wrapped = _ROOT.match(text) is None
        self._text = f"{_WRAPPER}{text}</speak>" if self._is_wrapped else text
        self._bytes = self._text.encode()
        begin = len(_WRAPPER) if self._is_wrapped else 0
        own = begin, begin + len(text)
        self._source = Source(self._text, start - begin, own) if timed else None
        self._num_bytes = 0  # before the source's position
        self._builder = ScriptBuilder(self._source)
        self._open: list[_Open] = []
        self._parser = expat.ParserCreate("UTF-8")
        self._parser.buffer_text = not timed  # of which the place is known
        self._parser.StartElementHandler = self._locating_errors(self._begin)
        self._parser.EndElementHandler = self._locating_errors(self._end)
        self._parser.CharacterDataHandler = self._locating_errors(self._take)
        self._parser.StartDoctypeDeclHandler = self._locating_errors(_refuse_doctype)
        self._parser.ProcessingInstructionHandler = self._locating_errors(_refuse_instruction)

    def read(self) -> Script:
        """Return the script."""
        try:
            self._parser.Parse(self._bytes, True)
        except expat.ExpatError as error:
            hint = _HINTS.get(error.code, expat.ErrorString(error.code))
            back = self._num_behind(error.code)
            if self._open and (error.code == _UNCLOSED or self._is_at_end(back)):
                opened = self._open[-1]
                raise self._error(f"<{opened.name}> is not closed", opened.place) from None
            if error.code == _MISMATCH and self._open:
                hint = f"</{self._open[-1].name}> has to come before another element ends"
            raise self._error(hint, self._place_at(-back)) from None
        if self._source is not None:
            self._source.position = len(self._text)
        return self._builder.build()

    def _locating_errors(self, handle: Callable[..., None]) -> Callable[..., None]:
        """Return a handler whose ValueError is an error that says where the parser is."""

        def handler(*args: Any) -> None:
            self._advance()
            try:
                handle(*args)
            except ValueError as error:
                raise self._error(str(error)) from None

        return handler

    def _advance(self) -> None:
        """Record the parser's position, if the request asks for times."""
        if self._source is not None:
            before, self._num_bytes = self._num_bytes, self._parser.CurrentByteIndex
            self._source.position += len(self._bytes[before : self._num_bytes].decode())

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        """Open an element; raise ValueError if it is not understood."""
        self._check_name(name)
        try:
            check_attributes(name, attributes)
            style = style_in(name, attributes, self._style, self._place)
            pause_s = pause_of(attributes) if name == "break" else None
        except ValueError as error:
            raise ValueError(f"<{name}>: {error}") from None
        if (boundary := ELEMENTS[name].boundary) is not None:
            self._builder.end(boundary)
        if pause_s is not None:
            self._builder.add_pause(pause_s)
        self._open.append(_Open(name, attributes, style, self._place))

    def _end(self, name: str) -> None:
        """Close an element; raise ValueError if the text in it is not understood."""
        opened = self._open.pop()
        element = ELEMENTS[name]
        if element.has_text and not element.has_elements:
            try:
                text, language = "".join(opened.text), self._language_of(opened.style)
                words = words_of(name, opened.attributes, text, language)
            except ValueError as error:
                raise ValueError(f"<{name}>: {error}") from None
            self._builder.add_text(words, opened.style, text)
        if element.boundary is not None:
            self._builder.end(element.boundary)

    def _take(self, text: str) -> None:
        opened = self._open[-1]
        element = ELEMENTS[opened.name]
        if self._source is not None:
            self._source.add(text)
        if element.has_elements:
            self._builder.add_text(text, opened.style)
        elif element.has_text:
            opened.text.append(text)
        elif not text.isspace():
            raise ValueError(f"<{opened.name}> has text in it; it is written <{opened.name}/>")

    def _language_of(self, style: Style) -> Language | None:
        name = name_language(style.language or self._language)
        return find_language(name, _TAG.sub(" ", self._text[:MAX_GUESSED_CHARS]))

    def _check_name(self, name: str) -> None:
        if name not in ELEMENTS:
            known = ", ".join(ELEMENTS)
            raise ValueError(f"the element {shown(name)} is not understood; understood are {known}")
        if self._open and name == "speak":
            raise ValueError("<speak> is the root: all of the text is in it")
        if self._open and not ELEMENTS[self._open[-1].name].has_elements:
            raise ValueError(f"no element may be in <{self._open[-1].name}>, but there is <{name}>")
        if len(self._open) == MAX_DEPTH:
            raise ValueError(f"elements are more than {MAX_DEPTH} deep in each other")

    @property
    def _style(self) -> Style:
        return self._open[-1].style if self._open else PLAIN

    @property
    def _place(self) -> str:
        """Where the parser is."""
        return self._place_at(0)

    def _place_at(self, offset: int) -> str:
        """Return where the parser is, or so many characters from there in its line."""
        line, column = self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + offset
        if self._is_wrapped and line == 1:
            column = max(0, column - len(_WRAPPER))
        return f"SSML, line {line}, column {column + 1}"

    def _num_behind(self, code: int) -> int:
        """Return how far behind the beginning of what is wrong the parser is, in characters."""
        if code == _MISMATCH:
            return len("</")
        partial = _PARTIAL_ENTITY.search(self._bytes[: self._parser.CurrentByteIndex][-64:])
        return len(partial[0]) if code == _INVALID and partial else 0

    def _is_at_end(self, back: int) -> bool:
        """Whether all of the client's text was read, up to the end of the root around it."""
        end = len(self._bytes) - len("</speak>")
        return self._is_wrapped and back == 2 and self._parser.CurrentByteIndex - back == end

    def _error(self, message: str, place: str = "") -> InvalidSsml:
        return InvalidSsml(
            f"{place or self._place}: {message}.",
            fields={"text": ["Has SSML that is not understood."]},
        )


def _refuse_doctype(*_: object) -> None:
    raise ValueError("a document type is not allowed; leave <!DOCTYPE> out")


def _refuse_instruction(*_: object) -> None:
    raise ValueError("an instruction is not understood; leave <? ?> out")
