"""Ordinals, fractions, scores, dimensions, phone numbers, and long or dotted numbers."""

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
    match_number,
    number_pattern,
    parse_number,
)
from qwen_tts_api.service.text.verbalize.rules.dates import is_date
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Said, context_of

MAX_DENOMINATOR = 20
"""Of a fraction that is said as such; 1/100 and 1/1000, too."""

_END = rf"{NO_WORD_FOLLOWS}{NO_DIGITS_FOLLOW}"
_VULGAR = "½¼¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅐⅑⅒"


def say_phone(written: str, language: Language) -> str:
    """Return groups of digits, digit by digit, with a comma between groups; empty without any."""
    groups = regex.findall("[0-9]+", written)
    said = language.pause.join(language.phone(group) for group in groups)
    return language.join(language.signs["+"], said) if said and written[0] == "+" else said


def _say_phone(match: regex.Match[str], language: Language) -> Said | None:
    num_digits = sum(char in "0123456789" for char in match[0])
    if not 7 <= num_digits <= 15:
        return None
    return Said(say_phone(match[0], language), match.end(), "numbers")


def _say_chain(match: regex.Match[str], language: Language) -> Said | None:
    return Said(say_phone(match[0], language), match.end(), "numbers")


def _say_dotted(match: regex.Match[str], language: Language) -> Said | None:
    """Say an IP address digit by digit, a version by its numbers."""
    numbers = match["numbers"].split(".")
    is_address = len(numbers) == 4 and not match["v"] and all(int(n[:4]) < 256 for n in numbers)
    is_address = is_address and not any(n[0] == "0" < n[1:] for n in numbers)
    if "." in language.group_signs and not (is_address or match["v"]):
        found = match_number(match.string, match.start(), language)
        if found and found[1] == match.end():
            return None
    say = language.digits if is_address else language.whole
    if "." in language.group_signs and not (is_address or match["v"]):
        found = match_number(match.string, match.start(), language)
        if found and found[1] >= match.end():
            return None
    word = language.point if language.decimal_sign == "." and not is_address else language.dot
    said = f"{language.space}{word}{language.space}".join(say(number) for number in numbers)
    if match["v"]:
        said = language.join(language.version, said)
    port = match["port"]
    if port:
        said = language.join(said, language.address_signs[":"], language.digits(port))
    return Said(said, match.end(), "numbers")


def _say_ordinal(match: regex.Match[str], language: Language) -> Said | None:
    digits = match["digits"].replace(",", "")
    if len(digits) > 9:
        return None
    said = language.ordinal_in(int(digits), match["suffix"], context_of(match))
    return Said(said, match.end(), "numbers") if said else None


def _say_fraction(match: regex.Match[str], language: Language) -> Said | None:
    part, whole = int(match["part"]), int(match["whole"])
    before = match["before"]
    around_clock = (part, whole) == (24, 7) and not before
    if around_clock or (language.month_first and not before and (part, whole) == (9, 11)):
        said = language.join(language.cardinal(part), language.cardinal(whole))
        return Said(said, match.end(), "numbers" if around_clock else "dates")
    is_said = part < whole and (2 <= whole <= MAX_DENOMINATOR or whole in (32, 50, 64, 100, 1000))
    if is_said and part:
        said = language.mixed(before, part, whole) if before else language.fraction(part, whole)
        return Said(said, match.end(), "numbers")
    if before:
        return None
    month, day = (part, whole) if language.month_first else (whole, part)
    if is_date(day, month) and max(part, whole) > 12 and part != whole:
        said = language.date_in(day, month, None, context_of(match))
        return Said(said, match.end(), "dates")
    said = language.join(language.whole(match["part"]), language.whole(match["whole"]))
    return Said(said, match.end(), "numbers")


def _say_vulgar(match: regex.Match[str], language: Language) -> Said | None:
    part, whole = map(int, unicodedata.normalize("NFKC", match["vulgar"]).split("⁄"))
    before = match["before"]
    said = language.mixed(before, part, whole) if before else language.fraction(part, whole)
    return Said(said, match.end(), "numbers")


def _say_score(match: regex.Match[str], language: Language) -> Said | None:
    first, second = language.whole(match["first"]), language.whole(match["second"])
    said = language.join(first, language.score or language.to, second)
    return Said(said, match.end(), "numbers")


def _say_size(match: regex.Match[str], language: Language) -> Said | None:
    said = []
    for each in regex.split(r" ?[xX×] ?", match[0]):
        number = parse_number(each, language)
        said.append(language.year(int(each)) if is_year(each) else language.number(number))
    word = language.signs["×" if " × " in match[0] else "by"]
    return Said(f"{language.space}{word}{language.space}".join(said), match.end(), "numbers")


