"""What a language needs to say numbers, dates, times, amounts and signs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from qwen_tts_api.service.text.verbalize.languages.terms import Context, Currency, Noun, Number

MAX_DIGITS = 15
"""A whole number of more digits is said digit by digit."""


class Language(ABC):
    """A language's words and grammar. One-letter names of tables are as they are written.

    Attributes:
        name: As checkpoints name it, in lower case.
        decimal_sign, group_signs: Before decimals, between groups of three digits.
        months: Their names, January first.
        month_names: Number by name and by abbreviation, in lower case, without a full stop.
        units, currencies: By symbol (`per` joins two), by sign and by ISO 4217 code.
        scales: What stands behind an amount: `m` or `million`, and its word.
        money_scales: What else does so beside a currency.
        abbreviations: Words by abbreviation in lower case, with its full stops.
        before_roman: What abbreviations stand for before a Roman number alone: `s. XXI`.
        directions, angle_units: Of the compass, by letter; symbols of degrees and their parts.
        compound_tails: A pattern of what makes one word with digits before it: `5jährig`.
        signs: Words by sign.
        clock: A pattern of times of this language alone, with the groups hour, minute and second.
        short_date: A pattern of a day and a month in digits, with the groups from, dash, day,
            month and year.
        half_days: Whether `am` and `pm` stand behind a time.
        score: Between the two numbers of a score; `to`, if empty.
        roads: What means something else behind a name: `Main St.`.
        beginnings: Words that probably begin a sentence, behind initials.
        between_names: Abbreviations that mean something only there: `Roe v. Wade`.
        behind_names: Abbreviations that are titles where no name is before: `Sr. Smith`.
        compounds: What ends abbreviated compounds, and what it is: `Hauptstr.`.
        weekdays: Names by abbreviation in lower case, without a full stop.
        regnal_sign: A pattern of what stands behind a ruler's Roman number.
        decade_suffix: A pattern of what makes decades of years: `1980s`.
        date_before: A pattern of what stands before `5/3` where it is a date.
        millions: A pattern of what `m` counts, which elsewhere are metres: `5m people`.
        millions_of: A pattern of what is behind `M` where it is a word: `5 M d'habitants`.
        article: A pattern of what stands before an amount that describes a noun: `a 5 km run`.
        space, pause: Between words (empty in scripts that have none), between groups of digits.
        phone_pattern: Of telephone numbers that are written in this language alone.
        per_names: Pattern of what may stand behind the slash of `km/h`.
    """

    name: ClassVar[str]
    decimal_sign: ClassVar[str] = "."
    group_signs: ClassVar[str] = ","
    point: ClassVar[str]
    minus: ClassVar[str]
    to: ClassVar[str]
    per: ClassVar[str]
    digit_words: ClassVar[Sequence[str]]
    months: ClassVar[Sequence[str]]
    month_names: ClassVar[Mapping[str, int]]
    units: ClassVar[Mapping[str, Noun]]
    currencies: ClassVar[Mapping[str, Currency]]
    scales: ClassVar[Mapping[str, str]]
    money_scales: ClassVar[Mapping[str, str]] = {}
    abbreviations: ClassVar[Mapping[str, str]]
    before_number: ClassVar[Mapping[str, str]] = {}
    before_roman: ClassVar[Mapping[str, str]] = {}
    directions: ClassVar[Mapping[str, str]]
    angle_units: ClassVar[Sequence[str]] = ("°", "min", "s")
    compound_tails: ClassVar[str] = ""
    signs: ClassVar[Mapping[str, str]]
    titles: ClassVar[frozenset[str]] = frozenset()
    capitalized: ClassVar[frozenset[str]] = frozenset()
    hash_names: ClassVar[Mapping[str, str]]
    ordinal_suffixes: ClassVar[str]
    dot: ClassVar[str]
    address_signs: ClassVar[Mapping[str, str]]
    percent: ClassVar[str]
    version: ClassVar[str] = "version"
    space: ClassVar[str] = " "
    pause: ClassVar[str] = ", "
    phone_pattern: ClassVar[str] = ""
    per_names: ClassVar[str] = r"\p{L}{1,12}(?!\p{L})"
    month_first: ClassVar[bool] = False
    months_capitalized: ClassVar[bool] = False
    clock: ClassVar[str] = ""
    short_date: ClassVar[str] = ""
    half_days: ClassVar[bool] = True
    score: ClassVar[str] = ""
    roads: ClassVar[Mapping[str, str]] = {}
    beginnings: ClassVar[frozenset[str]] = frozenset()
    between_names: ClassVar[frozenset[str]] = frozenset()
    behind_names: ClassVar[frozenset[str]] = frozenset()
    compounds: ClassVar[Mapping[str, str]] = {}
    weekdays: ClassVar[Mapping[str, str]] = {}
    regnal_sign: ClassVar[str] = ""
    decade_suffix: ClassVar[str] = "['’]?s"
    date_before: ClassVar[str] = ""
    millions: ClassVar[str] = "(?!)"
    millions_of: ClassVar[str] = "(?!)"
    article: ClassVar[str] = ""

    @abstractmethod
    def cardinal(self, number: int) -> str:
        """Return a whole number of up to MAX_DIGITS digits in words."""

    @abstractmethod
    def ordinal(self, number: int) -> str:
        """Return a place in an order in words."""

    @abstractmethod
    def fraction(self, part: int, whole: int) -> str:
        """Return a fraction in words."""

    @abstractmethod
    def date(self, day: int, month: int, year: int | None) -> str:
        """Return a date in words."""

    @abstractmethod
    def time(self, hour: int, minute: int, second: int | None = None) -> str:
        """Return a time of the day in words, without what is behind it."""

    def decade(self, number: int) -> str | None:
        """Return the years that share all digits but the last; None if they are not said so."""
        return None

    def several(self, number: Number) -> str | None:
        """Return a number in the plural, as of bank notes; None if it is not said so."""
        return None

    def plural(self, said: str) -> str:
        """Return a number of a name as it is said of several: `MP3s`."""
        return said

    def date_in(self, day: int, month: int, year: int | None, context: Context) -> str:
        """Return a date as it is said behind other words."""
        return self.date(day, month, year)

    def join(self, *parts: str) -> str:
        """Return words one behind the other; empty ones are left out."""
        return self.space.join(filter(None, parts))

    def regnal(self, number: int, name: str) -> str:
        """Return the number behind the name of a king or a pope."""
        return self.ordinal(number)

    def ordinal_in(self, number: int, suffix: str, context: Context) -> str | None:
        """Return an ordinal by its suffix and what is around it; None if it is none there."""
        return self.ordinal(number)

    def compound(self, number: Number, tail: str) -> str:
        """Return digits that make one word with what is behind them."""
        return self.number(number) + tail

    def day(self, number: int) -> str:
        """Return a day of a month by itself."""
        return self.ordinal(number)

    def month_year(self, month: int, year: int) -> str:
        """Return a month of a year."""
        return self.join(self.months[month - 1], self.year(year))

    def days(self, first: int, last: int, month: int, context: Context) -> str:
        """Return some days of a month, as they are said behind other words."""
        return self.span(self.date(first, month, None), self.day(last))

    def half_day(self, hour: int, said: str, half: str) -> str:
        """Return a time of one half of a day, which is `a` or `p`."""
        return self.join(said, f"{half.upper()} M")

    def phone(self, digits: str) -> str:
        """Return a group of digits of a telephone number."""
        return self.digits(digits)

    def span(self, first: str, last: str) -> str:
        """Return a range of two numbers or amounts in words."""
        return self.join(first, self.to, last)

    def part_of(self, fraction: str, noun: Noun) -> str:
        """Return a fraction of a unit."""
        return self.join(fraction, noun.one)

    def fraction_in(self, part: int, whole: int, context: Context) -> str:
        """Return a fraction as it is said before other words."""
        return self.fraction(part, whole)

    def mixed(self, whole: str, part: int, parts: int) -> str:
        """Return a whole number and a fraction."""
        return self.join(self.whole(whole), self.signs["and"], self.fraction(part, parts))

    def percentage(self, number: Number, sign: str) -> str:
        """Return a number of `%` or `‰`."""
        word = self.percent if sign == "%" else self.signs[sign]
        return self.join(self.number(number), word)

    def rate(self, amount: str, unit: str) -> str:
        """Return an amount for each of a unit: `km/h`."""
        return self.join(amount, self.per, unit)

    def is_year_in(self, context: Context) -> bool:
        """Return whether four digits without a sign between them are a year there."""
        return True

    def are_years_in(self, first: str, last: str, context: Context) -> bool:
        """Return whether two numbers of four digits, or two behind, are years there."""
        return self.is_year_in(context)

    def power(self, number: str) -> str:
        """Return what is said of an exponent behind a number."""
        return self.join(self.signs["^"], number)

    def number_in(self, number: Number, context: Context) -> str:
        """Return a number without a unit as it is said before a word."""
        return self.number(number)

    def year(self, number: int) -> str:
        """Return a year in words."""
        return self.cardinal(number)

    def serial(self, digits: str) -> str:
        """Return the number of a name such as `A320` or `MP3`: a short one as such, else digits."""
        return self.cardinal(int(digits)) if len(digits) <= 2 else self.digits(digits)

    def series(self, digits: str) -> str:
        """Return one of the numbers of a model and its series: `Boeing 747-400`."""
        return self.whole(digits)

    def digits(self, text: str) -> str:
        """Return digits one by one; other characters are left out."""
        words = [self.digit_words[int(char)] for char in text if char in "0123456789"]
        return self.space.join(words)

    def whole(self, digits: str) -> str:
        """Return a whole number: digit by digit where it is long or begins with a zero."""
        if len(digits) > MAX_DIGITS or (len(digits) > 1 and digits[0] == "0"):
            return self.digits(digits)
        return self.cardinal(int(digits))

    def number(self, number: Number) -> str:
        """Return a number in words."""
        minus = self.minus if number.is_negative else ""
        whole = self.whole(number.whole) if number.whole else ""
        decimals = [self.point, self.digits(number.decimals)] if number.decimals else []
        return self.join(minus, whole, *decimals)

    def counted(self, number: Number, noun: Noun) -> str:
        """Return a number of something."""
        return self.join(self.number(number), noun.one if number.is_one else noun.many)

    def scaled(self, number: Number, scale: str, noun: Noun | None) -> str:
        """Return a number of thousands, millions or more, of something."""
        return self.join(self.number(number), scale, noun.many if noun else "")

    def money(self, number: Number, currency: Currency) -> str:
        """Return an amount: two decimals are counted by themselves."""
        if len(number.decimals) != 2 or currency.cent is None or len(number.whole) > MAX_DIGITS:
            return self.counted(number, currency.unit)
        cents = Number(number.decimals.lstrip("0") or "0")
        units = self.counted(number._replace(decimals=""), currency.unit)
        if cents.whole == "0":
            return units
        if not number.whole.strip("0"):
            minus = self.minus if number.is_negative else ""
            return self.join(minus, self.counted(cents, currency.cent))
        return self.join_money(units, self.counted(cents, currency.cent))

    def join_money(self, units: str, cents: str) -> str:
        """Return an amount of units and cents."""
        return f"{units} {cents}"

    def spell_all(self, text: str) -> str:
        """Return letters, digits and signs one by one; signs without a name are left out."""
        said = [
            self.spell(char) or self.address_signs.get(char) or self.signs.get(char, "")
            for char in text
        ]
        return " ".join(filter(None, said))

    def spell(self, text: str) -> str:
        """Return letters and digits one by one; signs are left out."""
        return " ".join(
            self.digit_words[int(char)] if char in "0123456789" else char.upper()
            for char in text
            if char.isalnum()
        )
