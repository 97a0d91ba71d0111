"""Say a text as what its author says that it is: SSML's `say-as`.

    say_as(text, interpret_as, language, written_order="") -> str

`language` is named as checkpoints name it (`english`), or is `Auto`; one without words of its own
gets the text back as it is, for the model to read.
"""

from __future__ import annotations

from collections.abc import Callable

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import match_number, plain_digits
from qwen_tts_api.service.text.verbalize.rules.codes import say_phone
from qwen_tts_api.service.text.verbalize.rules.dates import full_year, is_date
from qwen_tts_api.service.text.verbalize.rules.names.romans import is_roman, roman_value
from qwen_tts_api.service.text.verbalize.verbalizer import find_language, make_verbalizer

MAX_SPELLED_CHARS = 1000
"""A text that is longer is no word to be spelled: it is verbalized like any other."""

_NUMBERS = compile_pattern(r"[0-9]+")


def say_as(text: str, interpret_as: str, language: str, written_order: str = "") -> str:
    """Return a text in words.

    Args:
        text: As it is written.
        interpret_as: One of INTERPRETATIONS, in any case; anything else, and what does not look
            like it says, is verbalized like any other text.
        language: That it is spoken in.
        written_order: Of a date's parts, such as `mdy`, `dmy`, `ymd`, `md`, `dm`, `y`; empty: by
            what is possible, and by the language.

    >>> say_as("12", "ordinal", "English"), say_as("FBI", "characters", "English")
    ('twelfth', 'F B I')
    """
    words = find_language(language, text)
    if words is None:
        return text
    written = plain_digits(text.strip())
    say = INTERPRETATIONS.get(interpret_as.strip().lower().replace("_", "-"))
    if interpret_as.strip().lower() == "date" and written_order:
        said = _date_in_order(written, words, written_order.lower())
    else:
        said = say(written, words) if say and len(written) <= MAX_SPELLED_CHARS else None
    return make_verbalizer(words).verbalize(text) if said is None else said


def _cardinal(text: str, language: Language) -> str | None:
    if is_roman(text):
        return language.cardinal(roman_value(text))
    is_negative = text[:1] in ("-", "−")
    found = match_number(text, int(is_negative), language)
    if found is None or found[1] != len(text):
        return None
    return language.number(found[0]._replace(is_negative=is_negative))


def _ordinal(text: str, language: Language) -> str | None:
    digits = "".join(_NUMBERS.findall(text))
    value = roman_value(text) if is_roman(text) else int(digits[:10] or 0)
    is_said = 0 < value < 10**9
    return language.ordinal(value) if is_said else None


def _characters(text: str, language: Language) -> str:
    return language.spell_all(text)


def _digits(text: str, language: Language) -> str | None:
    return language.digits(text) or None


def _telephone(text: str, language: Language) -> str | None:
    return say_phone(text, language) or None


def _fraction(text: str, language: Language) -> str | None:
    match = regex.fullmatch(r"(?:([0-9]{1,9})[+ ])?([0-9]{1,6})[/⁄]([0-9]{1,6})", text)
    if match is None or int(match[3]) < 2:
        return None
    part, whole = int(match[2]), int(match[3])
    return language.mixed(match[1], part, whole) if match[1] else language.fraction(part, whole)


def _year(text: str, language: Language) -> str | None:
    return language.year(int(text)) if regex.fullmatch("[0-9]{1,4}", text) else None


def _date_in_order(text: str, language: Language, order: str) -> str | None:
    numbers = _NUMBERS.findall(text)
    if len(numbers) == 1 and len(numbers[0]) == 8 and len(order) == 3:  # 20261128
        sizes = [4 if part == "y" else 2 for part in order]
        ends = [sum(sizes[: index + 1]) for index in range(3)]
        numbers = [numbers[0][end - size : end] for end, size in zip(ends, sizes, strict=True)]
    if len(numbers) != len(order) or set(order) - set("ymd") or len(set(order)) != len(order):
        return None
    given = dict(zip(order, numbers, strict=True))
    year = full_year(given["y"]) if "y" in given and len(given["y"]) in (2, 4) else None
    month, day = int(given.get("m", "0")[:3]), int(given.get("d", "0")[:3])
    if "d" in given and is_date(day, month):
        return language.date(day, month, year)
    if "d" not in given and year is not None and 1 <= month <= 12:
        return language.month_year(month, year)
    if order == "y" and year is not None:
        return language.year(year)
    if order == "m" and 1 <= month <= 12:
        return language.months[month - 1]
    return language.day(day) if order == "d" and 1 <= day <= 31 else None


INTERPRETATIONS: dict[str, Callable[[str, Language], str | None]] = {
    **dict.fromkeys(("cardinal", "number"), _cardinal),
    "ordinal": _ordinal,
    **dict.fromkeys(("characters", "spell-out", "spell", "verbatim", "letters"), _characters),
    **dict.fromkeys(("digits", "number-digit", "number:digits"), _digits),
    **dict.fromkeys(("telephone", "phone"), _telephone),
    "fraction": _fraction,
    "year": _year,
}
"""What is said by other rules than elsewhere. `date`, `time`, `unit`, `currency`, `address` and
`expletive` are said as they are elsewhere."""
