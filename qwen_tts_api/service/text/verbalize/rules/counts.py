"""Ordinals, fractions, scores, lengths, dimensions and powers of ten."""

from __future__ import annotations

import unicodedata

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import (
    DASH,
    NO_DIGITS_FOLLOW,
    NO_WORD_FOLLOWS,
    NOT_IN_WORD,
    is_year,
    number_pattern,
    parse_number,
)
from qwen_tts_api.service.text.verbalize.rules.dates import is_date
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words, context_of
from qwen_tts_api.service.text.verbalize.rules.tails import is_unit, tails_of

MAX_DENOMINATOR = 16
"""Of a fraction that is said as such; 1/100 and 1/1000, too."""

_END = rf"{NO_WORD_FOLLOWS}{NO_DIGITS_FOLLOW}"
_POWERS = tuple("^⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_DIMENSIONS = "long|wide|tall|high|deep|thick|away|by|x"
_VULGAR = "½¼¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅐⅑⅒"


def _say_ordinal(match: regex.Match[str], language: Language) -> Words | None:
    digits = match["digits"].replace(",", "")
    if len(digits) > 9:
        return None
    suffix, context = match["suffix"], context_of(match)
    said = language.ordinal_in(int(digits), suffix, context)
    if said and match["from"]:
        first = language.ordinal_in(int(match["from"]), suffix, context)
        said = first and language.span(first, said)
    return Words(said, match.end(), "numbers") if said else None


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
    if whole != 16 and (date := _fraction_date(match, language)):
        return date
    if is_said and part:
        said = language.mixed(before, part, whole) if before else language.fraction(part, whole)
        said_so = _with_inches(match, Words(said, match.end(), "numbers"), language)
        return _with_unit(match, said_so, language, is_many=bool(before))
    if before:
        return None
    said = _say_slashed(match["part"], match["whole"], language)
    return _with_unit(match, Words(said, match.end(), "numbers"), language, is_many=True)


def _with_inches(match: regex.Match[str], said: Words, language: Language) -> Words:
    """Add the sign of inches behind a fraction, unless it may close a quotation."""
    text, end = match.string, match.end()
    is_open = text.count('"', 0, end) % 2 == 1
    if text[end : end + 1] not in ("″", *('"' * (not is_open))) or "in" not in language.units:
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
    first, second = int(match["part"]), int(match["whole"])
    months = [(first, second), (second, first)][:: 1 if language.month_first else -1]
    before = language.date_before
    is_named = bool(before and regex.search(before, context_of(match).before))
    # In the other order only where a date is expected: 22/7 is a fraction.
    month, day = next(((m, d) for m, d in months[: 2 if is_named else 1] if is_date(d, m)), (0, 0))
    is_told = is_named or max(first, second) > 12
    if not month or not is_told or first == second or match["before"]:
        return None
    said = language.date_in(day, month, None, context_of(match))
    return Words(said, match.end(), "dates")


def _say_rating(match: regex.Match[str], language: Language) -> Words | None:
    """Say `4.5/5`."""
    part = language.number(parse_number(match["part"], language))
    said = language.join(part, language.signs["/"], language.whole(match["whole"]))
    return Words(said, match.end(), "numbers")


def _say_metres(match: regex.Match[str], language: Language) -> Words | None:
    """Say `1m80`."""
    metres = language.counted(parse_number(match["metres"], language), language.units["m"])
    said = language.join(metres, language.whole(match["rest"]))
    return Words(said, match.end(), "units")


def _say_vulgar(match: regex.Match[str], language: Language) -> Words | None:
    part, whole = map(int, unicodedata.normalize("NFKC", match["vulgar"]).split("⁄"))
    before = match["before"]
    said = language.mixed(before, part, whole) if before else language.fraction(part, whole)
    return _with_unit(match, Words(said, match.end(), "numbers"), language, is_many=bool(before))


def _with_unit(match: regex.Match[str], said: Words, language: Language, *, is_many: bool) -> Words:
    """Add the unit behind a fraction: `1½ h`."""
    unit = tails_of(language).unit.match(match.string, said.end)
    if said.kind != "numbers" or unit is None or not is_unit(match.string, unit):
        return said
    noun = language.units[unit["unit"]]
    name = noun.many if is_many else noun.one
    return Words(language.join(said.text, name), unit.end(), "units")


def _say_angle(match: regex.Match[str], language: Language) -> Words | None:
    """Say `52°31'12"N`, `40.7° N` and `39°54'`."""
    if not (match["minutes"] or match["side"]):
        return None
    said = [
        language.counted(parse_number(match[part], language), language.units[unit])
        for part, unit in zip(("degrees", "minutes", "seconds"), language.angle_units, strict=True)
        if match[part]
    ]
    side = language.directions.get(match["side"] or "", "")
    return Words(language.join(*said, side), match.end(), "units")


def _say_verses(match: regex.Match[str], language: Language) -> Words | None:
    """Say chapter and verses: `1:1-3`, which are no times of the day."""
    first, last = int(match["first"]), int(match["last"])
    if not first < last or match["first"][0] == "0":
        return None
    chapter = language.whole(match["chapter"])
    verses = language.span(language.cardinal(first), language.cardinal(last))
    return Words(f"{chapter}{language.pause}{verses}", match.end(), "numbers")


def _say_compound(match: regex.Match[str], language: Language) -> Words | None:
    """Say digits that make one word with what is behind them: `5jährig`, `100%ig`."""
    said = language.compound(int(match["digits"]), match["tail"])
    return Words(said, match.end(), "numbers")


def verse_rule() -> Rule:
    """Return the rule of chapters with several verses."""
    pattern = (
        rf"{NOT_IN_WORD}(?<![0-9][.,/:-])(?P<chapter>[0-9]{{1,3}})[:：](?P<first>[0-9]{{1,3}}){DASH}"
        rf"(?P<last>[0-9]{{1,3}}){_END}(?![:：][0-9]| ?[aApP]\.?[mM]|%| ?Uhr)"
    )
    return Rule(compile_pattern(pattern), _say_verses)


def _say_score(match: regex.Match[str], language: Language) -> Words | None:
    first, second = language.whole(match["first"]), language.whole(match["second"])
    said = language.join(first, language.score or language.to, second)
    return Words(said, match.end(), "numbers")


def _say_size(match: regex.Match[str], language: Language) -> Words | None:
    said, end = [], match.end()
    written = regex.split(r" ?[xX×] ?", match[0])
    for each in written:
        number = parse_number(each, language)
        said.append(language.year(int(each)) if is_year(each) else language.number(number))
    unit = tails_of(language).unit.match(match.string, end)
    if unit and is_unit(match.string, unit):
        noun = language.units[unit["unit"]]
        said[-1], end = language.counted(parse_number(written[-1], language), noun), unit.end()
    is_product = " × " in match[0] or match.string[match.end() : match.end() + 1] in _POWERS
    word = language.signs["×" if is_product else "by"]
    return Words(f"{language.space}{word}{language.space}".join(said), end, "numbers")


def _say_power(match: regex.Match[str], language: Language) -> Words | None:
    number = language.number(parse_number(match["number"], language))
    minus = language.minus if match["sign"] == "-" else ""
    power = language.join(minus, language.whole(match["power"].lstrip("0") or "0"))
    times, raised = language.signs["×"], language.signs["^"]
    said = language.join(number, times, language.cardinal(10), raised, power)
    return Words(said, match.end(), "numbers")


def _say_feet(match: regex.Match[str], language: Language) -> Words | None:
    if "ft" not in language.units:
        return None
    is_angle = match.string[: match.start()].endswith("°")
    feet, inches = (language.units[each] for each in (("min", "s") if is_angle else ("ft", "in")))
    said = [language.counted(parse_number(match["feet"], language), feet)]
    if match["inches"]:
        said.append(language.counted(parse_number(match["inches"], language), inches))
    return Words(language.join(*said), match.end(), "units")


def _say_length(match: regex.Match[str], language: Language) -> Words | None:
    """Say feet or inches alone: `a 15" screen`, `6' tall`, `8" x 10"`."""
    noun = language.units.get("in" if match["inches"] else "ft")
    if noun is None:
        return None
    if match.string[match.end() : match.end() + 1] == " " and match["described"] is not None:
        noun = noun._replace(many=noun.one)
    number = parse_number(match["number"], language)
    return Words(language.counted(number, noun), match.end(), "units")


def count_rules(language: Language) -> list[Rule]:
    """Return the rules, in their order."""
    number, point = number_pattern(language), regex.escape(language.decimal_sign)
    begin = rf"{NOT_IN_WORD}(?<![0-9][.,/:])"
    tails = language.compound_tails or "(?!)"
    sixty = rf"[0-9]{{1,2}}(?:{point}[0-9]+)?"
    patterns = [
        (
            rf"{NOT_IN_WORD}(?P<digits>[0-9]{{1,6}})-?(?P<tail>{tails}){NO_WORD_FOLLOWS}",
            _say_compound,
        ),
        (
            rf"{NOT_IN_WORD}(?P<degrees>{number}) ?°(?: ?(?P<minutes>{sixty})['’′]"
            rf"(?: ?(?P<seconds>{sixty})(?:[\"”″]|''))?)?"
            r"(?: ?(?P<side>[NSEWO]{1,2})(?![\p{L}\p{N}]))?",
            _say_angle,
        ),
        (
            rf"{NOT_IN_WORD}(?P<feet>[0-9]{{1,2}})"
            r"(?:['’′] ?(?P<inches>[0-9]{1,2})(?:[\"″”]|'')?|′)"
            rf"(?![\p{{L}}0-9])",
            _say_feet,
        ),
        (
            rf"{NOT_IN_WORD}(?P<number>{number})(?:(?P<inches>[\"″”])|['’′])"
            rf"(?:(?= ?[xX×] ?[0-9]| (?:{_DIMENSIONS})\b)|(?<=″|[\"″'′] ?[xX×] ?[0-9.]++.)"
            rf"|(?P<described>(?<=\b(?:[Aa]n?|[Tt]he) [0-9.]++.)(?= \p{{L}})))",
            _say_length,
        ),
        (
            rf"{begin}(?:(?P<before>[0-9]{{1,9}})(?: | ?-))?"
            rf"(?P<part>[0-9]{{1,4}})[/⁄](?P<whole>[0-9]{{1,4}}){_END}(?!/)",
            _say_fraction,
        ),
        (
            rf"{begin}(?P<part>[0-9]{{1,3}}{point}[0-9]{{1,2}})/(?P<whole>[0-9]{{1,4}}){_END}(?!/)",
            _say_rating,
        ),
        (rf"{begin}(?P<metres>[0-9]{{1,2}})m(?P<rest>[0-9]{{2}}){_END}", _say_metres),
        (rf"{begin}(?P<first>[0-9]{{1,3}}):(?P<second>[0-9]{{1,7}}){_END}(?!:)", _say_score),
        (
            rf"{NOT_IN_WORD}{number}(?: ?[xX×] ?{number}){{1,3}}+"
            rf"(?={NO_WORD_FOLLOWS}| ?(?:cm|mm|m|km|px)\b)",
            _say_size,
        ),
        (
            rf"{NOT_IN_WORD}(?P<number>{number})[eE](?P<sign>[-+]?)(?P<power>[0-9]{{1,4}}){_END}",
            _say_power,
        ),
    ]
    behind = {_say_length: ("", "a ", "8″ x ")}
    return [
        Rule(compile_pattern(pattern), say, behind.get(say, ("",))) for pattern, say in patterns
    ]


def vulgar_rule() -> Rule:
    """Return the rule of fractions that are one sign: `3½`."""
    pattern = rf"(?:{NOT_IN_WORD}(?P<before>[0-9]{{1,9}}) ?)?(?P<vulgar>[{_VULGAR}])"
    return Rule(compile_pattern(pattern), _say_vulgar)


def ordinal_rule(suffixes: str) -> Rule:
    """Return the rule of ordinals that suffixes mark, such as `22nd`."""
    digits = r"(?P<digits>[0-9]{1,3}(?:,[0-9]{3})++|[0-9]++)"
    several = rf"(?:(?P<from>[0-9]{{1,3}})\.(?:{DASH}| [-–] )(?=[0-9]{{1,3}}\.))?+"
    pattern = rf"{NOT_IN_WORD}{several}{digits}(?P<suffix>{suffixes}){NO_WORD_FOLLOWS}"
    return Rule(compile_pattern(pattern), _say_ordinal)
