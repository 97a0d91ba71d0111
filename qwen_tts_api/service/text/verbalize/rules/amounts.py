"""Amounts: numbers with a currency, a unit, percent or a scale, and ranges of them."""

from __future__ import annotations

from functools import lru_cache

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Currency, Language, Number
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
)
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Said, context_at

# Also words, or names of things: `5 in all`, `4K`.
_ONLY_ATTACHED = frozenset(("in",))
_NEVER_ATTACHED = frozenset(("K", "t", "pt", "ac"))
_DOTTED = frozenset("ft lb lbs oz in min mins sec secs hr hrs mi yd yds gal Std".split())


class _Tails:
    """What may stand behind a number, by language."""

    def __init__(self, language: Language) -> None:
        def names(table: object) -> str:
            assert isinstance(table, dict)
            return "|".join(regex.escape(name) for name in sorted(table, key=len, reverse=True))

        self.unit = compile_pattern(
            rf"(?P<space>{SPACE})(?P<unit>{names(language.units)})(?!{LETTER}|[0-9]|['’]\p{{L}})"
        )
        self.scale = compile_pattern(
            rf"{SPACE}(?P<scale>{names(language.scales)}){NO_WORD_FOLLOWS}"
        )
        self.currency = compile_pattern(
            rf"{SPACE}(?P<currency>{names(language.currencies)}){NO_WORD_FOLLOWS}"
        )
        self.per = compile_pattern(rf"/(?P<per>{language.per_names})(?![0-9])")


_PERCENT = compile_pattern(rf"{SPACE}(?P<sign>[%％‰])")
_PLUS = compile_pattern(rf"\+(?![0-9])(?!{LETTER})")
_NO_SENTENCE_END = compile_pattern(r"\.(?= \p{Ll}| [0-9]|[,;)])")
_RANGE = compile_pattern(rf"(?:{DASH}|\u2009?[–—]\u2009?| ?– ?)(?=[0-9])")


@lru_cache(maxsize=16)
def _tails(language: Language) -> _Tails:
    return _Tails(language)


def say_amount(text: str, position: int, language: Language, *, is_negative: bool) -> Said | None:
    """Return an amount at a position, which a unit follows; None if it is a number alone."""
    found = match_number(text, position, language)
    if found is None:
        return None
    number, end = found[0]._replace(is_negative=is_negative), found[1]
    tails = _tails(language)
    if percent := _PERCENT.match(text, end):
        return Said(
            language.percentage(number, percent["sign"].replace("％", "%")), percent.end(), "units"
        )
    scale = tails.scale.match(text, end)
    behind = scale.end() if scale else end
    currency = tails.currency.match(text, behind)
    if currency and (scale is None or _is_scale(scale)):
        money = _money(number, scale and scale["scale"], currency["currency"], language)
        return _with_per(text, Said(money, currency.end(), "units"), language)
    unit = tails.unit.match(text, end)
    if unit and _is_unit(text, unit):
        stop = unit.end()
        noun = language.units[unit["unit"]]
        if unit["unit"] in _DOTTED and regex.match(
            r"\.(?= \p{Ll}| [0-9]|[,;)])", text[stop : stop + 3]
        ):
            stop += 1
        if unit["unit"].endswith(".") and not text[stop:].strip():
            stop -= 1  # it ends the sentence, too
        return _with_per(text, Said(language.counted(number, noun), stop, "units"), language)
    if scale and _is_scale(scale):
        said = language.scaled(number, language.scales[scale["scale"]], None)
        return Said(said, scale.end(), "numbers")
    if (plus := _PLUS.match(text, end)) and language.signs.get("+"):
        said = language.join(language.number(number), language.signs["+"])
        return Said(said, plus.end(), "numbers")
    return None


def say_price(
    text: str, position: int, sign: str, language: Language, *, minus: bool
) -> Said | None:
    """Return an amount of money whose sign or code stood before `position`."""
    found = match_number(text, position, language)
    if found is None:
        return None
    number, end = found[0]._replace(is_negative=minus), found[1]
    dash = _RANGE.match(text, end)
    if dash and (other := say_price(text, dash.end(), sign, language, minus=False)):
        said = language.span(language.number(number), other.text)
        return Said(said, other.end, "units")
    scale = _tails(language).scale.match(text, end)
    money = _money(number, scale and scale["scale"], sign, language)
    return _with_per(text, Said(money, scale.end() if scale else end, "units"), language)


def _money(number: Number, scale: str | None, sign: str, language: Language) -> str:
    currency: Currency = language.currencies[sign]
    if scale:
        return language.scaled(number, language.scales[scale], currency.unit)
    return language.money(number, currency)


