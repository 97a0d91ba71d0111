"""English, as it is spoken in the United States."""

from __future__ import annotations

import re

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages import english_words as words
from qwen_tts_api.service.text.verbalize.languages.english_units import UNITS
from qwen_tts_api.service.text.verbalize.languages.language import MAX_DIGITS, Language
from qwen_tts_api.service.text.verbalize.languages.terms import Context, Number

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"))
_ORDINALS = {
    **{"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth"},
    **{"nine": "ninth", "twelve": "twelfth"},
}

# What is counted, and what stands before a year though it is.
_COUNTED = re.compile(
    r" (?:people|men|women|children|(?!was\b|is\b|has\b|as\b|its\b|this\b|us\b|plus\b|perhaps\b"
    r"|towards?\b|afterwards\b|sees\b|saw\b|\w+ss\b)[a-z]{2,}s)\b"
)
# What stands before them, and is looked for from there.
_BEFORE_YEAR = compile_pattern(
    r"(?r)(?:^|(?i:\b(?:in|of|the|since|by|from|until|till|to|during|before|after|early|late|mid|circa"
    r"|our|their|its|his|her|my|your|this|every|each|for|and|or|between|year|around)|['’]s)[ -])"
)
_ZIP = compile_pattern(r"(?r)(?:, [A-Z]{2}|(?i:\bzip(?: code)?:?)) ")
_CALL = compile_pattern(r"(?ri)\b(?:call|dial|text|phone|ring)(?:s|ed|ing|led|ling)? ")
# What is read out digit by digit, and what has a number like a name: `Room 404`, `RTX 4090`.
_CODE = compile_pattern(
    r"(?ri)\b(?:pin|(?:pass|promo |area )?code|otp|id|extension|ext\.?|account|acct\.?|ticket"
    r"|tracking|serial|reference|ref\.?|order|invoice|confirmation|voucher|policy|booking)"
    r"(?: (?:number|no\.?|code|id|is)){0,2}:? #?"
)
_NUMBERED = compile_pattern(
    r"(?r)(?:\b[A-Z]{2,5}|\b(?:Highway|Hwy\.?|Route|Interstate|Flight|Channel|Form|Boeing|Airbus|Xbox"
    r"|Porsche|Ferrari|Peugeot|Ryzen [3579]|Levi['’]s)|\b(?i:room|rm\.?|suite|apartment|apt\.?|exit"
    r"|gate|area|error|studio|section)) "
)
_BEFORE_AIRLINER = compile_pattern(r"(?r)\b(?:[Aa]n?|[Tt]he) ")
_AIRLINER = re.compile(r" (?:MAX|Max|jets?|planes?|aircraft|airliners?|Dreamliners?)\b")
_LOUD = re.compile(r" [A-Z]{3,}\b")


