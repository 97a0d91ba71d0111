"""The elements of SSML that are understood: their attributes, and what each means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from qwen_tts_api.audio.rates import FASTEST, SLOWEST
from qwen_tts_api.names import shown
from qwen_tts_api.service.text.script.passage import Style
from qwen_tts_api.service.text.script.pauses import DEFAULT_PAUSE_S, STRENGTHS_S, read_time
from qwen_tts_api.service.text.sentences import Boundary
from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.say_as import INTERPRETATIONS, say_as

RATES = {
    "x-slow": 0.5,
    "slow": 0.64,
    "medium": 1.0,
    "default": 1.0,
    "fast": 1.55,
    "x-fast": 2.0,
}
"""What the words for a `rate` mean: as in Azure's SSML, for the standard leaves it open."""

_RATE = re.compile(r"([+-]?)(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})(%?)", re.ASCII)

_LANG = "xml:lang"

_INTERPRETATIONS = (*INTERPRETATIONS, "date", "time", "unit", "currency", "address")
_ORDER = re.compile(r"(?!.*(.).*\1)[ymd]{1,3}")


@dataclass(frozen=True)
class Element:
    """What an element may have.

    Attributes:
        required: The attributes that it must have.
        optional: Those that it may have.
        boundary: What it begins and ends with.
        has_elements: Whether other elements may be in it.
        has_text: Whether text may be in it.
    """

    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    boundary: Boundary | None = None
    has_elements: bool = True
    has_text: bool = True


ELEMENTS: Mapping[str, Element] = {
    "break": Element(optional=frozenset({"time", "strength"}), has_elements=False, has_text=False),
    "lang": Element(required=frozenset({_LANG})),
    "p": Element(optional=frozenset({_LANG}), boundary=Boundary.PARAGRAPH),
    "prosody": Element(required=frozenset({"rate"})),
    "s": Element(optional=frozenset({_LANG}), boundary=Boundary.SENTENCE),
    "say-as": Element(
        required=frozenset({"interpret-as"}), optional=frozenset({"format"}), has_elements=False
    ),
    "speak": Element(
        optional=frozenset({"version", _LANG, "xml:base", "xsi:schemaLocation"}),
    ),
    "sub": Element(required=frozenset({"alias"}), has_elements=False),
    "voice": Element(required=frozenset({"name"}), optional=frozenset({_LANG})),
}
"""By their names."""


def check_attributes(name: str, attributes: Mapping[str, str]) -> None:
    """Check that an element has the attributes that it must have, and no other.

    Raises:
        ValueError: It has not. The message says what is understood.
    """
    element = ELEMENTS[name]
    known = sorted(element.required | element.optional)
    for attribute in attributes:
        if attribute not in known and attribute.partition(":")[0] != "xmlns":
            what = f"understood are {', '.join(known)}" if known else "it has none"
            raise ValueError(f"{shown(attribute)} is not understood; {what}")
    for attribute in sorted(element.required):
        if not attributes.get(attribute, "").strip():
            raise ValueError(f"{attribute} is missing or empty")


def style_in(name: str, attributes: Mapping[str, str], style: Style, place: str) -> Style:
    """Return the style of what is in an element.

    Args:
        name: Of the element.
        attributes: Its attributes.
        style: Around it.
        place: Where it is.

    Raises:
        ValueError: A value is not understood.
    """
    if language := attributes.get(_LANG, "").strip():
        style = replace(style, language=language, place=place)
    if name == "voice":
        style = replace(style, speaker=attributes["name"].strip(), place=place)
    if name == "prosody":
        style = replace(style, speed=style.speed * _read_rate(attributes["rate"]), place=place)
    return style


def pause_of(attributes: Mapping[str, str]) -> float:
    """Return the seconds of a `break`: its time, else by its strength.

    Raises:
        ValueError: A value is not understood.
    """
    strength = attributes.get("strength")
    if strength is not None and strength not in STRENGTHS_S:
        raise ValueError(f"strength is {shown(strength)}; allowed are {', '.join(STRENGTHS_S)}")
    if (time := attributes.get("time")) is not None:
        try:
            return read_time(time.strip())
        except ValueError as error:
            raise ValueError(f"time is {shown(time)}, which {error}") from None
    return DEFAULT_PAUSE_S if strength is None else STRENGTHS_S[strength]


def words_of(name: str, attributes: Mapping[str, str], text: str, language: Language | None) -> str:
    """Return what is spoken of the text of an element that replaces it.

    Args:
        name: Of the element.
        attributes: Its attributes.
        text: What is in it.
        language: That it is spoken in; None: there are no words of that one.

    Raises:
        ValueError: It is not understood.
    """
    if name == "sub":
        return attributes["alias"]
    kind = attributes["interpret-as"].strip().lower()
    order = attributes.get("format", "").strip().lower()
    if kind not in _INTERPRETATIONS:
        known = ", ".join(_INTERPRETATIONS)
        raise ValueError(f"interpret-as is {shown(kind)}; understood are {known}")
    if order and (kind != "date" or not _ORDER.fullmatch(order)):
        raise ValueError(f"format is {shown(order)}; it is that of a date, such as mdy, dmy or ymd")
    if language is None:
        known = ", ".join(name.title() for name in LANGUAGES)
        raise ValueError(f"there are words for it in {known}; the text is in another language")
    return say_as(text, kind, language.name, order)


def _read_rate(text: str) -> float:
    """Return how many times faster a rate is: a word, `80%` or `0.8` of it, `-20%` or `+20%` more.

    A number without a sign multiplies, as in SSML 1.1; one with a sign is a change, as in 1.0.
    """
    text = text.strip()
    if text in RATES:
        return RATES[text]
    found = _RATE.fullmatch(text)
    sign, number, percent = found.groups() if found else ("", "0", "")
    rate = float(number) / (100 if percent else 1)
    if sign:
        rate = 1 + rate if sign == "+" else 1 - rate
    if not found or (sign and not percent) or not SLOWEST <= rate <= FASTEST:
        raise ValueError(
            f"rate is {shown(text)}; allowed are {', '.join(RATES)}, 25% to 400%, and changes such "
            "as +20% or -20%"
        )
    return rate
