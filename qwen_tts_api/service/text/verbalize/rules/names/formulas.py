"""Formulas of chemistry: `H₂O`, `SO₄²⁻`."""

from __future__ import annotations

import unicodedata

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import NO_WORD_FOLLOWS, NOT_IN_WORD
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words

# Those that are met in formulas; two letters before one.
_ELEMENT = (
    "(?:Ag|Al|Ar|As|Au|Ba|Be|Bi|Br|Ca|Cd|Ce|Cl|Co|Cr|Cs|Cu|Fe|Ga|Ge|He|Hg|In|Ir|Kr|La|Li|Mg|Mn|Mo"
    "|Na|Nb|Ne|Ni|Os|Pb|Pd|Pt|Ra|Rb|Rn|Sb|Se|Si|Sn|Sr|Th|Ti|Tl|Xe|Zn|Zr|[BCFHIKNOPSUVW])"
)
_DIGITS = "[0-9₀-₉]"
_ATOMS = rf"(?:{_ELEMENT}{_DIGITS}{{0,3}}+)"
_GROUP = rf"\({_ATOMS}{{1,6}}+\){_DIGITS}{{0,3}}+"
_FORMULA_PART = compile_pattern(r"[₀-₉]+|[0-9]+|\p{Lu}\p{Ll}?|[⁰¹²³⁴-⁹]+|[⁺⁻]")
_CHARGES = {"⁺": "+", "⁻": "−"}


def _say_formula(match: regex.Match[str], language: Language) -> Words | None:
    said = []
    for part in _FORMULA_PART.findall(match[0]):
        if part in _CHARGES:
            said.append(language.signs[_CHARGES[part]])
        elif part.isalpha():
            said.append(language.spell(part))
        else:
            said.append(language.whole(unicodedata.normalize("NFKC", part)))
    return Words(language.space.join(said), match.end(), "numbers")


def formula_rule() -> Rule:
    """Return the rule of formulas with a number in it, or a charge behind it."""
    charge = r"[⁰¹²³⁴-⁹]{0,2}[⁺⁻]"
    atoms = rf"(?:{_ATOMS}|{_GROUP}){{1,12}}+"
    # Of a single element with plain digits (`B12`, `F16`) it is no formula but a name.
    several = rf"(?={_ELEMENT}(?:{_DIGITS}*+(?:{_ELEMENT}|\()|[₀-₉⁰¹²³⁴-⁹⁺⁻]))"
    has_number = r"(?=[\p{L}()]{1,12}+[0-9₀-₉⁰¹²³⁴-⁹⁺⁻])"
    pattern = rf"{NOT_IN_WORD}{several}{has_number}{atoms}(?:{charge})?"
    return Rule(compile_pattern(rf"{pattern}{NO_WORD_FOLLOWS}(?![₀-₉⁰¹²³⁴-⁹⁺⁻])"), _say_formula)
