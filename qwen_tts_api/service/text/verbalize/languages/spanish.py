"""Spanish: `uno` and the hundreds agree with what is counted."""

from __future__ import annotations

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages import spanish_words as words
from qwen_tts_api.service.text.verbalize.languages.language import MAX_DIGITS, Language
from qwen_tts_api.service.text.verbalize.languages.terms import Context, Noun, Number

_ONES = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince"
    " dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro"
    " veinticinco veintiséis veintisiete veintiocho veintinueve"
).split()
_TENS = "treinta cuarenta cincuenta sesenta setenta ochenta noventa".split()
_HUNDREDS = (
    "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos"
    " novecientos"
).split()
_ORDINALS = "primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo".split()
_ORDINALS += ["undécimo", "duodécimo"]
_ORDINAL_TENS = (
    "décimo vigésimo trigésimo cuadragésimo quincuagésimo sexagésimo septuagésimo octogésimo"
    " nonagésimo"
).split()
_ORDINAL_HUNDREDS = (
    "centésimo ducentésimo tricentésimo cuadringentésimo quingentésimo sexcentésimo"
    " septingentésimo octingentésimo noningentésimo"
).split()
_PARTS = {2: "medio", 3: "tercio", 100: "centésimo", 1000: "milésimo"}
_ONE = compile_pattern(r"(?:veinti)?uno$")
# The word behind a number, if it may be what is counted: `21 libros`.
_NOUN = compile_pattern(r" (\p{Ll}{2,})")
_NO_NOUNS = frozenset(
    "de del al el la los las en por para con sin que es son fue era como más menos tras desde"
    " hasta según ante sobre entre se si no ni lo le les su sus mis tus nos tres seis dos muy y"
    " veces cuando donde pero también tiene han ha hay mil va está ya cada".split()
) - {"veces"}
_FEMININE = compile_pattern(r"(?:as?|ci[oó]n(?:es)?|si[oó]n(?:es)?|[dt]ad(?:es)?|ces|noches?)$")
_MASCULINE = compile_pattern(r"(?:días?|mapas?|(?:e|o|a|i)mas?|istas?|jueces|peces|meses)$")
_OTHER_FEMININE = frozenset(
    "mujer mujeres calle calles parte partes ley leyes clase clases base bases flor flores mano"
    " manos vez noche llave llaves nube nubes imagen red redes luz sangre gente".split()
)


