"""Times of the day, and how long something takes."""

from __future__ import annotations

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.languages.terms import Number
from qwen_tts_api.service.text.verbalize.numerals import (
    DASH,
    NO_DIGITS_FOLLOW,
    NO_WORD_FOLLOWS,
    NOT_IN_WORD,
)
from qwen_tts_api.service.text.verbalize.rules.dates import ends_sentence
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words

_END = rf"{NO_WORD_FOLLOWS}{NO_DIGITS_FOLLOW}(?!:[0-9])"
_HALF_DAY = r"[ \u00A0\u202F]?(?P<half>[aApP](?:\. ?[mM]\.|[mM](?![\p{L}.])|[mM](?=\.(?!\p{L}))))"
_ZONE = compile_pattern(r" (?:[ACEMP][SD]?T|GMT|UTC|CES?T|BST|JST|IST)(?!\p{L})")
# Behind these two numbers are a ratio: `a scale of 1:10`.
_RATIO = compile_pattern(
    r"(?ri)(?:\b(?:ratios?|scale|odds|proportion|mix|mixture|verhältnis|maßstab|format|échelle|rapport"
    r"|escala|razón|proporción|relación)(?: (?:of|is|was|at|von|de|est|es))?:? "
    r"|(?:比例|比率|比例尺|赔率)(?:[为是约])? ?)"
)
_RATIO_CHARS = 24
_FROM = rf"(?:(?P<from>(?:1[0-2]|0?[1-9])(?:[:.][0-5][0-9])?)(?:{DASH}| [-–] ))?"
_CLOCK = r"(?P<hour>[0-9]{1,2})[:：](?P<minute>[0-5][0-9])(?:[:：](?P<second>[0-5][0-9])(?:\.0+)?)?"


def is_ratio(text: str, begin: int) -> bool:
    """Return whether two numbers that begin there are a ratio."""
    return _RATIO.match(text, max(0, begin - _RATIO_CHARS), begin) is not None


def _say_time(match: regex.Match[str], language: Language) -> Words | None:
    if is_ratio(match.string, match.start()):
        return None
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    second = int(match["second"] or 0) or None
    if hour > 24 or minute > 59 or (second or 0) > 59:
        return None
    groups = match.groupdict()
    half = groups.get("half")
    said = language.time(hour, minute, second)
    if half:
        is_end = not _ZONE.match(match.string, match.end())
        said = said if minute else language.cardinal(hour)
        stop = (
            "." if half[-1] == "." and is_end and ends_sentence(match.string, match.end()) else ""
        )
        said = language.half_day(hour, said, half[0].lower()) + stop
    if first := groups.get("from"):
        said = language.span(_say_first(first, language), said)
    if until := groups.get("until"):
        said = language.span(said, _say_first(until, language))
    return Words(said, match.end(), "dates")


def _say_first(written: str, language: Language) -> str:
    """Return when something begins: `7` or `7:30`, behind which it ends in the same half day."""
    hour, _, minute = written.replace(".", ":").partition(":")
    if not int(minute or 0):
        return language.cardinal(int(hour))
    return language.time(int(hour), int(minute))


def _say_stamp(match: regex.Match[str], language: Language) -> Words | None:
    """Say the time of `2026-11-28T14:30:00Z`."""
    said = _say_time(match, language)
    zone = language.spell("UTC") if match["zone"] else ""
    return said and said._replace(text=language.join(said.text, zone))


def _say_duration(match: regex.Match[str], language: Language) -> Words | None:
    """Say `2h30`, `2h 30m` and `5m30s`."""
    said = [
        language.counted(Number(match[symbol]), language.units[symbol])
        for symbol in ("h", "min", "s")
        if match[symbol]
    ]
    return Words(language.join(*said), match.end(), "units")


def time_rules(language: Language) -> list[Rule]:
    """Return the rules of what begins with a digit."""
    begin = rf"{NOT_IN_WORD}(?<![0-9][.,/:])"
    hour = r"(?P<hour>1[0-2]|0?[1-9])(?:\.(?P<minute>[0-5][0-9]))?(?P<second>)"
    two, minutes = "[0-5]?[0-9]", r"m(?:in|n)?\.?"
    seconds = rf"(?P<s>{two}) ?s(?:ec)?"
    patterns = [(language.clock, _say_time)] if language.clock else []
    if language.half_days:
        patterns += [(rf"{_FROM}{hour}{_HALF_DAY}", _say_time)]
        patterns += [(rf"{_FROM}{_CLOCK}{_HALF_DAY}", _say_time)]
    patterns += [
        (rf"{_CLOCK}(?: ?h)?(?:{DASH}(?P<until>1[0-2]|[1-9]))?{_END}", _say_time),
        (
            rf"(?:(?P<h>[0-9]{{1,3}}) ?h ?(?:(?P<min>{two}) ?{minutes}(?: ?{seconds})?"
            rf"|(?<=h)(?P<min>[0-5][0-9]))|(?P<min>[0-9]{{1,3}}) ?{minutes} ?{seconds})"
            rf"{NO_WORD_FOLLOWS}",
            _say_duration,
        ),
    ]
    return [Rule(compile_pattern(begin + pattern), say) for pattern, say in patterns]


def _say_zone(match: regex.Match[str], language: Language) -> Words | None:
    """Say `UTC-5` and `GMT+05:30`."""
    sign = language.signs["+"] if match["sign"] == "+" else language.signs["−"]
    minute = language.whole(match["minute"]) if int(match["minute"] or 0) else ""
    hour = language.cardinal(int(match["hour"]))
    said = language.join(language.spell(match["zone"]), sign, hour, minute)
    return Words(said, match.end(), "dates")


def zone_rule() -> Rule:
    """Return the rule of time zones by their distance."""
    pattern = (
        rf"{NOT_IN_WORD}(?P<zone>UTC|GMT) ?(?P<sign>[-–−+])(?P<hour>[0-9]{{1,2}})"
        rf"(?::?(?P<minute>[0-5][0-9]))?{_END}"
    )
    return Rule(compile_pattern(pattern), _say_zone)


def stamp_rule() -> Rule:
    """Return the rule of the time behind a date of ISO 8601."""
    pattern = (
        rf"(?<=[0-9])T{_CLOCK}(?:[.,][0-9]+)?(?P<zone>Z|[+-]00:?00)?(?:[+-][0-9]{{2}}:?[0-9]{{2}})?"
        rf"{NO_WORD_FOLLOWS}"
    )
    return Rule(compile_pattern(pattern), _say_stamp, ("1",))
