"""French, as it is spoken in France."""

from __future__ import annotations

import re

from qwen_tts_api.service.text.verbalize.languages import french_words as words
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.languages.terms import Context, Noun, Number

_ONES = (
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize "
    "dix-sept dix-huit dix-neuf"
).split()
_TENS = "vingt trente quarante cinquante soixante soixante quatre-vingt quatre-vingt".split()
_SCALES = ((10**12, "billion"), (10**9, "milliard"), (10**6, "million"))
_NEXT_WORD = re.compile(r"[ \u00A0\u202F]([^\W\d_]+)")


class French(Language):
    """Numbers are hyphenated below a hundred, but for `et`; `un` agrees with what is counted."""

    name = "french"
    decimal_sign, group_signs = ",", "."
    point, minus, to, per, dot = "virgule", "moins", "à", "par", "point"
    percent = "pour cent"
    digit_words = _ONES[:10]
    months, month_names = words.MONTHS, words.MONTH_NAMES
    units, currencies, scales = words.UNITS, words.CURRENCIES, words.SCALES
    abbreviations, before_number = words.ABBREVIATIONS, words.BEFORE_NUMBER
    weekdays, directions = words.WEEKDAYS, words.DIRECTIONS
    signs, address_signs = words.SIGNS, words.ADDRESS_SIGNS
    titles, capitalized = words.TITLES, words.CAPITALIZED_ONLY
    hash_names = words.HASH_NAMES
    ordinal_suffixes = "ers?|ères?|res?|i?[èe]mes?|nde?s?|des?|es?|ᵉʳ|ᵉ"
    half_days = False
    millions_of = r" d(?:e |['’])"
    date_before = r"\b(?:[Ll]e|[Aa]u|[Dd]u) $"
    phone_pattern = (
        r"0[1-9](?:[-. ][0-9]{2}){4}|0 ?8[0-9]{2}(?: [0-9]{3}){2}|0 ?8[0-9]{2}(?: [0-9]{2}){3}"
    )
    clock = (
        r"(?P<hour>[0-9]{1,2})[ \u00A0\u202F]?h"
        r"(?:[ \u00A0\u202F]?(?P<minute>[0-5][0-9])(?: ?min)?)?(?P<second>)(?![\p{L}\p{N}])"
    )

    def cardinal(self, number: int) -> str:
        """Return a whole number in words.

        >>> French().cardinal(2_000_081)
        'deux millions quatre-vingt-un'
        """
        said = []
        for size, scale in _SCALES:
            count, number = divmod(number, size)
            if count:
                said.append(f"{self.cardinal(count)} {scale}{'s' if count > 1 else ''}")
        thousands, rest = divmod(number, 1000)
        if thousands:
            said.append(f"{self._below_thousand(thousands)} mille" if thousands > 1 else "mille")
        if rest or not said:
            said.append(self._below_thousand(rest, is_last=True))
        return " ".join(said)

    def _below_thousand(self, number: int, *, is_last: bool = False) -> str:
        """Return a number; `cents` and `quatre-vingts` have an s only where nothing follows."""
        hundreds, rest = divmod(number, 100)
        said = [_ONES[hundreds]] if hundreds > 1 else []
        if hundreds:
            said.append("cents" if hundreds > 1 and not rest and is_last else "cent")
        if rest or not hundreds:
            said.append("quatre-vingts" if rest == 80 and is_last else self._below_hundred(rest))
        return " ".join(said)

    def _below_hundred(self, number: int) -> str:
        if number < 20:
            return _ONES[number]
        tens, ones = divmod(number, 10)
        if tens in (7, 9):
            ones += 10
        if not ones:
            return _TENS[tens - 2]
        joint = " et " if ones in (1, 11) and tens < 8 else "-"
        return f"{_TENS[tens - 2]}{joint}{_ONES[ones]}"

    def ordinal(self, number: int) -> str:
        """Return a place in an order: `premier`, `vingt et unième`."""
        if number == 1:
            return "premier"
        said = self.cardinal(number)
        if number % 100 == 80 or (number % 100 == 0 and said.endswith("s")):
            said = said.removesuffix("s")
        if said.endswith("cinq"):
            return f"{said}uième"
        if said.endswith("neuf"):
            return f"{said.removesuffix('f')}vième"
        return f"{said.removesuffix('e')}ième"

    def ordinal_in(self, number: int, suffix: str, context: Context) -> str | None:
        """Return `première` of `1re`, `seconde` of `2nde`, and the plural."""
        plural = "s" if suffix.endswith("s") else ""
        stem = suffix.removesuffix("s")
        if number == 1 and stem in ("re", "ère"):
            return f"première{plural}"
        if stem in ("nd", "nde", "de"):
            return f"second{stem[1 + (stem[0] == 'n') :]}{plural}" if number == 2 else None
        return self.ordinal(number) + plural

    def regnal(self, number: int, name: str) -> str:
        """Return the number of a king: `premier`, `quatorze`."""
        return "premier" if number == 1 else self.cardinal(number)

    def phone(self, digits: str) -> str:
        """Return a group of digits of a telephone number: `zéro un`, `vingt-trois`."""
        return self.whole(digits) if len(digits) < 4 else self.digits(digits)

    def part_of(self, fraction: str, noun: Noun) -> str:
        """Return `un quart de litre`, `trois quarts d'heure`, but `un demi litre`."""
        if fraction == "un demi":
            return f"{'une demi' if noun.is_feminine else fraction} {noun.one}"
        of = "d'" if noun.one[0] in "aeéhio" else "de "
        return f"{fraction} {of}{noun.one}"

    def fraction_in(self, part: int, whole: int, context: Context) -> str:
        """Return `une demi heure`, `un demi litre`."""
        following = _NEXT_WORD.match(context.after)
        said = self.fraction(part, whole)
        if (part, whole) == (1, 2) and following and _is_feminine(following[1]):
            return f"une{said[2:]}"
        return said

    def fraction(self, part: int, whole: int) -> str:
        """Return a fraction: `un demi`, `trois quarts`, `deux tiers`."""
        name = {2: "demi", 3: "tiers", 4: "quart"}.get(whole) or self.ordinal(whole)
        return f"{self.cardinal(part)} {name if part == 1 or name == 'tiers' else f'{name}s'}"

    def mixed(self, whole: str, part: int, parts: int) -> str:
        """Return a whole number and a fraction: `deux et demi`."""
        if (part, parts) == (1, 2):
            return f"{self.whole(whole)} et demi"
        return super().mixed(whole, part, parts)

    def date(self, day: int, month: int, year: int | None) -> str:
        """Return a date: `vingt-huit novembre deux mille vingt-six`, `premier mai`."""
        said = f"{self.day(day)} {self.months[month - 1]}"
        return said if year is None else f"{said} {self.year(year)}"

    def days(self, first: int, last: int, month: int, context: Context) -> str:
        """Return `trois à cinq mai`."""
        return f"{self.span(self.day(first), self.day(last))} {self.months[month - 1]}"

    def day(self, number: int) -> str:
        """Return a day of a month: `premier`, `deux`."""
        return "premier" if number == 1 else self.cardinal(number)

    def time(self, hour: int, minute: int, second: int | None = None) -> str:
        """Return a time: `quatorze heures trente`."""
        said = f"{self._feminine(hour)} heure{'s' if hour > 1 else ''}"
        if minute or second:
            said = f"{said} {self._feminine(minute)}"
        if second is None:
            return said
        return f"{said} et {self.counted(Number(str(second)), words.UNITS['s'])}"

    def _feminine(self, number: int) -> str:
        said = self.cardinal(number)
        return f"{said}e" if number % 10 == 1 and said.endswith("un") else said

    def number(self, number: Number) -> str:
        """Return a number; up to three decimals as a number: `trois virgule quatorze`."""
        decimals = number.decimals
        if not decimals.strip("0") or len(decimals) > 3:
            return super().number(number)
        significant = decimals.lstrip("0")
        zeros = self.digits(decimals[: len(decimals) - len(significant)])
        before = super().number(number._replace(decimals=""))
        said = [before, self.point, zeros, self.cardinal(int(significant))]
        return " ".join(filter(None, said))

    def number_in(self, number: Number, context: Context) -> str:
        """Return a number as it is said before a word: `une pomme`, `vingt et une personnes`."""
        following = _NEXT_WORD.match(context.after)
        return self._agreeing(number, is_feminine=bool(following and _is_feminine(following[1])))

    def _agreeing(self, number: Number, *, is_feminine: bool) -> str:
        said = self.number(number)
        is_one = not number.decimals and number.whole.endswith("1") and said.endswith("un")
        return f"{said}e" if is_feminine and is_one else said

    def counted(self, number: Number, noun: Noun) -> str:
        """Return a number of something, in the singular below two: `un litre`, `une heure`."""
        is_single = number.whole.lstrip("0") in ("", "1")
        name = noun.one if is_single else noun.many
        return f"{self._agreeing(number, is_feminine=noun.is_feminine)} {name}"

    def scaled(self, number: Number, scale: str, noun: Noun | None) -> str:
        """Return `un million d'euros`, `deux millions`, `cinq mille euros`."""
        if scale == "mille":
            count = self.number(number)
            if count.endswith(("cents", "vingts")):
                count = count.removesuffix("s")
            said = "mille" if number.is_one else f"{count} mille"
            return f"{said} {noun.many}" if noun else said
        said = self.counted(number, Noun(scale, f"{scale}s"))
        if noun is None:
            return said
        of = "d'" if noun.many[0] in "aeéiou" else "de "
        return f"{said} {of}{noun.many}"

    def join_money(self, units: str, cents: str) -> str:
        """Return `trois euros et cinquante centimes`."""
        return f"{units} et {cents}"


def _is_feminine(noun: str) -> bool:
    singular = noun.lower().removesuffix("s")
    return singular in words.FEMININE or singular.endswith(words.FEMININE_ENDINGS)
