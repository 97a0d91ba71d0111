"""Signs that have a name: `+`, `&`, `%`, `≤`."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.rules.amounts import with_per
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words
from qwen_tts_api.service.text.verbalize.rules.tails import tails_of

# Only between two things that are compared or computed.
_BETWEEN = r"(?:(?<=[\p{L}\p{N})²³] ?)(?P<between>[<>*^/·−-])(?= ?[-−]?[\p{L}\p{N}(]))"
_OPERANDS = compile_pattern(r"(?r)[\p{N}²³)] ?$|(?<![\p{L}])\p{L} ?$")
_OPERAND = compile_pattern(r" ?(?:[-−]?[0-9(]|\p{L}(?!\p{L}))")
_TAG = compile_pattern(r"[0-9]++\p{L}{2}")
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_CHARGES = {"+": "+", "−": "−", "⁻": "−", "⁺": "+"}
_COMPARED = {">=": "≥", "<=": "≤", "!=": "≠", "==": "="}
_AMOUNT_FOLLOWS = r"(?= ?\p{Sc}?[0-9])"


def _say_between(match: regex.Match[str], language: Language) -> Words | None:
    """Say an operator between numbers or letters that stand for them."""
    text, sign = match.string, match["between"]
    before = text[max(0, match.start() - 3) : match.start()]
    after = text[match.end() : match.end() + 3]
    is_spaced = before.endswith(" ") and after.startswith(" ")
    is_operand = _OPERANDS.search(before) and _OPERAND.match(after)
    if (
        not is_operand
        or (sign in "-/" and not is_spaced)
        or (before.endswith(" ") != after.startswith(" "))
    ):
        return None
    if sign == "·" and not (language.space or is_spaced):
        return None  # `9·11`
    if sign in "-−":
        return Words(language.signs["−"], match.end(), "signs")
    word = language.signs.get({"/": "÷", "·": "×"}.get(sign, sign))
    return Words(word, match.end(), "signs") if word else None


def _say_power(match: regex.Match[str], language: Language) -> Words | None:
    power = unicodedata.normalize("NFKC", match["power"]).removeprefix("^")
    word = language.signs.get({"2": "²", "3": "³"}.get(power, ""))
    if not word:
        minus = language.minus if power[0] in "-−" else ""
        digits = power.lstrip("-−").lstrip("0") or "0"
        word = language.power(language.join(minus, language.whole(digits)))
    unit = tails_of(language).unit.match(match.string, match.end())
    if unit and unit["space"] and match.string[match.start() - 1].isdigit():
        said = language.join(word, language.units[unit["unit"]].many)
        return with_per(match.string, Words(said, unit.end(), "units"), language)
    return Words(word, match.end(), "signs")


def _say_raised(match: regex.Match[str], language: Language) -> Words | None:
    """Say the number before an isotope: `²³⁵U`."""
    digits = unicodedata.normalize("NFKC", match["raised"])
    return Words(language.serial(digits), match.end(), "numbers")


def _say_other_number(match: regex.Match[str], language: Language) -> Words | None:
    """Say a number of another form: ① or Ⅳ."""
    value = unicodedata.numeric(match["other"])
    if value != int(value):
        return None
    return Words(language.whole(str(int(value))), match.end(), "numbers")


def _say_hash(match: regex.Match[str], language: Language) -> Words | None:
    text = match.string
    before, after = (
        text[max(0, match.start() - 1) : match.start()],
        text[match.end() : match.end() + 1],
    )
    if before.isalpha() and not before.isascii() and not after.isalnum():
        return Words("", match.end(), "signs")  # closes a tag: `#话题#`
    is_number = after.isdigit() and not _TAG.match(text, match.end())
    names = {"number": is_number, "sharp": before.isalpha(), "tag": after.isalnum()}
    name = next((name for name, holds in names.items() if holds), "sign")
    return Words(language.hash_names[name], match.end(), "signs")


def _say_about(match: regex.Match[str], language: Language) -> Words | None:
    return Words(language.signs["~"], match.end(), "signs")


def _say_compared(match: regex.Match[str], language: Language) -> Words | None:
    return Words(language.signs[_COMPARED.get(match[0], match[0])], match.end(), "signs")


def _say_to(match: regex.Match[str], language: Language) -> Words | None:
    """Say the dash of `9点-17点`, whose measures are words."""
    return Words(language.to, match.end(), "signs")


def _say_point(match: regex.Match[str], language: Language) -> Words | None:
    """Say what joins the numbers of `802.11ac`."""
    word = language.point if language.decimal_sign == "." else language.dot
    return Words(word, match.end(), "numbers")


def _say_leftover(match: regex.Match[str], language: Language) -> Words | None:
    """Say what the language has no word for: a plain form of it, or else its name."""
    plain = unicodedata.normalize("NFKC", match[0])
    if plain.isdecimal():
        return Words(language.whole(plain), match.end(), "numbers")
    word = language.signs.get(plain) or _CHARGES.get(plain, "")
    word = language.signs.get(word, word)
    if currency := language.currencies.get(plain):
        word = currency.unit.many
    name = unicodedata.name(match[0], "").removesuffix(" SIGN").lower()
    return Words(word or name, match.end(), "signs")


def _say_sign(match: regex.Match[str], language: Language) -> Words | None:
    word = language.signs.get(match[0])
    if word is None and (currency := language.currencies.get(match[0])):
        word = currency.unit.many
    return Words(word, match.end(), "signs") if word else None


@lru_cache(maxsize=16)
def sign_rules(language: Language) -> tuple[Rule, ...]:
    """Return the rules of signs, in their order."""
    signs = [each for each in language.signs if len(each) == 1 and each not in "<>*^/−-~#²³¹"]
    signs += [each for each in language.currencies if len(each) == 1 and not each.isalpha()]
    alone = "".join(regex.escape(each) for each in dict.fromkeys(signs))
    return (
        Rule(compile_pattern(r"(?P<other>[[\p{No}\p{Nl}]--[¹²³⁰-⁹½¼¾⅐-⅞]])"), _say_other_number),
        Rule(
            compile_pattern(
                rf"(?<![\p{{L}}\p{{N}})\]])(?P<raised>[{_SUPERSCRIPTS}]{{1,3}})(?=\p{{Lu}})"
            ),
            _say_raised,
        ),
        Rule(
            compile_pattern(
                rf"(?<=[\p{{L}}\p{{N}})])(?P<power>⁻?[{_SUPERSCRIPTS}]++|\^[-−]?[0-9]{{1,4}}(?![0-9]|[.,][0-9]))"
            ),
            _say_power,
            ("1",),
        ),
        Rule(compile_pattern(r"[<>!=]=(?![=>])(?= ?[-−\p{L}\p{N}(])"), _say_compared),
        Rule(compile_pattern(_BETWEEN), _say_between, ("1",)),
        Rule(compile_pattern("#"), _say_hash),
        Rule(compile_pattern(rf"[~≈]{_AMOUNT_FOLLOWS}"), _say_about),
        Rule(compile_pattern(rf"[<>]{_AMOUNT_FOLLOWS}"), _say_compared),
        Rule(compile_pattern(r"(?<=[0-9])\.(?=[0-9])"), _say_point, ("1",)),
        Rule(compile_pattern(r"(?<=[年月日号点时分天%])[-–—~～](?=[0-9])"), _say_to, ("年",)),
        Rule(compile_pattern("!="), _say_compared),
        Rule(compile_pattern(rf"[{alone}]"), _say_sign),
        Rule(compile_pattern(r"[\p{Sc}₀-₉⁰¹²³⁴-⁹⁺⁻％＃＆＠＋＝∑√∞©®]"), _say_leftover),
    )
