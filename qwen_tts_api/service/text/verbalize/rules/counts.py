"""Ordinals, scores, lengths, dimensions and powers of ten."""

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
from qwen_tts_api.service.text.verbalize.rules.fractions import VULGAR
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words, context_of, is_quoted
from qwen_tts_api.service.text.verbalize.rules.tails import is_unit, tails_of

_END = rf"{NO_WORD_FOLLOWS}{NO_DIGITS_FOLLOW}"
_POWERS = tuple("^⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PER = compile_pattern(r"(?ri)(?:\b(?:per|a|an|each|every|pro|je|par|le|por|el|cada|1) |每)")
_INCHES = frozenset('"″”')
_DIMENSIONS = "long|wide|tall|high|deep|thick|away|by|x"


def _say_ordinal(match: regex.Match[str], language: Language) -> Words | None:
    digits = match["digits"].replace(",", "").replace(".", "")
    if len(digits) > 9:
        return None
    suffix, context = match["suffix"], context_of(match)
    said = language.ordinal_in(int(digits), suffix, context)
    if said and match["from"]:
        first = language.ordinal_in(int(match["from"]), suffix, context)
        said = first and language.span(first, said)
    return Words(said, match.end(), "numbers") if said else None


def _say_metres(match: regex.Match[str], language: Language) -> Words | None:
    """Say `1m80`."""
    metres = language.counted(parse_number(match["metres"], language), language.units["m"])
    said = language.join(metres, language.whole(match["rest"]))
    return Words(said, match.end(), "units")


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


def _say_compound(match: regex.Match[str], language: Language) -> Words | None:
    """Say digits that make one word with what is behind them: `5jährig`, `100%ig`."""
    said = language.compound(parse_number(match["digits"], language), match["tail"])
    return Words(said, match.end(), "numbers")


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
    times = language.signs["×"]
    said = language.join(number, times, language.cardinal(10), language.power(power))
    return Words(said, match.end(), "numbers")


def _say_feet(match: regex.Match[str], language: Language) -> Words | None:
    if "ft" not in language.units:
        return None
    # Twelve inches are a foot, so more of them are seconds.
    is_angle = match.string[: match.start()].endswith("°") or int(match["inches"] or 0) > 11
    feet, inches = (language.units[each] for each in (("min", "s") if is_angle else ("ft", "in")))
    said = [language.counted(parse_number(match["feet"], language), feet)]
    if match["part"]:
        part, whole = map(int, unicodedata.normalize("NFKC", match["part"]).split("⁄"))
        said += [language.mixed(match["inches"], part, whole), inches.many]
    elif match["inches"]:
        said.append(language.counted(parse_number(match["inches"], language), inches))
    return Words(language.join(*said), match.end(), "units")


def _say_area(match: regex.Match[str], language: Language) -> Words | None:
    """Say feet or inches of several sides: `10'x12'`, `8" x 10"`."""
    noun = language.units.get("in" if match["mark"] in _INCHES else "ft")
    if noun is None:
        return None
    numbers = [parse_number(each, language) for each in match.captures("number")]
    said = [language.counted(each, noun) for each in numbers]
    return Words(f" {language.signs['by']} ".join(said), match.end(), "units")


def _say_length(match: regex.Match[str], language: Language) -> Words | None:
    """Say feet or inches alone: `a 15" screen`, `6' tall`, `8" x 10"`."""
    noun = language.units.get("in" if match["inches"] else "ft")
    if noun is None:
        return None
    if match["described"] is not None:
        # A mark behind a number may close what another has opened.
        is_open = match["inches"] and is_quoted(match.string, match.start())
        if is_open or (not match["inches"] and not match["article"]):
            return None
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
            rf"{NOT_IN_WORD}(?P<digits>[0-9]{{1,6}}(?:{point}[0-9]{{1,3}})?)-?(?P<tail>{tails}){NO_WORD_FOLLOWS}",
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
            rf"(?:['’′][ -]?(?P<inches>[0-9]{{1,2}})(?: ?(?P<part>[{VULGAR}]))?(?:[\"″”]|'')?|′)"
            rf"(?![\p{{L}}0-9])",
            _say_feet,
        ),
        (
            rf"{NOT_IN_WORD}(?P<number>{number})(?P<mark>[\"″”'’′])"
            rf"(?: ?[xX×] ?(?P<number>{number})(?P=mark)){{1,2}}(?![\p{{L}}0-9])",
            _say_area,
        ),
        (
            rf"{NOT_IN_WORD}(?P<number>{number})(?:(?P<inches>[\"″”])|['’′])"
            rf"(?:(?= ?[xX×] ?[0-9]| (?:{_DIMENSIONS})\b)|(?<=″|[\"″'′] ?[xX×] ?[0-9.]++.)"
            rf"|(?<!^|[0-9]{{4}}.)(?P<described>(?P<article>(?<=\b(?:[Aa]n?|[Tt]he) [0-9.]++.))?"
            rf"(?= \p{{L}})))",
            _say_length,
        ),
        (rf"{begin}(?P<metres>[0-9]{{1,2}})m(?P<rest>[0-9]{{2}}){_END}", _say_metres),
        (
            rf"{begin}(?P<first>[0-9]{{1,3}}|[0-9]{{4,7}}(?=:1(?![0-9]))):(?P<second>[0-9]{{1,7}})"
            rf"{_END}(?!:)",
            _say_score,
        ),
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


def _say_area_unit(match: regex.Match[str], language: Language) -> Words | None:
    """Say `per m²` and `in km²`."""
    noun = language.units.get(match["unit"])
    if noun is None:
        return None
    begin = match.start()
    is_one = _PER.match(match.string, max(0, begin - 10), begin) is not None
    return Words(noun.one if is_one else noun.many, match.end(), "units")


def area_unit_rule() -> Rule:
    """Return the rule of square and cubic metres that no number is before."""
    pattern = (
        rf"{NOT_IN_WORD}(?<![-+=*/^<>−0-9] ?)(?P<unit>[kcm]?m[²³]){NO_WORD_FOLLOWS}"
        r"(?! ?[-+=*/^<>≤≥−²³⁰-⁹])"
    )
    return Rule(compile_pattern(pattern), _say_area_unit)


def ordinal_rule(suffixes: str) -> Rule:
    """Return the rule of ordinals that suffixes mark, such as `22nd`."""
    digits = r"(?P<digits>[0-9]{1,3}(?:[,.][0-9]{3})++|[0-9]++)"
    mark = r"(?:\.|st|nd|rd|th)"
    several = rf"(?:(?P<from>[0-9]{{1,3}}){mark}(?:{DASH}|(?<=\.) [-–] )(?=[0-9]{{1,3}}{mark}))?+"
    pattern = rf"{NOT_IN_WORD}{several}{digits}(?P<suffix>{suffixes}){NO_WORD_FOLLOWS}"
    return Rule(compile_pattern(pattern), _say_ordinal)
