"""Dates and decades."""

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
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words, context_of

_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# A number and its year: `RD 1/2020`.
_NUMBERED_BY_YEAR = r"\b(?:KW|RD|Ley|Decreto|Nr\.|n\.?[º°]|núm\.) "
_END = rf"{NO_WORD_FOLLOWS}{NO_DIGITS_FOLLOW}"


def is_date(day: int, month: int) -> bool:
    """Return whether there is such a day, of some year."""
    return 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]


def _say_numeric(match: regex.Match[str], language: Language) -> Words | None:
    """Say `2026-11-28`, `28.11.2026` and `11/28/2026`; of the last, by what is possible."""
    first, second, third = int(match["a"]), int(match["b"]), match["c"]
    if len(match["a"]) == 4:
        year, month, day = first, second, int(third)
    else:
        year, month, day = full_year(third), second, first
        if (match["sign"] == "/" and language.month_first and (first <= 12)) or (
            month > 12 >= first
        ):
            month, day = first, second
    if not is_date(day, month):
        return None
    return Words(language.date_in(day, month, year, context_of(match)), match.end(), "dates")


def _say_short(match: regex.Match[str], language: Language) -> Words | None:
    """Say `28.11.`; a full stop that ends the sentence stays."""
    day, month = int(match["day"]), int(match["month"])
    if not is_date(day, month):
        return None
    year = int(match["year"]) if match["year"] else None
    stop = "." if year is None and _TEXT_END.match(match.string, match.end()) else ""
    if match["from"] is None:
        said = language.date_in(day, month, year, context_of(match))
        return Words(said + stop, match.end(), "dates")
    said = _some_days(match, int(match["from"]), day, month, language)
    if year is not None:
        said = language.join(said, language.year(year))
    return Words(said + stop, match.end(), "dates")


def full_year(written: str) -> int:
    """Return a year that may be written with two digits: 1950 to 2049."""
    year = int(written)
    return year if len(written) > 2 else year + (2000 if year < 50 else 1900)


def _say_month_first(match: regex.Match[str], language: Language) -> Words | None:
    month, day = language.month_names[match["month"].lower().rstrip(".")], int(match["day"])
    if not is_date(day, month) or not language.month_first:
        return None
    year = match["year"]
    if not match["until"]:
        said = language.date(day, month, int(year) if year else None)
        return Words(said, match.end(), "dates")
    return _say_days(match, day, int(match["until"]), month, language)


def _some_days(
    match: regex.Match[str], first: int, last: int, month: int, language: Language
) -> str:
    """Return some days of a month: from the first to the last, or two with a slash between them."""
    said = language.days(first, last, month, context_of(match))
    if match["dash"] == "/":
        return said.replace(f" {language.to} ", f" {language.signs['&']} ", 1)
    return said


def _say_days(
    match: regex.Match[str], first: int, last: int, month: int, language: Language
) -> Words:
    """Say some days of a month, and its year."""
    said = _some_days(match, first, last, month, language)
    if match["year"]:
        pause = language.pause if language.month_first else language.space
        said = f"{said}{pause}{language.year(int(match['year']))}"
    return Words(said, match.end(), "dates")


def _say_day_first(match: regex.Match[str], language: Language) -> Words | None:
    month, day = language.month_names[match["month"].lower().rstrip(".")], int(match["day"])
    if not is_date(day, month):
        return None
    if match["from"]:
        return _say_days(match, int(match["from"]), day, month, language)
    year = match["year"]
    said = language.date_in(day, month, int(year) if year else None, context_of(match))
    return Words(said, match.end(), "dates")


def _say_month_year(match: regex.Match[str], language: Language) -> Words | None:
    written, year = match["month"].lower().rstrip("."), int(match["year"])
    month = int(written) if written.isdecimal() else language.month_names[written]
    if match[0][4:5] == "-" and month > year % 100:
        return None  # two years: 2001-05
    return Words(language.month_year(month, year), match.end(), "dates")


def ends_sentence(text: str, end: int) -> bool:
    """Return whether a full stop before `end` probably ends the sentence, too."""
    return bool(_SENTENCE_END.match(text, end))


