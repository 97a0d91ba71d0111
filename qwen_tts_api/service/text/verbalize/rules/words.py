"""Abbreviations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import DASH, NO_WORD_FOLLOWS, NOT_IN_WORD
from qwen_tts_api.service.text.verbalize.rules.dates import ends_sentence
from qwen_tts_api.service.text.verbalize.rules.names.romans import ROMAN, roman_value
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words

_INITIALS = compile_pattern(rf"{NOT_IN_WORD}(?:\p{{Lu}}\.){{2,6}}+(?!\p{{L}})")
# Not `No 2 snowflakes are alike`.
_NUMBER_ONE = compile_pattern(r"No [0-9]+(?![0-9]|[.,][0-9])(?! (?!in|on|of|for|at|is|was)\p{Ll}+)")
_STREET = compile_pattern(r"(?r)(?:\p{Lu}\p{Ll}+(?:['’]s)?|[0-9](?:st|nd|rd|th)) $")
_NAME_BEFORE = compile_pattern(r"(?r)\p{Lu}\p{L}+,? $")
_NAME_FOLLOWS = compile_pattern(r" \p{Lu}\p{L}*+")


_ZONES = frozenset(("EST.",))
"""Time zones that an abbreviation looks like, where they end a sentence."""


def _names(names: Sequence[str]) -> str:
    return "|".join(regex.escape(name) for name in sorted(names, key=len, reverse=True))


def _say_abbreviation(match: regex.Match[str], language: Language) -> Words | None:
    written, text = match[0], match.string
    lowered = written.lower()
    said = language.abbreviations.get(lowered) or language.abbreviations.get(written)
    if said is None or (lowered in language.capitalized and not written[0].isupper()):
        return None
    if written in _ZONES:
        return None
    if lowered in language.roads:
        follows = _NAME_FOLLOWS.match(text, match.end())
        if _STREET.search(text[max(0, match.start() - 24) : match.start()]) and not follows:
            said = language.roads[lowered]
        elif not follows:
            return None
    if lowered in language.between_names and not (
        _NAME_BEFORE.search(text[max(0, match.start() - 24) : match.start()])
        and _NAME_FOLLOWS.match(text, match.end())
    ):
        return None
    is_title = lowered in language.titles or (
        lowered in language.behind_names
        and not _NAME_BEFORE.search(text[max(0, match.start() - 24) : match.start()])
    )
    ends = written.endswith(".") and not is_title and ends_sentence(text, match.end())
    return Words(said + ("." if ends else ""), match.end(), "abbreviations")


def _say_compound(match: regex.Match[str], language: Language) -> Words | None:
    """Say `Hauptstr.` as one word."""
    ends = ends_sentence(match.string, match.end())
    said = match["stem"] + language.compounds[match["last"]]
    return Words(said + ("." if ends else ""), match.end(), "abbreviations")


def _say_before_number(match: regex.Match[str], language: Language) -> Words | None:
    word, text = match["word"].lower(), match.string
    if word == "no" and language.months_capitalized and not _NUMBER_ONE.match(text, match.start()):
        return None
    said = language.before_number[word] + language.space
    return Words(said, match.end(), "abbreviations")


def _say_before_roman(match: regex.Match[str], language: Language) -> Words | None:
    """Say `vol. II` and `ss. XVI-XVII`."""
    word = match["word"].lower()
    said = language.before_roman.get(word) or language.before_number[word]
    values = [language.cardinal(roman_value(each)) for each in match.captures("roman")]
    number = language.span(*values) if len(values) > 1 else values[0]
    return Words(language.join(said, number), match.end(), "numbers")


def _say_initials(match: regex.Match[str], language: Language) -> Words | None:
    """Say `U.S.` letter by letter; initials of names, too."""
    text, end = match.string, match.end()
    if match[0].lower() in language.abbreviations and not language.beginnings:
        return None
    follows = _NAME_FOLLOWS.match(text, end)
    ends = ends_sentence(text, end) and (follows is None or follows[0][1:] in language.beginnings)
    said = language.spell(match[0])
    return Words(said + ("." if ends else ""), match.end(), "abbreviations")


def _say_month(match: regex.Match[str], language: Language) -> Words | None:
    number = language.month_names.get(match["month"].lower())
    name = language.months[number - 1] if number else ""
    if not number or name.lower() == match["month"].lower():
        return None
    ends = ends_sentence(match.string, match.end())
    return Words(name + ("." if ends else ""), match.end(), "abbreviations")


def _say_weekday(match: regex.Match[str], language: Language) -> Words | None:
    """Say `Mon-Fri`, and `Mon` before a date or a time."""
    first = language.weekdays[match["first"].lower()]
    if not match["last"]:
        return Words(first, match.end(), "abbreviations")
    said = language.span(first, language.weekdays[match["last"].lower()])
    return Words(said, match.end(), "abbreviations")


def _say_months(match: regex.Match[str], language: Language) -> Words | None:
    """Say `Jan-Mar 2025`."""
    names, year = language.month_names, match["year"]
    first, last = names[match["first"].lower()], names[match["last"].lower()]
    said = language.months[last - 1] if not year else language.month_year(last, int(year))
    said = language.span(language.months[first - 1], said)
    ends = match[0].endswith(".") and ends_sentence(match.string, match.end())
    return Words(said + ("." if ends else ""), match.end(), "dates")


def _months_pattern(language: Language) -> str:
    months = _names(tuple(language.month_names))
    capital = r"(?=\p{Lu})" if language.months_capitalized else ""
    return (
        rf"{NOT_IN_WORD}{capital}(?i:(?P<first>{months}))\.?(?:{DASH}| [-–] ?){capital}"
        rf"(?i:(?P<last>{months})){NO_WORD_FOLLOWS}(?!-)"
        rf"(?:\.?,? (?:de |del )?(?P<year>[12][0-9]{{3}})(?![0-9]|[.,][0-9])|\.)?"
    )


def _weekday_pattern(language: Language) -> str:
    days, months = _names(tuple(language.weekdays)), _names(tuple(language.month_names))
    capital, alone = ("", "(?!)") if not language.months_capitalized else (r"(?=\p{Lu})", "")
    return (
        rf"{NOT_IN_WORD}{capital}(?i:(?P<first>{days})(?:\.?(?:{DASH}| [-–] )"
        rf"(?=\p{{L}})(?P<last>{days})(?![\p{{L}}\p{{N}}])\.?"
        rf"|{alone}(?<=\p{{L}}{{3}})\.?(?=,? (?:[0-9]|(?:{months})(?!\p{{L}})))))"
    )


@lru_cache(maxsize=16)
def word_rules(language: Language) -> tuple[Rule, ...]:
    """Return the rules of abbreviations, in their order."""
    rules = [Rule(_INITIALS, _say_initials)]
    if language.weekdays:
        rules.append(Rule(compile_pattern(_weekday_pattern(language)), _say_weekday))
    if language.space:
        rules.append(Rule(compile_pattern(_months_pattern(language)), _say_months))
    if language.before_number:
        names = _names(tuple(language.before_number))
        pattern = rf"{NOT_IN_WORD}(?i:(?P<word>{names})) ?(?=[0-9]|\([0-9]{{1,3}}\))"
        rules.append(Rule(compile_pattern(pattern), _say_before_number))
        names = _names((*language.before_roman, *language.before_number))
        one = r"(?<=(?i:vol|bd|t)\. )I(?!['’]|\.? \p{Ll})"
        roman = rf"(?=[IVXLC]{{2}}|[VX](?!\p{{L}})|{one}){ROMAN}(?!\p{{L}}|['’]\p{{L}})"
        pattern = rf"{NOT_IN_WORD}(?i:(?P<word>{names})) {roman}(?:{DASH}{roman})?"
        rules.append(Rule(compile_pattern(pattern), _say_before_roman))
    pattern = (
        rf"{NOT_IN_WORD}(?<!&)(?i:{_names(tuple(language.abbreviations))})(?:(?<=[./])|(?![\p{{L}}\p{{N}}.]))"
        r"(?![\p{L}\p{N}])"
    )
    rules.append(Rule(compile_pattern(pattern), _say_abbreviation))
    if language.compounds:
        pattern = (
            rf"{NOT_IN_WORD}(?P<stem>\p{{L}}{{2,40}})(?P<last>{_names(tuple(language.compounds))})"
        )
        rules.append(Rule(compile_pattern(rf"{pattern}(?!\p{{L}})"), _say_compound))
    months = _names(tuple(name for name in language.month_names if len(name) <= 4))
    capital = r"(?=\p{Lu})" if language.months_capitalized else ""
    pattern = rf"{NOT_IN_WORD}{capital}(?i:(?P<month>{months}))\."
    rules.append(Rule(compile_pattern(pattern), _say_month))
    return tuple(rules)