def _with_per(text: str, said: Said, language: Language) -> Said:
    """Add what stands behind a slash: `km/h`, `$5/month`."""
    per = _tails(language).per.match(text, said.end)
    if per is None:
        return said
    noun = language.units.get(per["per"])
    is_short = len(per["per"]) < 3 and per["per"].isascii()
    if noun is None and (is_short or per["per"].isupper()):
        return said
    word = noun.one if noun else per["per"]
    return Said(language.rate(said.text, word), per.end(), said.kind)


def _is_unit(text: str, match: regex.Match[str]) -> bool:
    """Return whether letters behind a number are a unit rather than a word or a part of a name."""
    unit, has_space = match["unit"], bool(match["space"])
    if not has_space:
        return unit not in _NEVER_ATTACHED
    is_letter = len(unit) == 1 and unit.isalpha()
    return unit not in _ONLY_ATTACHED and not (
        is_letter and text[match.end() : match.end() + 1] == "-"
    )


def _is_scale(match: regex.Match[str]) -> bool:
    """Return whether it is one: a single letter only directly behind the number, K and T never."""
    scale = match["scale"]
    is_word = len(scale) > 1 or not scale.isascii()
    return is_word or (match[0] == scale and scale in "kMB")


def say_number(match: regex.Match[str], language: Language) -> Said | None:
    """Return a number that stands alone; four digits without a sign are a year."""
    found = match_number(match.string, match.start(), language)
    assert found
    number, end = found
    return Said(_plain(match.string, match.start(), end, number, language), end, "numbers")


def _plain(text: str, begin: int, end: int, number: Number, language: Language) -> str:
    context = context_at(text, begin, end)
    if is_year(text[begin:end]) and language.is_year_in(context):
        return language.year(int(number.whole))
    return language.number_in(number, context)


def _say_amount(match: regex.Match[str], language: Language) -> Said | None:
    is_negative = match[0][0] not in "0123456789.,"
    position = match.start() + is_negative
    said = say_amount(match.string, position, language, is_negative=is_negative)
    if said is None and is_negative:
        found = match_number(match.string, position, language)
        if found:
            number = found[0]._replace(is_negative=True)
            return Said(language.number(number), found[1], "numbers")
    return said


def _say_range(match: regex.Match[str], language: Language) -> Said | None:
    text, second = match.string, match.end()
    first, written = match["first"], match_number(match.string, second, language)
    if written is None:
        return None
    number, end = written
    if regex.match(rf"{DASH}[0-9]|[.,][0-9]", text[end : end + 2]):
        return None
    begin = match_number(first, 0, language)
    assert begin
    context = context_at(text, match.start(), end)
    is_years = (
        language.is_year_in(context)
        and is_year(first)
        and (is_year(text[second:end]) or end - second == 2)
    )
    other = None if is_years else say_amount(text, second, language, is_negative=False)
    if other is None and not regex.match(NO_WORD_FOLLOWS, text[end : end + 1], regex.V1):
        return None
    if other is None:
        other = Said(_plain(text, second, end, number, language), end, "numbers")
        said = language.year(int(first)) if is_years else language.number_in(begin[0], context)
    else:
        said = language.number(begin[0])
    return Said(language.span(said, other.text), other.end, other.kind)


def _say_price(match: regex.Match[str], language: Language) -> Said | None:
    minus = bool(match["minus"] or match["inner"])
    return say_price(match.string, match.end(), match["sign"], language, minus=minus)


def price_rule(language: Language) -> Rule:
    """Return the rule of amounts whose currency stands before them."""
    signs = "|".join(regex.escape(each) for each in sorted(language.currencies, key=len)[::-1])
    pattern = rf"{NOT_IN_WORD}(?P<minus>[-−])?(?P<sign>{signs}){SPACE}(?P<inner>[-−])?(?=[0-9.,])"
    return Rule(compile_pattern(pattern), _say_price)


def _say_digits(match: regex.Match[str], language: Language) -> Said | None:
    return Said(language.whole(match["digits"]), match.end(), "numbers")


def digits_rule() -> Rule:
    """Return the rule of digits that are none of the other things."""
    return Rule(compile_pattern(r"[-−+.]?(?P<digits>[0-9]++)"), _say_digits)


def number_rules(language: Language) -> list[Rule]:
    """Return the rules of ranges, amounts and plain numbers, in their order."""
    number = number_pattern(language)
    minus = r"(?:(?<=^|[\s(\[=:,;/*×+^])[-−])?"
    alone = rf"{NOT_IN_WORD}{number}{NO_WORD_FOLLOWS}{NO_DIGITS_FOLLOW}"
    return [
        Rule(
            compile_pattern(rf"{NOT_IN_WORD}(?P<first>{number})(?:{DASH}| ?– ?)(?=[0-9])"),
            _say_range,
        ),
        Rule(compile_pattern(rf"{NOT_IN_WORD}{minus}(?={number})[0-9.,]"), _say_amount),
        Rule(compile_pattern(alone), say_number),
    ]