_TEXT_END = compile_pattern(r"[)\"'’”»]*+\s*+$")
_SENTENCE_END = compile_pattern(r"[)\"'’”»]*+(?:\s*+$|\n|\s++[\"'‘“«(]*+\p{Lu})")


def _say_decade(match: regex.Match[str], language: Language) -> Words | None:
    written = match["years"]
    said = (
        language.several(Number(written.replace(",", "")))
        if "," in written
        else language.decade(int(written))
    )
    return Words(said, match.end(), "dates") if said else None


def numeric_rules(language: Language) -> list[Rule]:
    """Return the rules of dates of digits alone, and of decades."""
    year, two = "[0-9]{4}", "[0-9]{1,2}"
    begin = rf"{NOT_IN_WORD}(?<![0-9][.,/:])"
    ended = rf"(?:(?=T[0-9])|{_END})"
    patterns = [
        (rf"{begin}{language.short_date}", _say_short),
        (
            rf"{NOT_IN_WORD}(?P<a>(?:19|20)[0-9]{{2}})(?P<sign>)(?P<b>[01][0-9])(?P<c>[0-3][0-9])"
            rf"{ended}",
            _say_numeric,
        ),
        (
            rf"{begin}(?P<a>{year})(?P<sign>[-/.])(?P<b>{two})(?P=sign)(?P<c>{two}){ended}",
            _say_numeric,
        ),
        (
            rf"{begin}(?P<a>{two})(?P<sign>[/.-])(?P<b>{two})(?P=sign)(?P<c>{year}|[0-9]{{2}}){_END}(?!-[0-9])",
            _say_numeric,
        ),
        (
            rf"{begin}(?<!{_NUMBERED_BY_YEAR})"
            rf"(?:(?P<year>(?:19|20)[0-9]{{2}})[-/](?P<month>0[1-9]|1[0-2]){_END}(?![-/])"
            rf"|(?P<month>0?[1-9]|1[0-2])/(?P<year>(?:19|20)[0-9]{{2}}){_END}(?!/))",
            _say_month_year,
        ),
        (
            rf"(?:['’‘]|{NOT_IN_WORD})"
            rf"(?P<years>[0-9]0|100(?=s of )|[0-9]{{1,3}},000(?=s)|[1-9][0-9]{{2}}0)"
            rf"{language.decade_suffix}{NO_WORD_FOLLOWS}",
            _say_decade,
        ),
    ]
    return [
        Rule(compile_pattern(pattern), say)
        for pattern, say in patterns
        if say is not _say_short or language.short_date
    ]


def month_rules(language: Language) -> list[Rule]:
    """Return the rules of dates with the name of a month: those that begin with a word, a digit."""
    names = "|".join(sorted(map(regex.escape, language.month_names), key=len, reverse=True))
    month = rf"(?P<month>(?-i:(?=\p{{Lu}}))(?i:{names})(?:\.(?=[ ,])|{NO_WORD_FOLLOWS}))"
    if not language.months_capitalized:
        month = rf"(?P<month>(?i:{names})(?:\.(?=[ ,])|{NO_WORD_FOLLOWS}))"
    suffix = r"(?:st|nd|rd|th|º|°|er|\.)?"
    year = r"(?P<year>[12][0-9]{3})"
    end = rf"{_END}(?![:-][0-9])"
    of = r"(?:of |de |d['’])?"
    return [
        Rule(
            compile_pattern(
                rf"{NOT_IN_WORD}{month} (?P<day>[0-3]?[0-9])(?:st|nd|rd|th)?"
                rf"(?:(?P<dash>{DASH})(?P<until>[0-3]?[0-9])(?:st|nd|rd|th)?)?{end}"
                rf"(?:,? {year}{end})?+"
            ),
            _say_month_first,
        ),
        Rule(compile_pattern(rf"{NOT_IN_WORD}{month}(?:,| del?)? {year}{end}"), _say_month_year),
        Rule(
            compile_pattern(
                rf"{NOT_IN_WORD}(?:(?P<from>[0-3]?[0-9]){suffix}"
                rf"(?P<dash>{DASH}| – |(?<=\.)(?: - |/)))?"
                rf"(?P<day>[0-3]?[0-9]){suffix} {of}{month}"
                rf"(?:,? (?:de |del )?{year}{end})?+"
            ),
            _say_day_first,
        ),
    ]
