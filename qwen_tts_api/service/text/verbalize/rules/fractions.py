"""Fractions, ratings and what else has a slash between two numbers."""

from __future__ import annotations

import unicodedata

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import (
    NO_DIGITS_FOLLOW,
    NO_WORD_FOLLOWS,
    NOT_IN_WORD,
    is_year,
    parse_number,
)
from qwen_tts_api.service.text.verbalize.rules.dates import is_date
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words, context_of, is_quoted
from qwen_tts_api.service.text.verbalize.rules.tails import is_unit, tails_of
from qwen_tts_api.service.text.verbalize.rules.times import is_ratio

MAX_DENOMINATOR = 16
"""Of a fraction that is said as such; 1/100 and 1/1000, too."""

_END = rf"{NO_WORD_FOLLOWS}{NO_DIGITS_FOLLOW}"
_RATED = compile_pattern(
    r" ?(?i:stars?|points?|pts|punkte?n?|sterne?n?|étoiles?|estrellas?|puntos?|分|星)(?!\p{L})"
)
_PART = compile_pattern(r" (?:of|d[eu]|des|del|d['’])\b")
_ALONE = compile_pattern(r"(?! ?(?:\p{L}|[-–+−×*/=\"″°%]))")
VULGAR = "½¼¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅐⅑⅒"
"""Fractions that are one character."""


def _say_fraction(match: regex.Match[str], language: Language) -> Words | None:
    part, whole = int(match["part"]), int(match["whole"])
    before = match["before"]
    around_clock = (part, whole) == (24, 7) and not before
    if around_clock or (language.month_first and not before and (part, whole) == (9, 11)):
        said = language.join(language.cardinal(part), language.cardinal(whole))
        return Words(said, match.end(), "numbers" if around_clock else "dates")
    is_said = part < whole and (
        2 <= whole <= MAX_DENOMINATOR
        or whole in (32, 50, 64)
        or (whole in (100, 1000) and part < 10)
    )
    if whole != 16 and not match["suffix"] and (date := _fraction_date(match, language)):
        return date
    is_rating = _is_rating(match)
    if match["part"][0] == "0" and part:  # `08/15`
        said = language.join(language.whole(match["part"]), language.whole(match["whole"]))
        return Words(said, match.end(), "numbers")
    if is_said and part and not is_rating:
        said = (
            language.mixed(before, part, whole)
            if before
            else language.fraction_in(part, whole, context_of(match))
        )
        said_so = _with_inches(match, Words(said, match.end(), "numbers"), language)
        return _with_unit(match, said_so, language, is_many=bool(before))
    if before:
        return None
    said = _say_slashed(match["part"], match["whole"], language)
    return _with_unit(match, Words(said, match.end(), "numbers"), language, is_many=True)


def _is_rating(match: regex.Match[str]) -> bool:
    """Return whether it is so many out of so many: `3/5 stars`, `8/10` of nothing else."""
    if match["before"] or match["suffix"]:
        return False
    is_alone = _ALONE.match(match.string, match.end()) is not None
    is_of_ten = int(match["whole"]) == 10 and int(match["part"]) > 1
    return (is_of_ten and is_alone) or _RATED.match(match.string, match.end()) is not None


def _with_inches(match: regex.Match[str], said: Words, language: Language) -> Words:
    """Add the sign of inches behind a fraction, unless it may close a quotation."""
    text, end = match.string, match.end()
    if (
        text[end : end + 1] not in ("″", *('"' * (not is_quoted(text, end))))
        or "in" not in language.units
    ):
        return said
    noun = language.units["in"]
    unit = noun.many if match["before"] else noun.one
    return Words(language.join(said.text, unit), end + 1, "units")


def _say_slashed(first: str, second: str, language: Language) -> str:
    """Return `10/10`, `120/80`, `50/50` and `2023/24` in words."""
    part, whole = int(first), int(second)
    if is_year(first):
        is_other = len(second) < 4 or is_year(second)
        return language.join(
            language.year(part), language.year(whole) if is_other else language.whole(second)
        )
    if part == whole and whole in (20, 50):
        return language.join(language.whole(first), language.whole(second))
    word = language.signs["/" if part <= whole else "⁄"]
    return language.join(language.whole(first), word, language.whole(second))


def _fraction_date(match: regex.Match[str], language: Language) -> Words | None:
    """Return a day and a month in digits, where one is too large to be a month."""
    if is_ratio(match.string, match.start()):
        return None
    first, second = int(match["part"]), int(match["whole"])
    months = [(first, second), (second, first)][:: 1 if language.month_first else -1]
    before = language.date_before
    is_named = bool(before and regex.search(before, context_of(match).before))
    is_named = is_named and not _PART.match(match.string, match.end())
    # In the other order only where a date is expected: 22/7 is a fraction.
    month, day = next(((m, d) for m, d in months[: 2 if is_named else 1] if is_date(d, m)), (0, 0))
    has_zero = "0" in (match["part"][0], match["whole"][0])  # `05/12` is no fraction
    is_told = is_named or has_zero or max(first, second) > 12
    if not month or not is_told or (first == second and not has_zero) or match["before"]:
        return None
    said = language.date_in(day, month, None, context_of(match))
    return Words(said, match.end(), "dates")


def _say_rating(match: regex.Match[str], language: Language) -> Words | None:
    """Say `4.5/5`."""
    part = language.number(parse_number(match["part"], language))
    said = language.join(part, language.signs["/"], language.whole(match["whole"]))
    return Words(said, match.end(), "numbers")


def _say_vulgar(match: regex.Match[str], language: Language) -> Words | None:
    part, whole = map(int, unicodedata.normalize("NFKC", match["vulgar"]).split("⁄"))
    before = match["before"]
    said = (
        language.mixed(before, part, whole)
        if before
        else language.fraction_in(part, whole, context_of(match))
    )
    return _with_unit(match, Words(said, match.end(), "numbers"), language, is_many=bool(before))


def _with_unit(match: regex.Match[str], said: Words, language: Language, *, is_many: bool) -> Words:
    """Add the unit behind a fraction: `1½ h`."""
    unit = tails_of(language).unit.match(match.string, said.end)
    if said.kind != "numbers" or unit is None or not is_unit(match.string, unit):
        return said
    noun = language.units[unit["unit"]]
    text = language.part_of(said.text, noun) if not is_many else language.join(said.text, noun.many)
    return Words(text, unit.end(), "units")


def vulgar_rule() -> Rule:
    """Return the rule of fractions that are one sign: `3½`."""
    pattern = rf"(?:{NOT_IN_WORD}(?P<before>[0-9]{{1,9}}) ?)?(?P<vulgar>[{VULGAR}])"
    return Rule(compile_pattern(pattern), _say_vulgar)


def fraction_rules(language: Language) -> list[Rule]:
    """Return the rules of fractions and ratings, in their order."""
    point = regex.escape(language.decimal_sign)
    begin = rf"{NOT_IN_WORD}(?<![0-9][.,/:])"
    patterns = [
        (
            rf"{begin}(?:(?P<before>[0-9]{{1,9}})(?: | ?-))?"
            rf"(?P<part>[0-9]{{1,4}})[/⁄](?P<whole>[0-9]{{1,4}})"
            rf"(?P<suffix>(?:th|rd|nd)s?)?{_END}(?!/)",
            _say_fraction,
        ),
        (
            rf"{begin}(?P<part>[0-9]{{1,3}}{point}[0-9]{{1,2}})/(?P<whole>[0-9]{{1,4}}){_END}(?!/)",
            _say_rating,
        ),
    ]
    return [Rule(compile_pattern(pattern), say) for pattern, say in patterns]
