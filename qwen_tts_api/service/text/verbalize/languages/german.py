"""German, as it is spoken in Germany."""

from __future__ import annotations

import re

from qwen_tts_api.service.text.verbalize.languages import german_words as words
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.languages.terms import Context, Noun, Number

_ONES = (
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn "
    "fünfzehn sechzehn siebzehn achtzehn neunzehn"
).split()
_TENS = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
_SCALES = (
    (10**12, "Billion", "Billionen"),
    (10**9, "Milliarde", "Milliarden"),
    (10**6, "Million", "Millionen"),
)
_ORDINALS = {"eins": "erst", "drei": "dritt", "sieben": "siebt", "acht": "acht"}
_WORD = re.compile(r"[\w.]+,?")
_NEXT_WORD = re.compile(r"[ \u00A0]([^\W\d_]+)")
_ADJECTIVE = re.compile(r"[ \u00A0](?!oder |aber )[a-zäöüß]+(e|e[rs]) [A-ZÄÖÜ]")
_HYPHEN = re.compile(r"-[A-ZÄÖÜ][a-zäöüß]| mal\b")  # `1-Zimmer-Wohnung`, `1 mal`
_POSTCODE = re.compile(r"\bPLZ:? $")
# Behind these stands `eins`: `Absatz 1 Satz 2`; behind those `einem` and `einer`.
_NUMBERED = re.compile(
    r"\b(?:Absatz|Artikel|Nummer|Kapitel|Seite|Teil|Band|Platz|Satz|Gleis|Raum|Zimmer|Stufe|Phase"
    r"|Schritt|Tag|Runde|Punkt|Klasse|Abschnitt|Tabelle|Abbildung|Gruppe|Typ|Version|Linie|Tor"
    r"|Halle|Block|Woche|Kanal|Aufgabe|Frage|Paragraf|§|(?:Abs|Art|Nr|Kap|S|Bd|Abb|Tab)\.) $"
)
_DATIVE = re.compile(r"\b(?i:mit|nach|vor|seit|von|bei|zu|aus|in|ab|binnen) $")
_ARTICLE_BEFORE = re.compile(r"\b(?:am|der|die|das|den|dem|des|zum|vom|beim|im) $", re.IGNORECASE)


