"""Amounts: numbers with a currency, a unit, percent or a scale, and ranges of them."""

from __future__ import annotations

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.languages.terms import Currency, Noun, Number
from qwen_tts_api.service.text.verbalize.numerals import (
    DASH,
    LETTER,
    NO_DIGITS_FOLLOW,
    NO_WORD_FOLLOWS,
    NOT_IN_WORD,
    SPACE,
    is_year,
    match_number,
    number_pattern,
    parse_number,
)
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words, context_at
from qwen_tts_api.service.text.verbalize.rules.tails import is_scale, is_unit, tails_of

_DOTTED = frozenset("ft lb lbs oz in min mins sec secs hr hrs mi yd yds gal Std".split())

MIN_SERIAL_DIGITS = 10
"""So many digits without groups, which are not round, are a serial number: said one by one."""


_PERCENT = compile_pattern(rf"{SPACE}(?P<sign>[%％‰])")
_PLURAL = compile_pattern(rf"['’]?s{NO_WORD_FOLLOWS}")
_PLUS = compile_pattern(rf"\+(?![0-9])(?!{LETTER})")
_NO_SENTENCE_END = compile_pattern(r"\.(?= \p{Ll}| [0-9]|[,;)])")
TO = rf"(?:{DASH}|\u2009?[–—]\u2009?| ?– ?)(?=[0-9])"
_RANGE = compile_pattern(TO)
_SPACED = compile_pattern(" - (?=[0-9])")
_OPERATION = compile_pattern(" ?[-−+*/×=^%]")
_DESCRIBED = compile_pattern(r"[ -]\p{L}")


def _with_cents(text: str, found: tuple[Number, int], language: Language) -> tuple[Number, int]:
    """Return a number beside a currency, whose decimals may stand behind a comma."""
    number, end = found
    if number.decimals:
        if len(number.decimals) == 3 and number.decimals[-1] == "0":
            return number._replace(whole=number.whole + number.decimals, decimals=""), end
        return found
    cents = tails_of(language).cents.match(text, end)
    return (number._replace(decimals=cents["cents"] or ""), cents.end()) if cents else found


def _describes(text: str, begin: int, end: int, language: Language) -> bool:
    """Return whether an amount describes a noun, and so is in the singular: `a 5 km run`."""
    article = tails_of(language).article.match(text, max(0, begin - 8), begin)
    return bool(language.article and article and _DESCRIBED.match(text, end))


def _single(noun: Noun) -> Noun:
    return noun._replace(many=noun.one)


def say_amount(text: str, position: int, language: Language, *, is_negative: bool) -> Words | None:
    """Return an amount at a position, which a unit follows; None if it is a number alone."""
    found = match_number(text, position, language)
    if found is None or not tails_of(language).may_begin(text, found[1]):
        return None
    money = _with_cents(text, found, language)
    if money != found and tails_of(language).currency.match(text, money[1]):
        found = money
    number, end = found[0]._replace(is_negative=is_negative), found[1]
    tails = tails_of(language)
    if percent := _PERCENT.match(text, end):
        return Words(
            language.percentage(number, percent["sign"].replace("％", "%")), percent.end(), "units"
        )
    scale = tails.scale.match(text, end)
    behind = scale.end() if scale else end
    currency = tails.currency.match(text, behind)
    if scale is None and language.money_scales and (other := tails.money_scale.match(text, end)):
        currency = tails.currency.match(text, other.end())
        scale = other if currency else None
    if currency and (scale is None or scale["scale"] in language.money_scales or is_scale(scale)):
        is_single = _describes(text, position, currency.end(), language)
        said = _money(number, scale and scale["scale"], currency["currency"], language, is_single)
        return with_per(text, Words(said, currency.end(), "units"), language)
    hyphen = tails.hyphen.match(text, end)
    unit = tails.unit.match(text, hyphen.end() if hyphen else end)
    if scale and scale["scale"] == "m" and tails.millions.match(text, scale.end()):
        said = language.scaled(number, language.scales["m"], None)
        return Words(said, scale.end(), "numbers")
    if unit and (hyphen or is_unit(text, unit)):
        return _say_unit(text, position, number, unit, language)
    if scale and (is_scale(scale) or (scale["scale"] == "M" and tails.of.match(text, scale.end()))):
        said = language.scaled(number, language.scales[scale["scale"]], None)
        return Words(said, scale.end(), "numbers")
    if (plus := _PLUS.match(text, end)) and language.signs.get("+"):
        said = language.join(language.number(number), language.signs["+"])
        return Words(said, plus.end(), "numbers")
    return None


def _say_unit(
    text: str, position: int, number: Number, unit: regex.Match[str], language: Language
) -> Words:
    """Return a number of a unit; without its full stop, unless that ends the sentence."""
    stop, symbol = unit.end(), unit["unit"]
    if symbol in _DOTTED and _NO_SENTENCE_END.match(text, stop):
        stop += 1
    if symbol.endswith(".") and not text[stop:].strip():
        stop -= 1  # it ends the sentence, too
    noun = language.units[symbol]
    if text[unit.start() - 1] == "-" or _describes(text, position, stop, language):
        noun = _single(noun)
    return with_per(text, Words(language.counted(number, noun), stop, "units"), language)


