"""Roman numbers: `Henry VIII`, `XIV century`."""

from __future__ import annotations

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import DASH, NO_WORD_FOLLOWS, NOT_IN_WORD
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words, context_at

MAX_ROMAN_CHARS = 15
ROMAN = r"(?P<roman>(?=[IVXLCDM])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))"
_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


_ROMAN_ALONE = compile_pattern(ROMAN)


def is_roman(text: str) -> bool:
    """Return whether a text is a Roman number, in capitals."""
    return 0 < len(text) <= MAX_ROMAN_CHARS and _ROMAN_ALONE.fullmatch(text) is not None


def roman_value(roman: str) -> int:
    """Return the value of a Roman number."""
    values = [_VALUES[letter] for letter in roman]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-value if value < following else value for value, following in pairs)


_PARTS = (
    "chapter|chapters|part|parts|page|pages|section|act|scene|volume|vol\\.|book|article|phase|type|class|level|appendix"
    "|figure|table|title|stage|mark|grade|group|tier|unit|lesson|step|canto|psalm|olympiad|annex"
    "|schedule|category|episode|season|version|kapitel|teil|band|abschnitt|buch|artikel|akt"
    "|szene|anhang|chapitre|partie|tome|volume|livre|acte|scène|annexe|capítulo|parte|tomo|libro"
    "|sección|siglo|siglos|capítulos|chapitres|acto|escena|artículo|anexo"
)
_EVENTS = "World War|Super Bowl|Weltkrieg|Guerre mondiale|Guerra Mundial|Vatican|Schedule"
_RULERS = (
    "Henry|Louis|Elizabeth|Charles|George|Edward|James|William|Richard|Philip|Napoleon|Pius"
    "|Benedict|Paul|Leo|Gregory|Urban|Alexander|Nicholas|Catherine|Peter|Ivan|Frederick|Wilhelm"
    "|Otto|Ramses|Ramesses|Ptolemy|Mary|Anne|John|Clement|Innocent|Boniface|Julius|Sixtus|Francis"
    "|Ferdinand|Alfonso|Felipe|Carlos|Juan|Carl|Karl|Gustav|Christian|Harald|Haakon|Olav|Umberto"
    "|Victor|Emmanuel|Leopold|Albert|Baudouin|Friedrich|Heinrich|Ludwig|Franz|Joseph|Maximilian"
    "|Konrad|Rudolf|Henri|François|Philippe|Robert|Darius|Xerxes|Cyrus|Amenhotep|Thutmose"
    "|Constantine|Theodosius|Justinian|Selim|Mehmed|Murad|Suleiman|Abdul|Pedro|Isabel|Benedikt"
    "|Enrique|Luis|Pablo|Pío|León|Benedicto|Francisco|Fernando|Jaime|Sancho|Guillermo|Eduardo|Jorge"
    "|Ricardo|Alejandro|Nicolás|Federico|Gregorio|Clemente|Urbano|Inocencio|Bonifacio|Sixto|Julio"
    "|Ramiro|Catalina|Margarita|Víctor|Manuel|Leopoldo"
    "|Johannes|Papst|Pope|Nikolaus|Katharina|Margrethe|Fuad|Rainier|Edmund|Stephen|Matilda"
)


NUMBERED = (*_PARTS.split("|"), *_EVENTS.split("|"), *_RULERS.split("|"))
"""What has Roman numbers behind it."""


def _say_roman(match: regex.Match[str], language: Language) -> Words | None:
    if match["roman"].islower() and not match["part"]:
        return None
    if match["dash"]:
        return _say_romans(match, language)
    roman = match["roman"].upper()
    value = roman_value(roman)
    if match["ruler"]:
        is_word = roman == "I" and regex.match(
            r" (?!of\b|and\b|was\b)\p{Ll}", match.string[match.end() :][:12]
        )
        if value > 99 or is_word:
            return None
        said = language.regnal(value, match["ruler"])
        begin = match.string[match.start() : match.start("roman")]
        sign = regex.compile(language.regnal_sign).match(match.string, match.end())
        return Words(f"{begin}{said}", sign.end() if sign else match.end(), "numbers")
    if match["other"] and (placed := _say_placed(match, language)):
        return placed
    if match["other"] and (len(roman) < 2 or value > 39):
        return None
    said = language.cardinal(value)
    begin = match.string[match.start() : match.start("roman")]
    return Words(f"{begin}{said}", match.end(), "numbers")


def _say_romans(match: regex.Match[str], language: Language) -> Words | None:
    """Say `siglos XIX-XX` and `chapters IV-VI`."""
    if not match["part"]:
        return None
    values = [language.cardinal(roman_value(each)) for each in match.captures("roman")]
    begin = match.string[match.start() : match.starts("roman")[0]]
    return Words(begin + language.span(*values), match.end(), "numbers")


def _say_placed(match: regex.Match[str], language: Language) -> Words | None:
    """Say a Roman number whose full stop makes it an ordinal: `im XIV. Jahrhundert`."""
    text, begin = match.string, match.start("roman")
    stop = language.regnal_sign and regex.compile(language.regnal_sign).match(text, match.end())
    if not stop:
        return None
    context = context_at(text, begin, stop.end())
    said = language.ordinal_in(roman_value(match["roman"].upper()), ".", context)
    return Words(text[match.start() : begin] + said, stop.end(), "numbers") if said else None


def roman_rule() -> Rule:
    """Return the rule of Roman numbers behind a word that has them."""
    pattern = (
        rf"{NOT_IN_WORD}(?:(?P<part>(?i:{_PARTS}))|(?:{_EVENTS})|(?P<ruler>{_RULERS})"
        rf"|(?P<other>\p{{Lu}}\p{{Ll}}++)) (?:{ROMAN}(?:(?P<dash>{DASH}){ROMAN})?+"
        rf"|(?P<roman>[ivx]{{2,7}}))"
        rf"{NO_WORD_FOLLOWS}(?!['’](?!s))(?!-\p{{L}})"
    )
    return Rule(compile_pattern(pattern), _say_roman)


_CENTURY = r"(?P<century>(?= (?i:centur|jahrhundert|jh\.|si[èe]cle)))"
_NEVER_WORDS = frozenset("IVX")
_MIN_YEAR_CHARS = 5


def _say_roman_alone(match: regex.Match[str], language: Language) -> Words | None:
    """Say `XIV century`, `III` and `MMXXIV`, which are neither words nor acronyms."""
    roman = match["roman"]
    value, is_year = roman_value(roman), len(roman) >= _MIN_YEAR_CHARS
    if placed := _say_placed(match, language):
        return placed
    if match.string[: match.start()].endswith("第"):
        return Words(language.cardinal(value), match.end(), "numbers")
    if match["century"] is not None:
        return Words(language.ordinal(value), match.end(), "numbers")
    if roman == "II" or (len(roman) > 2 and _NEVER_WORDS.issuperset(roman) and roman != "XXX"):
        return Words(language.cardinal(value), match.end(), "numbers")
    if is_year and roman[0] == "M" and 1010 <= value <= 2099:
        return Words(language.year(value), match.end(), "numbers")
    return None


def roman_alone_rule() -> Rule:
    """Return the rule of Roman numbers that no such word is before."""
    pattern = rf"{NOT_IN_WORD}(?<![-&]){ROMAN}{_CENTURY}?{NO_WORD_FOLLOWS}(?!['’&-]\p{{L}})"
    return Rule(compile_pattern(pattern), _say_roman_alone)