def _say_power(match: regex.Match[str], language: Language) -> Said | None:
    number = language.number(parse_number(match["number"], language))
    minus = language.minus if match["sign"] == "-" else ""
    power = language.join(minus, language.whole(match["power"].lstrip("0") or "0"))
    times, raised = language.signs["×"], language.signs["^"]
    said = language.join(number, times, language.cardinal(10), raised, power)
    return Said(said, match.end(), "numbers")


def _say_feet(match: regex.Match[str], language: Language) -> Said | None:
    if "ft" not in language.units:
        return None
    feet, inches = language.units["ft"], language.units["in"]
    said = [language.counted(parse_number(match["feet"], language), feet)]
    if match["inches"]:
        said.append(language.counted(parse_number(match["inches"], language), inches))
    return Said(language.join(*said), match.end(), "units")


def count_rules(language: Language) -> list[Rule]:
    """Return the rules, in their order."""
    number = number_pattern(language)
    begin = rf"{NOT_IN_WORD}(?<![0-9][.,/:])"
    blank = r"[ \u00A0]"
    patterns = [
        (rf"\+[0-9]{{1,3}}(?:{blank}|[-./(])[-.()/ \u00A00-9]{{5,24}}[0-9]{_END}", _say_phone),
        (r"\+[0-9]{8,15}(?![0-9])", _say_phone),
        (
            rf"(?:{NOT_IN_WORD}(?:1[-. ])?(?:\([0-9]{{3}}\) ?|[0-9]{{3}}[-. ]))[0-9]{{3}}[-. ]"
            rf"[0-9]{{4}}{_END}(?!-)",
            _say_phone,
        ),
        (rf"{NOT_IN_WORD}[0-9]{{3}}-[0-9]{{4}}{_END}(?!-[0-9])", _say_phone),
        (
            rf"{begin}0[0-9]{{1,5}}(?:[-/]| / )[0-9]{{3,}}(?:[- ][0-9]{{2,}}){{0,5}}{_END}",
            _say_phone,
        ),
        (rf"{begin}0[0-9]{{1,4}}(?:[ .][0-9]{{2,8}}){{1,5}}{_END}", _say_phone),
        (rf"{begin}[0-9]++(?:{DASH}[0-9]++){{2,}}+{NO_WORD_FOLLOWS}", _say_chain),
        (
            r"(?:(?P<v>[vV]\.? ?)(?P<numbers>[0-9]++(?:\.[0-9]++)*+)"
            rf"|(?P<numbers>[0-9]++(?:\.[0-9]++){{2,}}+))(?::(?P<port>[0-9]{{1,5}}))?{NO_WORD_FOLLOWS}",
            _say_dotted,
        ),
        (
            rf"{NOT_IN_WORD}(?P<feet>[0-9]{{1,2}})"
            r"(?:['’′] ?(?P<inches>[0-9]{1,2})(?:[\"″”]|'')?|′)"
            rf"(?![\p{{L}}0-9])",
            _say_feet,
        ),
        (
            rf"{begin}(?:(?P<before>[0-9]{{1,9}})(?: | ?-))?"
            rf"(?P<part>[0-9]{{1,4}})[/⁄](?P<whole>[0-9]{{1,4}}){_END}(?!/)",
            _say_fraction,
        ),
        (rf"{begin}(?P<first>[0-9]{{1,3}}):(?P<second>[0-9]{{1,3}}){_END}(?!:)", _say_score),
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
    if language.phone_pattern:
        patterns.insert(0, (rf"{begin}(?:{language.phone_pattern}){_END}", _say_chain))
    return [Rule(compile_pattern(pattern), say) for pattern, say in patterns]


def vulgar_rule() -> Rule:
    """Return the rule of fractions that are one sign: `3½`."""
    pattern = rf"{NOT_IN_WORD}(?:(?P<before>[0-9]{{1,9}}) ?)?(?P<vulgar>[{_VULGAR}])"
    return Rule(compile_pattern(pattern), _say_vulgar)


def ordinal_rule(suffixes: str) -> Rule:
    """Return the rule of ordinals that suffixes mark, such as `22nd`."""
    digits = r"(?P<digits>[0-9]{1,3}(?:,[0-9]{3})++|[0-9]++)"
    pattern = rf"{NOT_IN_WORD}{digits}(?P<suffix>{suffixes}){NO_WORD_FOLLOWS}"
    return Rule(compile_pattern(pattern), _say_ordinal)