class German(Language):
    """Numbers below a million are one word; ordinals and `ein` end by what they belong to."""

    name = "german"
    decimal_sign, group_signs = ",", ".'’"
    point, minus, to, per, dot = "Komma", "minus", "bis", "pro", "Punkt"
    percent, version, score = "Prozent", "Version", "zu"
    digit_words = _ONES[:10]
    months, month_names = words.MONTHS, words.MONTH_NAMES
    units, currencies, scales = words.UNITS, words.CURRENCIES, words.SCALES
    abbreviations, before_number = words.ABBREVIATIONS, words.BEFORE_NUMBER
    directions, compound_tails = words.DIRECTIONS, words.COMPOUND_TAILS
    weekdays, compounds = words.WEEKDAYS, {"str.": "straße"}
    signs, address_signs = words.SIGNS, words.ADDRESS_SIGNS
    titles, capitalized = words.TITLES, words.CAPITALIZED_ONLY
    hash_names = words.HASH_NAMES
    ordinal_suffixes = (
        r"\.(?=, ?[0-9]{1,2}\.)|\.(?=[ \u00A0]\p{L}|-)|\.(?= und )|\.(?=\s*$)"
        r"|te[nrsm]?|ste[nrsm]?|ern?"
    )
    months_capitalized = True
    half_days = False
    clock = (
        r"(?:(?P<from>[0-9]{1,2}[.:][0-5][0-9])(?:[-–]| [-–] ))?"
        r"(?P<hour>[0-9]{1,2})[.:](?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9]))?"
        r"[ \u00A0]?Uhr(?!\p{L})"
    )
    short_date = (
        r"(?:(?P<from>[0-3]?[0-9])\.(?P<dash>[-–/]| [-–] ))?"
        r"(?P<day>[0-3]?[0-9])\.(?P<month>[01]?[0-9])\.(?P<year>(?:19|20)[0-9]{2})?(?![0-9])"
    )
    regnal_sign = r"\.(?=[ ,;:)])"
    decade_suffix = "er"

    def cardinal(self, number: int) -> str:
        """Return a whole number in words.

        >>> German().cardinal(1_000_021)
        'eine Million einundzwanzig'
        """
        said = []
        for size, one, many in _SCALES:
            count, number = divmod(number, size)
            if count:
                said.append(f"eine {one}" if count == 1 else f"{self._prefix(count)} {many}")
        if number or not said:
            said.append(self._below_million(number))
        return " ".join(said)

    def _below_million(self, number: int) -> str:
        if number < 20:
            return _ONES[number]
        if number < 100:
            tens, ones = divmod(number, 10)
            return (f"{self._prefix(ones)}und" if ones else "") + _TENS[tens - 2]
        size, scale = (100, "hundert") if number < 1000 else (1000, "tausend")
        many, rest = divmod(number, size)
        return f"{self._prefix(many)}{scale}" + (self._below_million(rest) if rest else "")

    def _prefix(self, number: int) -> str:
        """Return a number as it stands before what it counts: `ein`, `hundertein`."""
        return (
            self.cardinal(number).removesuffix("s") if number % 100 == 1 else self.cardinal(number)
        )

    def year(self, number: int) -> str:
        """Return a year: `neunzehnhundertvierundachtzig`, `zweitausendfünf`."""
        century, rest = divmod(number, 100)
        if 11 <= century <= 19:
            return f"{_ONES[century]}hundert" + (self.cardinal(rest) if rest else "")
        said = self.cardinal(number)
        return said.removeprefix("ein") if century == 10 else said

    def decade(self, number: int) -> str:
        """Return the years that share all digits but the last: `neunzehnhundertachtziger`."""
        return f"{self.year(number)}er"

    def _stem(self, number: int) -> str:
        """Return an ordinal without its ending."""
        said = self.cardinal(number)
        last = number % 100
        if 0 < last < 20:
            word = _ONES[last]
            return said.removesuffix(word) + _ORDINALS.get(word, f"{word}t")
        return f"{said}st"

    def ordinal(self, number: int) -> str:
        """Return a place in an order, as it is said behind `der`: `einundzwanzigste`."""
        return f"{self._stem(number)}e"

    def ordinal_in(self, number: int, suffix: str, context: Context) -> str | None:
        """Return `dritte`, `dritten`, `dritter` or `drittes`: by the article, else by the noun."""
        if suffix.startswith("er"):  # `68er`
            return (self.year if 1100 <= number < 2100 else self.cardinal)(number) + suffix
        if not suffix.startswith("."):
            return self._stem(number) + suffix[suffix.index("e") :]
        if context.after.startswith("-"):
            return None
        ending = _article_ending(context.before)
        if not context.after.strip():  # the full stop ends the sentence, too
            is_ordinal = ending and _ARTICLE_BEFORE.search(context.before)
            return f"{self._stem(number)}{ending}." if is_ordinal else None
        following = _NEXT_WORD.match(context.after)
        noun = following[1] if following else ""
        if noun.lower() in self.month_names:
            return None  # a date
        is_noun = noun[:1].isupper()
        if ending is None and is_noun and noun not in words.ORDERED:
            return None if context.before.strip() else f"{self._stem(number)}ens"
        if ending is None and is_noun and _DATIVE.search(context.before):
            return self._stem(number) + ("er" if _noun_ending(noun) == "e" else "em")
        return self._stem(number) + (ending or _noun_ending(noun))

    def compound(self, number: Number, tail: str) -> str:
        """Return one word: `fünfjährig`, `hundertprozentig`, `Achtzehnjährige`."""
        whole = int(number.whole or 0)
        said = self.number(number) if number.decimals else self._prefix(whole)
        if not number.decimals and 100 <= whole < 200:
            said = said.removeprefix("ein")
        tail = tail.replace("%", "prozent")
        return said.capitalize() + tail.lower() if tail[0].isupper() else said + tail

    def regnal(self, number: int, name: str) -> str:
        """Return the number of a king: `der Achte`."""
        return f"der {self.ordinal(number).capitalize()}"

    def fraction(self, part: int, whole: int) -> str:
        """Return a fraction: `ein halb`, `drei Viertel`, `ein Zwanzigstel`."""
        name = "halb" if whole == 2 else f"{self._stem(whole)}el".capitalize()
        return f"{self._prefix(part)} {name}"

    def mixed(self, whole: str, part: int, parts: int) -> str:
        """Return a whole number and a fraction: `zweieinhalb`, `drei drei Viertel`."""
        number = self.whole(whole)
        if (part, parts) == (1, 2):
            return f"{number.removesuffix('s') if number.endswith('eins') else number}einhalb"
        return f"{number} {self.fraction(part, parts)}"

    def date(self, day: int, month: int, year: int | None) -> str:
        """Return a date that stands alone: `dritter Mai zweitausendsechsundzwanzig`."""
        return self.date_in(day, month, year, Context())

    def date_in(self, day: int, month: int, year: int | None, context: Context) -> str:
        """Return a date: `am dritten Mai`, `der dritte Mai`."""
        ending = _article_ending(context.before) or "er"
        said = f"{self._stem(day)}{ending} {self.months[month - 1]}"
        return said if year is None else f"{said} {self.year(year)}"

    def days(self, first: int, last: int, month: int, context: Context) -> str:
        """Return `vom dritten bis fünften Mai`."""
        ending = _article_ending(context.before) or "er"
        said = self.span(f"{self._stem(first)}{ending}", f"{self._stem(last)}{ending}")
        return f"{said} {self.months[month - 1]}"

    def fraction_in(self, part: int, whole: int, context: Context) -> str:
        """Return `eine halbe Stunde`, `ein halber Liter`, but `ein halb` alone."""
        following = _NEXT_WORD.match(context.after)
        if (part, whole) != (1, 2) or following is None or not following[1][0].isupper():
            return self.fraction(part, whole)
        ending = _noun_ending(following[1])
        return f"{self._one(is_feminine=ending == 'e')} halb{ending}"

    def time(self, hour: int, minute: int, second: int | None = None) -> str:
        """Return a time: `vierzehn Uhr dreißig`."""
        said = f"{self._prefix(hour)} Uhr"
        if minute or second:
            said += f" {self.cardinal(minute)}"
        if second is None:
            return said
        return f"{said} und {self.counted(Number(str(second)), words.UNITS['s'])}"

    def number_in(self, number: Number, context: Context) -> str:
        """Return a number; 1 as an article: `ein Apfel`, `eine Tasse`, `ein Uhr`."""
        if not number.is_one or number.decimals:
            is_code = len(number.whole) == 5 and _POSTCODE.search(context.before)
            return self.digits(number.whole) if is_code else self.number(number)
        if _HYPHEN.match(context.after):
            return "ein"
        following = _NEXT_WORD.match(context.after)
        if following is None or _NUMBERED.search(context.before):
            return self.number(number)
        noun, adjective = following[1], _ADJECTIVE.match(context.after)
        if (not adjective and not noun[0].isupper()) or (len(noun) > 1 and noun.isupper()):
            return self.number(number)
        ending = adjective[1] if adjective else _noun_ending(noun)
        said = self._one(is_feminine=ending == "e", is_negative=number.is_negative)
        if _DATIVE.search(context.before) and not adjective:
            return "einer" if ending == "e" else "einem"
        return said

    def _one(self, *, is_feminine: bool, is_negative: bool = False) -> str:
        return (f"{self.minus} " if is_negative else "") + ("eine" if is_feminine else "ein")

    def counted(self, number: Number, noun: Noun) -> str:
        """Return a number of something: `ein Kilometer`, `eine Stunde`, `zwei Stunden`."""
        if not number.is_one or number.decimals:
            return super().counted(number, noun)
        one = self._one(is_feminine=noun.is_feminine, is_negative=number.is_negative)
        return f"{one} {noun.one}"

    def scaled(self, number: Number, scale: str, noun: Noun | None) -> str:
        """Return `eine Million Euro`, `zwei Millionen`, `fünftausend`."""
        if scale in words.SCALE_PLURALS:
            said = self.counted(number, Noun(scale, words.SCALE_PLURALS[scale], is_feminine=True))
        else:
            said = f"{self.number(number)} {scale}"
        return f"{said} {noun.many}" if noun else said

    def join_money(self, units: str, cents: str) -> str:
        """Return `drei Euro und fünfzig Cent`."""
        return f"{units} und {cents}"


def _article_ending(before: str) -> str | None:
    """Return the ending that the article before an ordinal gives it; None without one."""
    found = _WORD.findall(before)[-4:]
    for place in range(len(found) - 1, max(len(found) - 4, -1), -1):
        word = found[place].rstrip(",.").lower()
        if word in words.ENDING_IN_N:
            return "en"
        if word in words.ENDING_IN_E:
            previous = found[place - 1] if place else ""
            is_case = previous.lower() in words.PREPOSITIONS or (
                previous[:1].isupper() and previous.isalpha() and place > 1
            )
            return "en" if word == "der" and is_case else "e"
        if word in words.WITHOUT_ENDING:
            return None
    return None


def _noun_ending(noun: str) -> str:
    """Return what an ordinal ends in before a noun without an article, by the noun's gender."""
    if noun in words.NEUTER:
        return "es"
    return "e" if noun in words.FEMININE or noun.endswith(words.FEMININE_ENDINGS) else "er"