class Spanish(Language):
    """Numbers have a comma before decimals, and full stops or spaces between groups."""

    name = "spanish"
    decimal_sign, group_signs = ",", "."
    point, minus, to, per, dot = "coma", "menos", "a", "por", "punto"
    percent, version = "por ciento", "versión"
    digit_words = _ONES[:10]
    millions_of = " de "
    months, month_names = words.MONTHS, words.MONTH_NAMES
    units, currencies, scales = words.UNITS, words.CURRENCIES, words.SCALES
    abbreviations, before_number = words.ABBREVIATIONS, words.BEFORE_NUMBER
    weekdays, directions = words.WEEKDAYS, words.DIRECTIONS
    before_roman = words.BEFORE_ROMAN
    signs, address_signs = words.SIGNS, words.ADDRESS_SIGNS
    titles, capitalized = words.TITLES, words.CAPITALIZED_ONLY
    hash_names = words.HASH_NAMES
    ordinal_suffixes = r"\.?[ºª]s?|\.?(?:er|ero|era|ro|ra|do|da|to|ta|mo|ma|vo|va|no|na)s?"
    date_before = r"\b(?:[Ee]l|[Aa]l|[Dd]el) (?:día )?$"
    clock = (
        r"(?P<hour>[0-9]{1,2})[:.](?P<minute>[0-5][0-9])(?P<second>) ?(?:hs?|hrs?|horas)"
        r"(?![\p{L}0-9])"
    )
    phone_pattern = (
        r"[6-9][0-9]{8}|[6-9][0-9]{2}(?:[ .-][0-9]{2}){3}|[89][0-9] [0-9]{3}(?: [0-9]{2}){2}"
        r"|[6-9][0-9]{2}(?:[ -][0-9]{3}){2}|[0-9]{2,3} [0-9]{4} [0-9]{4}"
    )

    def cardinal(self, number: int) -> str:
        """Return a whole number in words.

        >>> Spanish().cardinal(1_000_021)
        'un millón veintiuno'
        """
        if number < 30:
            return _ONES[number]
        if number < 100:
            tens, ones = divmod(number, 10)
            return _TENS[tens - 3] + (f" y {_ONES[ones]}" if ones else "")
        if number < 1000:
            hundreds, rest = divmod(number, 100)
            if number == 100:
                return "cien"
            return self.join(_HUNDREDS[hundreds - 1], self.cardinal(rest) if rest else "")
        if number < 10**6:
            many, rest = divmod(number, 1000)
            said = "mil" if many == 1 else f"{_agree(self.cardinal(many))} mil"
        else:
            size, scale = (10**12, "bill") if number >= 10**12 else (10**6, "mill")
            many, rest = divmod(number, size)
            said = f"{_agree(self.cardinal(many))} {scale}{'ón' if many == 1 else 'ones'}"
        return self.join(said, self.cardinal(rest) if rest else "")

    def ordinal(self, number: int) -> str:
        """Return a place in an order, masculine: `vigésimo segundo`; the cardinal of large ones."""
        if number > 999:
            return "milésimo" if number == 1000 else self.cardinal(number)
        hundreds, rest = divmod(number, 100)
        said = [_ORDINAL_HUNDREDS[hundreds - 1]] if hundreds else []
        if 0 < rest < 13:
            said.append(_ORDINALS[rest - 1])
        elif rest:
            tens, ones = divmod(rest, 10)
            said.append(_ORDINAL_TENS[tens - 1])
            said += [_ORDINALS[ones - 1]] if ones else []
        return " ".join(said) or self.cardinal(number)

    def ordinal_in(self, number: int, suffix: str, context: Context) -> str | None:
        """Return an ordinal in the gender of its suffix; `er` is `primer` and `tercer`."""
        ending = suffix.strip(".")
        said = self.ordinal(number)
        if ending[:1] == "ª" or ending.rstrip("s").endswith("a"):
            said = regex.sub(r"o\b", "a", said)
        elif ending == "er":
            said = said.removesuffix("o")
        return said + "s" if ending.endswith("s") else said

    def regnal(self, number: int, name: str) -> str:
        """Return the number of a king: `sexto`; from eleven on it is a cardinal."""
        said = self.ordinal(number) if number <= 10 else self.cardinal(number)
        is_queen = number <= 10 and name in ("Isabel", "Catherine", "Elizabeth", "Margrethe")
        return said[:-1] + "a" if is_queen else said

    def day(self, number: int) -> str:
        """Return a day of a month."""
        return self.cardinal(number)

    def month_year(self, month: int, year: int) -> str:
        """Return `noviembre de dos mil veintiséis`."""
        return f"{self.months[month - 1]} de {self.year(year)}"

    def days(self, first: int, last: int, month: int, context: Context) -> str:
        """Return `tres a cinco de noviembre`."""
        return f"{self.span(self.cardinal(first), self.cardinal(last))} de {self.months[month - 1]}"

    def fraction(self, part: int, whole: int) -> str:
        """Return a fraction: `un medio`, `tres cuartos`, `dos onceavos`."""
        name = _PARTS.get(whole)
        if name is None:
            name = self.ordinal(whole) if whole <= 10 else self.cardinal(whole) + "avo"
        return f"{_agree(self.cardinal(part))} {name}{'' if part == 1 else 's'}"

    def part_of(self, fraction: str, noun: Noun) -> str:
        """Return `un cuarto de litro`, but `medio litro`."""
        if fraction == "un medio":
            return f"{'media' if noun.one.split(' ')[0] in words.FEMININE else 'medio'} {noun.one}"
        return f"{fraction} de {noun.one}"

    def fraction_in(self, part: int, whole: int, context: Context) -> str:
        """Return `media hora`, `medio litro`, but `un medio` alone."""
        noun = _NOUN.match(context.after)
        if (part, whole) != (1, 2) or noun is None or noun[1] in _NO_NOUNS:
            return self.fraction(part, whole)
        return "media" if _is_feminine(noun[1]) else "medio"

    def mixed(self, whole: str, part: int, parts: int) -> str:
        """Return `tres y medio`, `dos y tres cuartos`."""
        said = "medio" if (part, parts) == (1, 2) else self.fraction(part, parts)
        return f"{self.whole(whole)} y {said}"

    def date(self, day: int, month: int, year: int | None) -> str:
        """Return a date: `veintiocho de noviembre de dos mil veintiséis`."""
        said = f"{self.cardinal(day)} de {self.months[month - 1]}"
        return said if year is None else f"{said} de {self.year(year)}"

    def time(self, hour: int, minute: int, second: int | None = None) -> str:
        """Return a time: `tres y cinco`, `catorce treinta`, `siete en punto`."""
        said = _agree(self.cardinal(hour), is_feminine=True)
        if minute:
            link = "y" if 0 < hour <= 12 else "cero" if minute < 10 else ""
            said = self.join(said, link, self.cardinal(minute))
        else:
            said += " en punto" if 0 < hour <= 12 else " horas"
        if second is None:
            return said
        return f"{said} con {self.counted(Number(str(second)), Noun('segundo', 'segundos'))}"

    def half_day(self, hour: int, said: str, half: str) -> str:
        """Return `tres de la tarde`."""
        said = _agree(said, is_feminine=True) if " " not in said else said
        part = "la mañana" if half == "a" else "la tarde" if hour in (12, *range(8)) else "la noche"
        return f"{said.removesuffix(' en punto')} de {part}"

    def number(self, number: Number) -> str:
        """Return a number; two decimals at most are a number, too: `tres coma catorce`."""
        if 0 < len(number.decimals) <= 2 and number.decimals[0] != "0":
            minus = self.minus if number.is_negative else ""
            whole = self.whole(number.whole) if number.whole else "cero"
            return self.join(minus, whole, self.point, self.cardinal(int(number.decimals)))
        return super().number(number)

    def counted(self, number: Number, noun: Noun) -> str:
        """Return a number of something: `veintiún kilómetros`, `doscientas libras`."""
        name = noun.one if number.is_one else noun.many
        is_long = not number.decimals and number.whole[-6:] == "000000"
        of = "de" if is_long and len(number.whole) <= MAX_DIGITS and number.whole.strip("0") else ""
        said = self.number(number)
        if not number.decimals:
            said = _agree(said, is_feminine=noun.one.split(" ")[0] in words.FEMININE)
        return self.join(said, of, name)

    def scaled(self, number: Number, scale: str, noun: Noun | None) -> str:
        """Return `un millón de euros`, `tres mil euros`."""
        said = scale.replace("ones", "ón") if number.is_one else scale
        of = "de" if noun and scale != "mil" else ""
        many = "" if number.is_one and scale == "mil" else _agree(self.number(number))
        return self.join(many, said, of, noun.many if noun else "")

    def join_money(self, units: str, cents: str) -> str:
        """Return `tres dólares con cincuenta centavos`."""
        return f"{units} con {cents}"

    def is_year_in(self, context: Context) -> bool:
        """Return False: it is said as any number is, which agrees with a noun."""
        return False

    def number_in(self, number: Number, context: Context) -> str:
        """Return a number that agrees with a noun behind it."""
        said = self.number(number)
        noun = _NOUN.match(context.after)
        if noun is None or number.decimals or noun[1] in _NO_NOUNS:
            return said
        word = noun[1]
        if not (number.is_one or word.endswith("s")):
            return said
        return _agree(said, is_feminine=_is_feminine(word))


def _is_feminine(word: str) -> bool:
    """Return whether a noun probably is feminine."""
    is_feminine = bool(_FEMININE.search(regex.sub("s$", "", word)) or _FEMININE.search(word))
    return (is_feminine and _MASCULINE.search(word) is None) or word in _OTHER_FEMININE


def _agree(said: str, *, is_feminine: bool = False) -> str:
    """Return a number as it is before a noun: `veintiún`, `veintiuna`, `doscientas`."""
    if is_feminine:
        head, million, tail = said.rpartition("millones")
        tail = tail.replace("cientos", "cientas").replace("quinientos", "quinientas")
        return head + million + _ONE.sub(lambda match: match[0][:-1] + "a", tail)
    return _ONE.sub(lambda match: "veintiún" if match[0] != "uno" else "un", said)
