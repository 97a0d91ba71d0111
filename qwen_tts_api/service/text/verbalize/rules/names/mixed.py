"""Names with digits in them: `B2B`, `COVID-19`, `FY24/25`."""

from __future__ import annotations

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import LETTER, NO_WORD_FOLLOWS, NOT_IN_WORD
from qwen_tts_api.service.text.verbalize.rules.dates import full_year
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words

_RUN = compile_pattern(r"[0-9]+(?:\.[0-9]+)*|[\p{L}\p{M}]+")
_VOWEL = compile_pattern(r"(?i)[aeiouyäöüáéíóúàèìòùâêîôûœæ]")
MAX_SERIAL_RUNS = 4
"""Letters and digits that alternate more often are a serial number: said one by one."""
_MAX_SPOKEN_CHARS = 400


def is_spelled(letters: str) -> bool:
    """Return whether letters beside digits are said one by one: `MP` in `MP3`, not `COVID`."""
    if len(letters) == 1:
        return True
    return letters.isupper() and (len(letters) <= 3 or not _VOWEL.search(letters))


def say_parts(written: str, language: Language) -> str:
    """Return letters and digits in words: letters by name, short numbers as such, else digits."""
    runs = _RUN.findall(written)
    is_plural = len(runs) > 2 and runs[-1] == "s" and runs[-2][0] in "0123456789"
    if is_plural:
        return language.plural(say_parts(written[:-1], language))
    if len(runs) > MAX_SERIAL_RUNS and len(written) <= _MAX_SPOKEN_CHARS:
        return language.spell(written)
    said = []
    for run in runs:
        if run[0] in "0123456789":
            said.append(_say_run(run, language))
        else:
            said.append(language.spell(run) if is_spelled(run) else run)
    return language.space.join(said)


def _say_run(run: str, language: Language) -> str:
    """Return the number of a name: `320`, `3.5`."""
    if "." in run:
        point = language.point if language.decimal_sign == "." else language.dot
        return f"{language.space}{point}{language.space}".join(map(language.whole, run.split(".")))
    is_digits = run[0] == "0" and len(run) > 1
    return language.digits(run) if is_digits else language.serial(run)


def _say_mixed(match: regex.Match[str], language: Language) -> Words | None:
    return Words(say_parts(match[0], language), match.end(), "numbers")


def _say_standard(match: regex.Match[str], language: Language) -> Words | None:
    letter, number = match[0].split(".")
    said = language.join(letter, language.dot, language.serial(number))
    return Words(said, match.end(), "numbers")


def _say_quarter(match: regex.Match[str], language: Language) -> Words | None:
    year = language.year(full_year(match["year"]))
    return Words(language.join(say_parts(match["part"], language), year), match.end(), "dates")


def rest_rule() -> Rule:
    """Return the rule of letters and digits behind what another rule has said: `x4s` of `¥2x4s`."""
    part = rf"{LETTER}(?:{LETTER}|[0-9])*+(?<=[0-9]{LETTER}*+)"
    return Rule(compile_pattern(rf"(?<=[0-9]){part}"), _say_mixed, ("1",))


def mixed_rules() -> list[Rule]:
    """Return the rules of words of letters and digits; with hyphens where letters are capitals."""
    letters = LETTER
    digits = r"[0-9]++(?:\.[0-9]++)*+"
    part = rf"(?:{letters}|{digits})++"
    return [
        # A quarter and its year: `Q1'25`, `H2/2025`.
        Rule(
            compile_pattern(
                rf"{NOT_IN_WORD}(?P<part>[QHTSW][1-4])[/'’](?P<year>(?:20)?[0-9]{{2}}){NO_WORD_FOLLOWS}(?!/)"
            ),
            _say_quarter,
        ),
        # Paragraphs of laws: `401(k)`, `501(c)(3)`.
        Rule(
            compile_pattern(
                rf"{NOT_IN_WORD}[0-9]{{1,4}}(?:\([a-z0-9]\))+{NO_WORD_FOLLOWS}(?![-+²³])"
            ),
            _say_mixed,
        ),
        # Two years, of which a letter says what they are: `FY24/25`.
        Rule(
            compile_pattern(
                rf"{NOT_IN_WORD}\p{{Lu}}{{1,3}}[0-9]{{2,4}}/[0-9]{{2}}{NO_WORD_FOLLOWS}(?!/)"
            ),
            _say_mixed,
        ),
        Rule(
            compile_pattern(
                rf"{NOT_IN_WORD}(?=\p{{Lu}}[\p{{Lu}}-]*+[0-9])\p{{Lu}}(?:\p{{Lu}}|[0-9])*+"
                rf"(?:-(?:\p{{Lu}}|{digits})++)++(?:(?<=[0-9])s)?+{NO_WORD_FOLLOWS}"
            ),
            _say_mixed,
        ),
        # Standards: `H.264`.
        Rule(
            compile_pattern(rf"{NOT_IN_WORD}\p{{Lu}}\.[0-9]{{3}}{NO_WORD_FOLLOWS}(?!\.?[0-9])"),
            _say_standard,
        ),
        # A model and its number: `i7-12700K`.
        Rule(
            compile_pattern(
                rf"{NOT_IN_WORD}\p{{L}}{{1,5}}[0-9]{{1,3}}-[0-9]{{3,5}}\p{{Lu}}{{0,3}}{NO_WORD_FOLLOWS}"
            ),
            _say_mixed,
        ),
        Rule(
            compile_pattern(
                rf"{NOT_IN_WORD}(?:(?=[0-9]++{letters}){part}|(?={letters}++[0-9]){part})"
                rf"{NO_WORD_FOLLOWS}"
            ),
            _say_mixed,
        ),
    ]