class English(Language):
    """Whole numbers have no `and`; years are said in pairs of digits."""

    name = "english"
    group_signs = ",'’_"
    point, minus, to, per, dot = "point", "minus", "to", "per", "dot"
    percent = "percent"
    digit_words = _ONES[:10]
    months, month_names = words.MONTHS, words.MONTH_NAMES
    units, currencies, scales = UNITS, words.CURRENCIES, words.SCALES
    abbreviations, before_number = words.ABBREVIATIONS, words.BEFORE_NUMBER
    signs, address_signs = words.SIGNS, words.ADDRESS_SIGNS
    titles, capitalized = words.TITLES, words.CAPITALIZED_ONLY
    hash_names = words.HASH_NAMES
    ordinal_suffixes = "st|nd|rd|th|ST|ND|RD|TH|ers?"
    month_first = months_capitalized = True
    directions = words.DIRECTIONS
    roads, beginnings = words.ROADS, words.BEGINNINGS
    between_names, weekdays = words.BETWEEN_NAMES, words.WEEKDAYS
    behind_names = frozenset(("jr.", "sr."))
    millions = words.MILLIONS
    article = r"\b[Aa]n? "
    date_before = r"\b(?:[Oo]n|[Bb]y|[Ss]ince|[Uu]ntil|[Tt]ill|[Dd]ue|[Dd]ated) $"

    def regnal(self, number: int, name: str) -> str:
        """Return the number of a king: `the eighth`."""
        return f"the {self.ordinal(number)}"

    def cardinal(self, number: int) -> str:
        """Return a whole number in words.

        >>> English().cardinal(1_000_021)
        'one million twenty-one'
        """
        if number < 20:
            return _ONES[number]
        if number < 100:
            tens, ones = divmod(number, 10)
            return _TENS[tens - 2] + (f"-{_ONES[ones]}" if ones else "")
        if number < 1000:
            hundreds, rest = divmod(number, 100)
            return f"{_ONES[hundreds]} hundred" + (f" {self.cardinal(rest)}" if rest else "")
        size, scale = next(pair for pair in _SCALES if number >= pair[0])
        many, rest = divmod(number, size)
        return f"{self.cardinal(many)} {scale}" + (f" {self.cardinal(rest)}" if rest else "")

    def ordinal(self, number: int) -> str:
        """Return a place in an order: `twenty-second`."""
        said = self.cardinal(number)
        begin = max(said.rfind(" "), said.rfind("-")) + 1
        last = said[begin:]
        if last in _ORDINALS:
            return said[:begin] + _ORDINALS[last]
        return said[:-1] + "ieth" if said.endswith("y") else said + "th"

    def ordinal_in(self, number: int, suffix: str, context: Context) -> str | None:
        """Return an ordinal; of `49ers` the people: `forty-niners`."""
        if not suffix.startswith("er"):
            return self.ordinal(number)
        said = self.cardinal(number)
        return said + (suffix[1:] if said.endswith("e") else suffix)

    def year(self, number: int) -> str:
        """Return a year: `nineteen eighty-four`, `nineteen oh five`, `two thousand five`."""
        century, rest = divmod(number, 100)
        if not 1000 < number < 10_000 or (not century % 10 and rest < 10):
            return self.cardinal(number)
        if not rest:
            return f"{self.cardinal(century)} hundred"
        return f"{self.cardinal(century)} {'oh ' if rest < 10 else ''}{self.cardinal(rest)}"

    def is_year_in(self, context: Context) -> bool:
        """Return False before what is counted: `about 1984 people`, but `in 1984 people`."""
        if _CODE.match(context.before):
            return False
        counted = _COUNTED.match(context.after)
        return counted is None or _BEFORE_YEAR.match(context.before) is not None

    def number_in(self, number: Number, context: Context) -> str:
        """Return a number; the digits of those that are dialled, of ZIP and other codes."""
        digits, before, after = number.whole, context.before, context.after
        if len(digits) < 3 or number.decimals or _COUNTED.match(after):
            return self.number(number)
        is_code = len(digits) == 5 and _ZIP.match(before)
        is_called = len(digits) > 2 and _CALL.match(before)
        if is_code or is_called or (len(digits) > 3 and _CODE.match(before)):
            return self.digits(digits)
        is_name = _NUMBERED.match(before) and not (len(digits) == 3 and _LOUD.match(after))
        is_airliner = re.fullmatch("7[0-9]7", digits) and (
            _BEFORE_AIRLINER.match(before) or _AIRLINER.match(after)
        )
        if len(digits) in (3, 4) and digits[0] != "0" and (is_name or is_airliner):
            return self.serial(digits)
        return self.number(number)

    def date_in(self, day: int, month: int, year: int | None, context: Context) -> str:
        """Return a date: `May third`, but `the third of May`."""
        if not context.before.endswith(("the ", "The ")):
            return self.date(day, month, year)
        said = f"{self.ordinal(day)} of {self.months[month - 1]}"
        return said if year is None else f"{said}, {self.year(year)}"

    def serial(self, digits: str) -> str:
        """Return the number of a name: `three twenty`, `one oh one`, `ten eighty`."""
        head, rest = int(digits[:-2] or 0), int(digits[-2:])
        if len(digits) == 5 and not rest and digits[2] != "0":
            return f"{self.cardinal(int(digits[:2]))} {self.cardinal(int(digits[2:]))}"
        if len(digits) > 4 or not head:
            return super().serial(digits)
        if not rest and head > 9 and head % 10:
            return f"{self.cardinal(head)} hundred"
        if not rest or (not head % 10 and rest < 10):
            return self.cardinal(int(digits))
        return f"{self.cardinal(head)} {'oh ' if rest < 10 else ''}{self.cardinal(rest)}"

    def series(self, digits: str) -> str:
        """Return a number as a name has it: `seven forty-seven`."""
        return self.serial(digits)

    def several(self, number: Number) -> str | None:
        """Return the plural of a number: `$20s` are twenties, `100s` hundreds."""
        if number.decimals or len(number.whole) > MAX_DIGITS:
            return None
        return self.plural(self.cardinal(int(number.whole)).removeprefix("one "))

    def plural(self, said: str) -> str:
        """Return a number of a name in the plural: `A three twenties`."""
        if said.endswith("y"):
            return said[:-1] + "ies"
        return said + ("es" if said.endswith("x") else "s")

    def decade(self, number: int) -> str | None:
        """Return the years that share all digits but the last: `nineteen eighties`, `nineties`."""
        century, rest = divmod(number, 100)
        if not number:
            return "two thousands"
        if number in (100, 1000):
            return self.several(Number(str(number)))
        if number >= 100 and (not rest or rest == 10):
            return f"{self.year(number)}s"
        decade = "tens" if rest == 10 else f"{self.cardinal(rest)[:-1]}ies"
        return f"{self.cardinal(century)} {decade}" if number >= 100 else decade

    def fraction(self, part: int, whole: int) -> str:
        """Return a fraction: `one half`, `three quarters`, `two thirds`."""
        name = {2: "half", 4: "quarter"}.get(whole) or self.ordinal(whole)
        if part != 1:
            name = "halves" if whole == 2 else f"{name}s"
        return f"{self.cardinal(part)} {name}"

    def date(self, day: int, month: int, year: int | None) -> str:
        """Return a date: `November twenty-eighth, twenty twenty-six`."""
        said = f"{self.months[month - 1]} {self.ordinal(day)}"
        return said if year is None else f"{said}, {self.year(year)}"

    def time(self, hour: int, minute: int, second: int | None = None) -> str:
        """Return a time: `three oh five`, `fourteen thirty`, `seven o'clock`."""
        if not hour % 24 and not minute:
            said = "midnight"
        elif minute:
            said = f"{self.cardinal(hour)} {'oh ' if minute < 10 else ''}{self.cardinal(minute)}"
        elif hour > 12:
            said = f"{self.cardinal(hour)} hundred"
        else:
            said = f"{self.cardinal(hour)} o'clock"
        if second is None:
            return said
        seconds = f"{self.cardinal(second)} second{'' if second == 1 else 's'}"
        return f"{said} and {seconds}"

    def join_money(self, units: str, cents: str) -> str:
        """Return `three dollars and fifty cents`."""
        return f"{units} and {cents}"
