"""Find the boundaries of paragraphs, sentences, lines, clauses, words and characters.

Sentence boundary detection is by rules that hold for all languages, since requests often do not
name one (`Auto`), and texts mix them. Of the libraries, sentencex 1.0 needs the language and splits
at "M. Dupont", "3. Mai" and "т.е."; pysbd has had no release since 2021. An abbreviation never ends
a sentence: a missed boundary is inaudible, a false one is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

import regex

from qwen_tts_api.service.text.patterns import WINDOW_CHARS, compile_pattern


class Boundary(IntEnum):
    """Kinds of boundaries to split a text at, the best last."""

    CHARACTER = 0
    WORD = 1
    CLAUSE = 2
    LINE = 3
    SENTENCE = 4
    PARAGRAPH = 5


# Closing quotation marks and brackets: “ and « close in German, and open in other languages.
_WIDE_CLOSERS = r"[)\]}'’”」』】》〉）］｣]*+"
_CLOSERS = r"(?:[)\]}\"'”’»›«‹“」』】》〉）］｣]|[\u00A0\u202F ][»›](?!\S*\p{L}))*+"
_NO_SPACES = r"[\p{Han}\p{Hiragana}\p{Katakana}]"

_PARAGRAPH = compile_pattern(r"\n[^\S\n]*+(?:\n[^\S\n]*+)++")
_HYPHEN = r"[\-‐\u00AD]"  # at the end of a line, inside a word
_LINE = compile_pattern(
    rf"(?<!{_HYPHEN}|[,\p{{Ll}}])\n(?=[^\S\n]*+\P{{Ll}})"
    rf"|(?<!{_HYPHEN})\n(?=[^\S\n]*+[-–—*•\d])",
)
_CLAUSE = compile_pattern(
    rf"[，、；：]{_WIDE_CLOSERS}|[,;:]{_CLOSERS}(?=\s)|…++|(?<=\s)[–—-](?=\s)|——|(?<!{_HYPHEN})\n"
    rf"|[.!?]{_CLOSERS}(?=\s)|[。！？｡．!?]{_WIDE_CLOSERS}",
)
_WORD = compile_pattern(rf"(?<!\p{{L}}{_HYPHEN})\s++")
# An extended grapheme cluster (UAX #29). `\X` takes time by the square of the number of flags in a
# row, and holds the GIL meanwhile; here no cluster is longer than some thousand code points.
_CHARACTER = compile_pattern(
    r"\r\n|[\p{GCB=Control}\r\n]"
    r"|\p{GCB=Prepend}{0,99}+"
    r"(?:\p{Regional_Indicator}{1,2}+"
    r"|\p{GCB=L}{0,99}+(?:\p{GCB=LVT}|\p{GCB=LV}\p{GCB=V}{0,99}+|\p{GCB=V}{1,99}+)\p{GCB=T}{0,99}+"
    r"|\p{GCB=L}{1,99}+|\p{GCB=T}{1,99}+"
    r"|\p{Extended_Pictographic}(?:\p{GCB=Extend}{0,99}+\u200D\p{Extended_Pictographic}){0,99}+"
    r"|\p{InCB=Consonant}(?:[\p{InCB=Extend}\p{InCB=Linker}]{0,9}\p{InCB=Linker}"
    r"[\p{InCB=Extend}\p{InCB=Linker}]{0,9}+\p{InCB=Consonant}){0,99}+"
    r"|[^\p{GCB=Control}\r\n])?+"
    r"[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]{0,4096}+",
)

# Sentence ends: "wide" ones need no space behind them, "narrow" ones do. Only the beginning of a
# run of punctuation is tried, since each try takes time by the length of the run.
_END = compile_pattern(
    rf"(?P<wide>[。！？｡．]++[。！？!?…]*+{_WIDE_CLOSERS})"
    rf"|(?P<narrow>(?<![.!?…])[.!?…]++{_CLOSERS}(?=[\s¿¡]|\Z))"
    rf"|(?P<mixed>(?<![!?])[!?]++{_WIDE_CLOSERS}(?={_NO_SPACES}))",
)
# The next character behind spaces, dashes and opening quotation marks.
_NEXT = compile_pattern(r"[\s\p{Pd}\p{Ps}\p{Pi}\"'«»„“‚¿¡]*+(.)", regex.DOTALL)
_TOKEN = compile_pattern(r"(?r)[\p{L}\p{N}.\-]+")

# Abbreviations, whatever follows.
_TITLES = frozenset(
    "dr mr mrs ms mx prof st ste sr sra srta dra dña ing dipl lic avv arch dott sig sigg on mm mme"
    " mlle mgr hr fr hrn gen col cpt capt maj lt sgt gov hon rep sen rev pres ca bzw vgl vs cf al"
    " approx appx mt feat evtl ggf sog inkl exkl zzgl bspw z u o d v n mlles av apr mio mrd tsd"
    " гр ул им тов проф акад обл пер пл просп".split()
)
# Abbreviations before a number.
_NUMBERED = frozenset(
    "no nr nos num núm nº n° p pp pg pag pág pagg s fig figs abb art arts vol vols bd bde kap cap"
    " ch sec tab eq nn ss ext tel mind std sek env máx mín aprox págs max min avg hwy est qty ed"
    " ex vols ver rm ste op c b r jan feb mar apr jun jul aug sep sept oct okt nov dec dez стр рис"
    " гл табл abs nrn zi pos anm aufl chap janv févr fév avr juil ст п пп г т д кв оф тел"
    " apt str para ss lun jeu ven sam dim temp fl pt zw geb gest bj rs eqs"
    " matt ps rom cor tim thess chron prov eccl isa jer phil heb jas pet gal eph lev deut exod kor"
    " joh mos röm petr hebr".split()
)
_INITIAL_OR_DOTTED = compile_pattern(r"\p{Lu}|(?:\p{L}{1,3}\.)+\p{L}{1,3}|(?:\p{Lu}\.?-)+\p{Lu}")
_ORDINAL = compile_pattern(r"(?:\d{1,2}\.-)?\d{1,2}")
# Three digits only behind a German article: `der 100. Besucher`.
_LONG_ORDINAL = compile_pattern(r"\d{3}")
_ARTICLE = compile_pattern(r"(?ri)\b(?:der|die|das|dem|den|des|zum|zur|vom|am|im|beim|jede[rns]?) ")
# `a. C.`, `EE. UU.`: the letters of several words, of which the next may not have come yet.
_PART = compile_pattern(r"\p{L}|(\p{Lu})\1")
_NEXT_PART = compile_pattern(r"\s?(?:\p{L}|(\p{Lu})\1)(?:\.|\Z)")
# A Roman number in front of these is an ordinal: `XIV. Jahrhundert`.
_ROMAN = compile_pattern("[IVX]{2,}+")
_ROMAN_NUMBER = compile_pattern(r"(?:[IVXLC]{2,9}|[VX])(?!\p{L})")
_ONE = compile_pattern(r"I(?![\p{L}'’]|\.? \p{Ll})")
_AMOUNT = frozenset("0123456789$€£¥₹")
_ORDERED = (
    "Jahrhundert Jahrtausend Weltkrieg Reich Republik Internationale Quartal Semester Akt Klasse"
    " Liga Bundesliga Korps Armee Abschnitt Bezirk Stock Olympische Vatikanische Konzil"
).split()
_LETTERS = compile_pattern(r"\p{L}++")


# What each pattern begins with.
_NEW_LINE = compile_pattern(r"\n")
_STOP = compile_pattern(r"[。！？｡．.!?…]")
_CLAUSE_STOP = compile_pattern(r"[，、；：,;:…–—\-\n.!?。！？｡．]")
_SPACE = compile_pattern(r"\s")


def find_paragraphs(text: str) -> Iterator[int]:
    """Yield the offsets where paragraphs begin, except the first: behind blank lines."""
    return (match.end() for match in _find(_NEW_LINE, _PARAGRAPH, text))


def find_sentences(text: str) -> Iterator[int]:
    """Yield the offsets where sentences end, behind closing quotation marks and brackets."""
    return (match.end() for match in _find(_STOP, _END, text) if _is_end(match))


def find_lines(text: str) -> Iterator[int]:
    """Yield the offsets where lines end whose sentence does not continue in the next line."""
    return (match.end() for match in _find(_NEW_LINE, _LINE, text))


def find_clauses(text: str) -> Iterator[int]:
    """Yield the offsets where clauses end: behind commas, colons and dashes, and at line ends."""
    return (match.end() for match in _find(_CLAUSE_STOP, _CLAUSE, text))


def find_words(text: str) -> Iterator[int]:
    """Yield the offsets where words begin, except the first."""
    return (match.end() for match in _find(_SPACE, _WORD, text))


def find_characters(text: str) -> Iterator[int]:
    """Yield the offsets where grapheme clusters end: never inside an accent or a syllable."""
    position = 0
    while (match := _CHARACTER.match(text, position)) is not None and match.end() > position:
        position = match.end()
        yield position


def _find(
    first: regex.Pattern[str], pattern: regex.Pattern[str], text: str
) -> Iterator[regex.Match[str]]:
    """Yield the matches of a pattern, all of which begin with `first`.

    `first` is searched for window by window, since a search holds the GIL.
    """
    position = 0
    while position < len(text):
        limit = position + WINDOW_CHARS
        candidate = first.search(text, position, limit)
        match = candidate and pattern.match(text, candidate.start())
        if match:
            yield match
        position = match.end() if match else candidate.end() if candidate else limit


def _is_end(match: regex.Match[str]) -> bool:
    """Return whether a full stop or the like ends a sentence, by its context."""
    text: str = match.string
    following = _NEXT.match(text, match.end())
    if following is None:
        return True
    if match["wide"] or match["mixed"]:
        # Not behind a quotation whose sentence continues: 「行こう！」と言った。
        quoted = match[0][-1] in "」』”’》"
        return not (quoted and regex.match(r"\p{L}", text[match.end()]))
    if following[1].islower():
        return False
    return not (
        match[0][0] == "." and match[0][1:2] != "." and _is_abbreviation(text, match, following)
    )


def _is_abbreviation(text: str, stop: regex.Match[str], following: regex.Match[str]) -> bool:
    token = _TOKEN.match(text, max(0, stop.start() - 12), stop.start())
    if token is None or token.end() != stop.start():
        return False
    word = token[0].lstrip(".-")
    if _INITIAL_OR_DOTTED.fullmatch(word) or _ORDINAL.fullmatch(word):
        return True
    if _LONG_ORDINAL.fullmatch(word) and _ARTICLE.match(
        text, max(0, token.start() - 8), token.start()
    ):
        return True
    if _PART.fullmatch(word) and _NEXT_PART.match(text, stop.end()):
        return True
    if _ROMAN.fullmatch(word):
        return _is_ordered(text, following.start(1))
    lowered = word.lower()
    is_numbered = lowered in _NUMBERED or lowered.endswith("str")
    begin = following.start(1)
    is_number = following[1] in _AMOUNT or _ROMAN_NUMBER.match(text, begin) is not None
    if lowered in ("vol", "bd"):
        is_number = is_number or _ONE.match(text, begin) is not None
    return lowered in _TITLES or (is_numbered and is_number)


def _is_ordered(text: str, begin: int) -> bool:
    """Return whether a word that ordinals stand before begins there, which may not be whole yet."""
    letters = _LETTERS.match(text, begin)
    if letters is None:
        return False
    is_whole = letters.end() < len(text)
    return any(
        letters[0].startswith(name) or (not is_whole and name.startswith(letters[0]))
        for name in _ORDERED
    )
