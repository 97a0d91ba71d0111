"""Numbers as they are written: with groups of digits, decimals and signs before and behind them."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.languages.terms import Number

# What belongs to a word in scripts that put spaces between words.
NO_SPACES = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]"
LETTER = rf"[[\p{{L}}\p{{M}}]--{NO_SPACES}]"
WORD = rf"[[\p{{L}}\p{{M}}\p{{Nd}}]--{NO_SPACES}]"
NOT_IN_WORD = rf"(?<!{WORD})"
NO_WORD_FOLLOWS = rf"(?!{WORD})"
# A comma or full stop that more digits follow makes another number.
NO_DIGITS_FOLLOW = r"(?![0-9]|[.,][0-9])"
DASH = r"[-‐-–−~～]"
SPACES = frozenset(" \u00a0\u2009\u202f")
_SPACES = f"[{''.join(sorted(SPACES))}]"
SPACE = rf"{_SPACES}?+"
# Each place of a longer row would be looked at to its end.
_MAX_GROUPS = 18


def number_pattern(language: Language) -> str:
    """Return the pattern of a number in a language, without a sign before it."""
    group, point = regex.escape(language.group_signs), regex.escape(language.decimal_sign)
    some = rf"{{1,{_MAX_GROUPS}}}+"
    grouped = (
        rf"[0-9]{{1,3}}(?:(?:[{group}][0-9]{{3}}){some}|(?:{_SPACES}[0-9]{{3}}){some})(?![0-9])"
    )
    lakhs = rf"|[0-9]{{1,2}}(?:,[0-9]{{2}}(?=,)){some},[0-9]{{3}}(?![0-9])" if "," in group else ""
    whole = rf"(?:{grouped}{lakhs}|[0-9]++)"
    # Where a comma is the decimal sign, a full stop before less or more than three digits is, too.
    other = "" if language.decimal_sign == "." else r"|\.(?![0-9]{3}(?![0-9]))[0-9]++"
    # Where both signs are there, they tell which is which, whatever the language.
    first, last = (r"\.", ",") if language.decimal_sign == "." else (",", r"\.")
    swapped = rf"[0-9]{{1,3}}(?:{first}[0-9]{{3}}){some}{last}[0-9]{{1,2}}(?![0-9]|[.,][0-9])"
    # Two groups are groups, also by the other sign: `1,000,000`.
    swapped += rf"|[0-9]{{1,3}}(?:{first}[0-9]{{3}}){{2,{_MAX_GROUPS}}}+(?![0-9]|[.,][0-9])"
    return rf"(?:{swapped}|{whole}(?:{point}[0-9]++{other})?+|{point}[0-9]++)"


@lru_cache(maxsize=16)
def _pattern(language: Language) -> regex.Pattern[str]:
    return compile_pattern(number_pattern(language))


def match_number(text: str, position: int, language: Language) -> tuple[Number, int] | None:
    """Return the number at a position, and where it ends."""
    match = _pattern(language).match(text, position)
    return match and (parse_number(match[0], language), match.end())


def parse_number(written: str, language: Language) -> Number:
    """Return what `number_pattern` has matched."""
    if written.isdecimal():
        return Number(written)
    sign = written.rfind(language.decimal_sign)
    if sign >= 0 and written.count(language.decimal_sign) > 1:
        sign = -1  # of groups
    if "." in written and "," in written:
        sign = max(written.rfind("."), written.rfind(","))
    elif sign < 0 and language.decimal_sign == "," and "." in written:
        tail = written[written.rfind(".") + 1 :]
        sign = written.rfind(".") if len(tail) != 3 else -1
    whole, decimals = (written, "") if sign < 0 else (written[:sign], written[sign + 1 :])
    return Number("".join(filter(str.isdigit, whole)), decimals)


def is_year(digits: str) -> bool:
    """Return whether digits without a sign between them are probably a year."""
    return len(digits) == 4 and digits.isdecimal() and 1010 <= int(digits) <= 2099


def plain_digits(text: str) -> str:
    """Return a text of the same length, whose decimal digits of all scripts are 0 to 9."""
    others = {char for char in set(text) if char > "\x7f" and char.isdecimal()}
    table = {ord(char): str(unicodedata.decimal(char)) for char in others}
    return text.translate(table) if table else text
