"""Ranges of numbers, years and amounts, and differences: `5-10 km`, `1914–18`, `5-3=2`."""

from __future__ import annotations

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import (
    DASH,
    NO_WORD_FOLLOWS,
    NOT_IN_WORD,
    is_year,
    match_number,
    number_pattern,
)
from qwen_tts_api.service.text.verbalize.rules.amounts import TO, say_amount, say_plain
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words, context_at, context_of

# `art. L. 121-1`.
_ARTICLE_OF_LAW = compile_pattern(r"(?r)(?<!\p{L})[LRD]\. ?")
_EQUALS = compile_pattern(" ?=")
_GOES_ON = compile_pattern(rf"{DASH}[0-9]|[.,][0-9]")
_NO_WORD = compile_pattern(NO_WORD_FOLLOWS)
_AIRLINER = compile_pattern("7[0-9]7")
# Pages and the like have ranges.
_MODEL = compile_pattern(
    r"(?r)(?:(?<!\p{L})(?!(?i:pages?|chapters?|sections?|rooms?|items?|lines?|numbers?|verses?|nos?"
    r"|seiten?|kapitel|zeilen?|nummern?|zimmer|räume|psalms?|exercises?|questions?|figures?)\b)"
    r"\p{Lu}\p{L}+|\b(?i:an?|the|eine?[rn]?|une?|el)) $|(?:波音|空客) ?$"
)
_OPERATOR = compile_pattern(" ?[-−+*/×=^<>]")


def _say_range(match: regex.Match[str], language: Language) -> Words | None:
    text, second = match.string, match.end()
    first, written = match["first"], match_number(match.string, second, language)
    if written is None:
        return None
    number, end = written
    if _GOES_ON.match(text, end):
        return None
    begin = match_number(first, 0, language)
    assert begin
    if "-" in match[0] and _EQUALS.match(text, end):
        said = language.join(
            language.number(begin[0]), language.signs["−"], language.number(number)
        )
        return Words(said, end, "signs")
    is_code = "-" in match[0] and first.isdecimal() and text[second:end].isdecimal()
    if is_code and _ARTICLE_OF_LAW.match(text, max(0, match.start() - 4), match.start()):
        said = language.join(language.whole(first), language.whole(text[second:end]))
        return Words(said, end, "numbers")
    if "-" in match[0] and first == text[second:end] and first in ("20", "50"):
        return Words(language.join(language.whole(first), language.whole(first)), end, "numbers")
    context = context_at(text, match.start(), end)
    is_years = (
        language.are_years_in(first, text[second:end], context)
        and is_year(first)
        and (is_year(text[second:end]) or end - second == 2)
    )
    other = None if is_years else say_amount(text, second, language, is_negative=False)
    if " - " in match[0] and (
        int(begin[0].whole) >= int(number.whole) or _OPERATOR.match(text, end)
    ):
        return None  # a difference
    if other is None and not _NO_WORD.match(text, end):
        return None
    if other is None and "-" in match[0] and _is_name(match, first, text[second:end]):
        said = language.join(language.series(first), language.series(text[second:end]))
        return Words(said, end, "numbers")
    if other is None:
        is_plain = not is_years or text[second] == "0"
        written_so = (
            say_plain(text, second, end, number, language)
            if is_plain
            else language.year(int(number.whole))
        )
        other = Words(written_so, end, "numbers")
        said = language.year(int(first)) if is_years else language.number_in(begin[0], context)
    else:
        said = language.number(begin[0])
    return Words(language.span(said, other.text), other.end, other.kind)


def _is_name(match: regex.Match[str], first: str, second: str) -> bool:
    """Return whether two numbers are a model and its series: `Boeing 747-400`."""
    is_series = len(first) == len(second) == 3 and first[-1] != "0" and second[-2:] == "00"
    is_series |= len(second) == 1 and _AIRLINER.fullmatch(first) is not None
    before = context_of(match).before
    return is_series and _MODEL.search(before) is not None


def range_rule(language: Language) -> Rule:
    """Return the rule of two numbers with a dash between them."""
    number = number_pattern(language)
    pattern = rf"{NOT_IN_WORD}(?<![-+*/×=^] ?)(?P<first>{number})(?:{TO}| - (?=[0-9]))"
    return Rule(compile_pattern(pattern), _say_range)