def say_price(
    text: str, position: int, sign: str, language: Language, *, minus: bool
) -> Words | None:
    """Return an amount of money whose sign or code stood before `position`."""
    matched = match_number(text, position, language)
    if matched is None:
        return None
    found = _with_cents(text, matched, language)
    number, end = found[0]._replace(is_negative=minus), found[1]
    dash = _RANGE.match(text, end) or _rising(text, number, end, language)
    if dash and (other := say_price(text, dash.end(), sign, language, minus=False)):
        said = language.span(language.number(number), other.text)
        return Words(said, other.end, "units")
    if (plural := _PLURAL.match(text, end)) and (several := language.several(number)):
        return Words(several, plural.end(), "units")
    tails = tails_of(language)
    scale = tails.scale.match(text, end) or tails.money_scale.match(text, end)
    end = scale.end() if scale else end
    is_single = _describes(text, position - len(sign), end, language)
    money = _money(number, scale and scale["scale"], sign, language, is_single)
    return with_per(text, Words(money, end, "units"), language)


def _rising(text: str, number: Number, end: int, language: Language) -> regex.Match[str] | None:
    """Return the dash between two numbers of which the second is larger: `$5 - 10`."""
    dash = _SPACED.match(text, end)
    second = match_number(text, dash.end(), language) if dash else None
    is_rising = second and int(second[0].whole[:18] or 0) > int(number.whole[:18] or 0)
    return dash if is_rising and second and not _OPERATION.match(text, second[1]) else None


def _money(
    number: Number, scale: str | None, sign: str, language: Language, is_single: bool
) -> str:
    currency: Currency = language.currencies[sign]
    if is_single:
        cent = currency.cent and _single(currency.cent)
        currency = Currency(_single(currency.unit), cent)
    if scale:
        return language.scaled(
            number, {**language.scales, **language.money_scales}[scale], currency.unit
        )
    return language.money(number, currency)


def with_per(text: str, said: Words, language: Language) -> Words:
    """Add what stands behind a slash: `km/h`, `$5/month`."""
    per = tails_of(language).per.match(text, said.end)
    if per is None:
        return said
    noun = language.units.get(per["per"])
    is_short = len(per["per"]) < 3 and per["per"].isascii()
    if noun is None and (is_short or per["per"].isupper()):
        return said
    word = noun.one if noun else per["per"]
    return Words(language.rate(said.text, word), per.end(), said.kind)


def say_number(match: regex.Match[str], language: Language) -> Words | None:
    """Return a number that stands alone; four digits without a sign are a year."""
    number, (begin, end) = parse_number(match[0], language), match.span()
    return Words(say_plain(match.string, begin, end, number, language), end, "numbers")


def say_plain(text: str, begin: int, end: int, number: Number, language: Language) -> str:
    """Return a number without a unit: a year, a serial number, or one that agrees with a noun."""
    context = context_at(text, begin, end)
    is_serial = end - begin >= MIN_SERIAL_DIGITS and text[begin:end].isdecimal()
    if is_serial and number.whole[-3:] != "000":
        return language.digits(number.whole)
    if is_year(text[begin:end]) and language.is_year_in(context):
        return language.year(int(number.whole))
    return language.number_in(number, context)


def _say_amount(match: regex.Match[str], language: Language) -> Words | None:
    is_negative = match[0][0] not in "0123456789.,"
    position = match.start() + is_negative
    said = say_amount(match.string, position, language, is_negative=is_negative)
    if said is None and is_negative:
        found = match_number(match.string, position, language)
        if found:
            number = found[0]._replace(is_negative=True)
            return Words(language.number(number), found[1], "numbers")
    return said


def _say_price(match: regex.Match[str], language: Language) -> Words | None:
    minus = bool(match["minus"] or match["inner"])
    return say_price(match.string, match.end(), match["sign"], language, minus=minus)


def price_rule(language: Language) -> Rule:
    """Return the rule of amounts whose currency stands before them."""
    signs = "|".join(regex.escape(each) for each in sorted(language.currencies, key=len)[::-1])
    pattern = rf"{NOT_IN_WORD}(?P<minus>[-−])?(?P<sign>{signs}){SPACE}(?P<inner>[-−])?(?=[0-9.,])"
    return Rule(compile_pattern(pattern), _say_price)


def _say_digits(match: regex.Match[str], language: Language) -> Words | None:
    return Words(language.whole(match["digits"]), match.end(), "numbers")


def digits_rule() -> Rule:
    """Return the rule of digits that are none of the other things."""
    return Rule(compile_pattern(r"[-−+.]?(?P<digits>[0-9]++)"), _say_digits)


def number_rules(language: Language) -> list[Rule]:
    """Return the rules of amounts and plain numbers, in their order."""
    number = number_pattern(language)
    minus = (
        r"(?:(?<=^|[\s(\[|=:,;/*×+^：，（；]|(?<=[0-9°%C])–|(?![年月日号时分天度第])\p{Han}"
        r"(?=[-–−][0-9.]++(?:℃|°|[%％])))[-–−])?"
    )
    alone = rf"{NOT_IN_WORD}{number}{NO_WORD_FOLLOWS}{NO_DIGITS_FOLLOW}"
    return [
        Rule(compile_pattern(rf"{NOT_IN_WORD}{minus}(?={number})[0-9.,]"), _say_amount),
        Rule(compile_pattern(alone), say_number),
    ]
