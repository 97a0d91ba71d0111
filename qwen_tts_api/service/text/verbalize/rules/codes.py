"""Digits that are no amount: telephone numbers, cards, versions, IP addresses."""

from __future__ import annotations

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import (
    DASH,
    NO_DIGITS_FOLLOW,
    NO_WORD_FOLLOWS,
    NOT_IN_WORD,
    match_number,
)
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words

_HEX = "[0-9A-Fa-f]"
_UUID = rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
_MAC = rf"{_HEX}{{2}}(?P<joint>[:-]){_HEX}{{2}}(?:(?P=joint){_HEX}{{2}}){{4}}"
_GROUP = rf"{_HEX}{{1,4}}"
_IPV6 = rf"(?:{_GROUP}:){{7}}{_GROUP}|(?:{_GROUP}:){{1,7}}+(?:(?::{_GROUP}){{1,6}}+|:)"
_END = rf"{NO_WORD_FOLLOWS}{NO_DIGITS_FOLLOW}"


def say_phone(written: str, language: Language) -> str:
    """Return groups of digits, digit by digit, with a comma between groups; empty without any."""
    groups = regex.findall("[0-9]+", written)
    said = language.pause.join(language.phone(group) for group in groups)
    return language.join(language.signs["+"], said) if said and written[0] == "+" else said


def _say_phone(match: regex.Match[str], language: Language) -> Words | None:
    num_digits = sum(char in "0123456789" for char in match[0])
    if not 7 <= num_digits <= 15:
        return None
    return Words(say_phone(match[0], language), match.end(), "numbers")


def _say_chain(match: regex.Match[str], language: Language) -> Words | None:
    return Words(say_phone(match[0], language), match.end(), "numbers")


def _say_account(match: regex.Match[str], language: Language) -> Words | None:
    """Say an international number of a bank account (IBAN)."""
    groups = language.pause.join(language.spell(group) for group in match[0].split(" "))
    return Words(groups, match.end(), "numbers")


def _say_hex(match: regex.Match[str], language: Language) -> Words | None:
    """Say an IPv6 or MAC address or a UUID, character by character."""
    groups = regex.split("-", match[0])
    said = language.pause.join(
        language.spell_all(group) if ":" in group else language.spell(group) for group in groups
    )
    return Words(said, match.end(), "numbers")


def _say_dotted(match: regex.Match[str], language: Language) -> Words | None:
    """Say an IP address digit by digit, a version by its numbers."""
    numbers = match["numbers"].split(".")
    is_grouped = all(len(each) == 3 for each in numbers[1:]) and len(numbers[0]) < 4
    is_grouped = is_grouped and numbers[0] != "0" and not match["v"]
    is_address = len(numbers) == 4 and not match["v"] and all(int(n[:4]) < 256 for n in numbers)
    is_address = is_address and not any(n[0] == "0" < n[1:] for n in numbers)
    if is_grouped and not is_address and "." not in language.group_signs:
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
    if match["mask"]:
        mask = language.cardinal(int(match["mask"]))
        said = language.join(said, language.address_signs["/"], mask)
    return Words(said, match.end(), "numbers")


def code_rules(language: Language) -> list[Rule]:
    """Return the rules, in their order."""
    begin = rf"{NOT_IN_WORD}(?<![0-9][.,/:])"
    blank = r"[ \u00A0]"
    patterns = [
        (rf"\+[0-9]{{1,3}}(?:{blank}|[-./(])[-.()/ \u00A00-9]{{5,24}}[0-9]{_END}", _say_phone),
        (r"\+[0-9]{8,15}(?![0-9])", _say_phone),
        (rf"{NOT_IN_WORD}(?<![:.-])(?:{_UUID}|{_MAC}|{_IPV6})(?![\p{{L}}\p{{N}}:])", _say_hex),
        (
            rf"(?:{NOT_IN_WORD}(?:1[-. ])?(?:\([0-9]{{3}}\) ?|[0-9]{{3}}[-. ]))[0-9]{{3}}[-. ]"
            rf"[0-9]{{4}}{_END}(?!-)",
            _say_phone,
        ),
        (rf"{NOT_IN_WORD}[0-9]{{3}}-[0-9]{{4}}{_END}(?!-[0-9])", _say_phone),
        (
            rf"\((?:0[0-9]{{1,5}}|[1-9][0-9])\) ?[0-9]{{3,8}}(?:[- ][0-9]{{2,8}}){{0,4}}{_END}",
            _say_phone,
        ),
        (
            rf"{NOT_IN_WORD}[A-Z]{{2}}[0-9]{{2}}(?: [0-9A-Z]{{4}}){{2,7}}"
            rf"(?: [0-9A-Z]{{1,3}})?{_END}",
            _say_account,
        ),
        # Cards, ZIP codes of nine digits, numbers of journals, telephone numbers in letters.
        (rf"{begin}[0-9]{{4}}(?:{blank}[0-9]{{4}}){{2,4}}{_END}", _say_chain),
        (rf"{begin}[0-9]{{5}}-[0-9]{{4}}{_END}", _say_chain),
        (r"(?<=ISSN:? )[0-9]{4}-[0-9]{3}[0-9]?", _say_chain),
        (rf"{begin}1-[0-9]{{3}}(?=-[A-Z])", _say_chain),
        (
            rf"{begin}0[0-9]{{1,5}}(?:[-/]| / )[0-9]{{3,}}(?:[- ][0-9]{{2,}}){{0,5}}{_END}",
            _say_phone,
        ),
        (rf"{begin}0[0-9]{{1,4}}(?:[ .][0-9]{{2,8}}){{1,5}}{_END}", _say_phone),
        (rf"{begin}[0-9]++(?:{DASH}[0-9]++){{2,}}+{NO_WORD_FOLLOWS}", _say_chain),
        (
            r"(?:(?P<v>[vV]\. ?|v ?|V(?: |(?=[0-9]++\.)))(?P<numbers>[0-9]++(?:\.[0-9]++)*+)"
            rf"|(?P<numbers>[0-9]++(?:\.[0-9]++){{2,}}+))(?::(?P<port>[0-9]{{1,5}}))?"
            rf"(?:/(?P<mask>[0-9]{{1,2}}))?{NO_WORD_FOLLOWS}",
            _say_dotted,
        ),
    ]
    if language.phone_pattern:
        patterns.insert(0, (rf"{begin}(?:{language.phone_pattern}){_END}", _say_chain))
    behind = ("", "ISSN ", "电话")
    return [Rule(compile_pattern(pattern), say, behind) for pattern, say in patterns]
