"""What may stand behind a number: a unit, a scale, a currency."""

from __future__ import annotations

from functools import lru_cache

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import LETTER, NO_WORD_FOLLOWS, SPACE, SPACES

# Also words, or names of things: `5 in all`, `4K`.
_ONLY_ATTACHED = frozenset(("in", "x", "X", "×"))
_NEVER_ATTACHED = frozenset(("K", "t", "ac"))
_HUNDREDS = compile_pattern(r"(?r)[0-9]{3}$")
_LABEL = compile_pattern(
    r"(?ri)\b(?:apt\.?|apartment|flat|room|suite|unit|gate|seat|row|block|door|exit|bus|line|floor"
    r"|platform|hall|section|exhibit|figure|fig\.?|table|appendix|item|number|no\.|#) ?[0-9]++$"
)
_STOPS = (".", ",", ";", ")")
# Four digits and an X are a name, unless they are thousands: `7950X`, `5000X`.
_MODEL = compile_pattern(r"(?r)(?<![0-9])[0-9](?!000)[0-9]{3}$")
_TIMES = frozenset("xX×")
_STREET = compile_pattern(
    r" (?:\p{Lu}[\p{L}'’.]* ){1,2}(?:Street|St|Road|Rd|Avenue|Ave|Lane|Drive|Square|Court|Place)\b"
)
_OPERAND = compile_pattern(r"(?r)(?:[=+*/^<>(] ?(?:[0-9.,]+[-−])?|[0-9] [-−] ?) ?[0-9.,]+")
_OPERATOR = compile_pattern(r" ?(?![-–][0-9.]+[xX×](?!\p{L}))[-−+=*/^<>)²³]")


class Tails:
    """What may stand behind a number, by language."""

    def __init__(self, language: Language) -> None:
        def names(table: object) -> str:
            assert isinstance(table, dict)
            return "|".join(regex.escape(name) for name in sorted(table, key=len, reverse=True))

        units = names(language.units)
        tables = (language.units, language.scales, language.money_scales, language.currencies)
        self._first = {name[0] for table in tables for name in table} | set("%％‰,.-")
        self.hyphen = compile_pattern(r"-(?=(?:\p{L}{2,8}|[mgLWV])\.?[ -]\p{L})")
        self.of = compile_pattern(language.millions_of)
        self.millions = compile_pattern(language.millions)
        self.article = compile_pattern(rf"(?r)(?:{language.article})[^\w\s]{{0,3}}")
        self.unit = compile_pattern(
            rf"(?P<space>{SPACE})(?P<unit>{units})(?!{LETTER}|[0-9]|['’]\p{{L}})"
        )
        self.scale = compile_pattern(
            rf"(?:{SPACE}|-(?=\p{{L}}{{4}}))(?P<scale>{names(language.scales)}){NO_WORD_FOLLOWS}"
        )
        self.money_scale = compile_pattern(
            rf"{SPACE}(?P<scale>{names(language.money_scales) or '(?!)'}){NO_WORD_FOLLOWS}"
        )
        self.currency = compile_pattern(
            rf"{SPACE}(?P<currency>{names(language.currencies)}){NO_WORD_FOLLOWS}"
        )
        self.per = compile_pattern(
            rf"/(?|(?P<per>[kcdmµ]?m[²³23])|(?P<per>{language.per_names}))(?![0-9])"
        )
        # Where a full stop is the decimal sign, a comma is, too, before the cents of an amount.
        # A dash stands for no cents: `5,- €`.
        digits = "[0-9]{2}(?![0-9]|[.,][0-9])" if language.decimal_sign == "." else "(?!)"
        self.cents = compile_pattern(rf"(?:,(?P<cents>{digits})|[.,]--?|,[–—])(?![0-9-])")

    def may_begin(self, text: str, position: int) -> bool:
        """Return whether one of them may stand at a position, by its first character."""
        has_space = text[position : position + 1] in SPACES
        return text[position + has_space : position + has_space + 1] in self._first


@lru_cache(maxsize=16)
def tails_of(language: Language) -> Tails:
    """Return the patterns of a language."""
    return Tails(language)


def is_unit(text: str, match: regex.Match[str]) -> bool:
    """Return whether letters behind a number are a unit rather than a word or a part of a name."""
    unit, has_space = match["unit"], bool(match["space"])
    if unit == "X" and not has_space and _MODEL.search(text, 0, match.start()):
        return False
    if unit in _TIMES and (
        _OPERATOR.match(text, match.end())
        or _OPERAND.match(text, max(0, match.start() - 20), match.start())
    ):
        return False  # of algebra
    if unit == "in" and has_space and text[match.end() : match.end() + 1] in _STOPS:
        return True
    if not has_space:
        return unit not in _NEVER_ATTACHED
    is_letter = len(unit) == 1 and unit.isalpha()
    return unit not in _ONLY_ATTACHED and not (
        is_letter and text[match.end() : match.end() + 1] == "-"
    )


def is_scale(match: regex.Match[str]) -> bool:
    """Return whether it is one: a single letter only directly behind the number, T never.

    K only behind hundreds: `100K`, but `4K`; B not behind what has a letter: `Room 5B`.
    """
    scale, text = match["scale"], match.string
    if scale == "K" and match[0] == scale:
        return _HUNDREDS.search(text, max(0, match.start() - 4), match.start()) is not None
    if match[0] == scale and len(scale) == 1 and _STREET.match(text, match.end()):
        return False
    if scale == "B" and _LABEL.search(text, max(0, match.start() - 20), match.start()):
        return False
    is_word = len(scale) > 1 or not scale.isascii()
    if scale in "kM" and regex.match(r"\p{Sc}", text[match.end() : match.end() + 1]):
        return True
    return is_word or (match[0] == scale and scale in "kMB")
