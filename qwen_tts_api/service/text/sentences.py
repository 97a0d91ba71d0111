"""Find where a text may be divided: at paragraphs, sentences, lines, clauses, words, characters.

The rules know no language, since requests often do not either (`Auto`), and texts mix them. Of the
libraries, sentencex 1.0 must be told the language and divides at "M. Dupont", "3. Mai" and "т.е.";
pysbd has had no release since 2021. What looks like an abbreviation is never an end: a sentence
that goes on a little longer is heard by nobody, one that is torn apart is.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

import regex

from qwen_tts_api.service.text.pieces import PIECE

_FLAGS = regex.VERSION1


class Boundary(IntEnum):
    """Kinds of places to divide a text at, the best last."""

    CHARACTER = 0
    WORD = 1
    CLAUSE = 2
    LINE = 3
    SENTENCE = 4
    PARAGRAPH = 5


# What closes a quotation or bracket: “ and « in German only, since they open in other languages.
_WIDE_CLOSERS = r"[)\]}'’”」』】》〉）］｣]*+"
_CLOSERS = r"(?:[)\]}\"'”’»›«‹“」』】》〉）］｣]|[\u00A0\u202F ][»›](?!\S*\p{L}))*+"
_NO_SPACES = r"[\p{Han}\p{Hiragana}\p{Katakana}]"

_PARAGRAPH = regex.compile(r"\n[^\S\n]*+(?:\n[^\S\n]*+)++", _FLAGS)
_HYPHEN = r"[\-‐\u00AD]"  # at the end of a line, inside a word
_LINE = regex.compile(
    rf"(?<!{_HYPHEN}|[,\p{{Ll}}])\n(?=[^\S\n]*+\P{{Ll}})"
    rf"|(?<!{_HYPHEN})\n(?=[^\S\n]*+[-–—*•\d])",
    _FLAGS,
)
_CLAUSE = regex.compile(
    rf"[，、；：]{_WIDE_CLOSERS}|[,;:]{_CLOSERS}(?=\s)|…++|(?<=\s)[–—-](?=\s)|——|(?<!{_HYPHEN})\n"
    rf"|[.!?]{_CLOSERS}(?=\s)|[。！？｡．!?]{_WIDE_CLOSERS}",
    _FLAGS,
)
_WORD = regex.compile(rf"(?<!\p{{L}}{_HYPHEN})\s++", _FLAGS)
# What `\X` matches, which takes time by the square of the number of flags in a row, and holds the
# GIL for as long; here nothing is longer than some thousand code points.
_CHARACTER = regex.compile(
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
    _FLAGS,
)

# Ends that need no space behind them, and those that do. Only the beginning of a run is tried:
# each try takes time by its length.
_END = regex.compile(
    rf"(?P<wide>[。！？｡．]++[。！？!?…]*+{_WIDE_CLOSERS})"
    rf"|(?P<narrow>(?<![.!?…])[.!?…]++{_CLOSERS}(?=[\s¿¡]|\Z))"
    rf"|(?P<mixed>(?<![!?])[!?]++{_WIDE_CLOSERS}(?={_NO_SPACES}))",
    _FLAGS,
)
# What comes next, behind spaces, dashes and what opens a quotation.
_NEXT = regex.compile(r"[\s\p{Pd}\p{Ps}\p{Pi}\"'«»„“‚¿¡]*+(.)", _FLAGS | regex.DOTALL)
_TOKEN = regex.compile(r"(?r)[\p{L}\p{N}.\-]+", _FLAGS)

# Before a name, whatever follows.
_TITLES = frozenset(
    "dr mr mrs ms mx prof st ste sr sra srta dra dña ing dipl lic avv arch dott sig sigg on mm mme"
    " mlle mgr hr fr hrn gen col cpt capt maj lt sgt gov hon rep sen rev pres ca bzw vgl vs cf al"
    " evtl ggf sog inkl exkl zzgl bspw гр ул им тов проф акад обл пер пл просп".split()
)
# Before a number.
_NUMBERED = frozenset(
    "no nr nos num núm nº n° p pp pg pag pág pagg s fig figs abb art arts vol vols bd bde kap cap"
    " ch sec tab eq nn ss jan feb mar apr jun jul aug sep sept oct okt nov dec dez стр рис гл табл"
    " ст п пп г т д кв оф тел".split()
)
_INITIAL_OR_DOTTED = regex.compile(
    r"\p{Lu}|(?:\p{L}{1,3}\.)+\p{L}{1,3}|(?:\p{Lu}\.?-)+\p{Lu}", _FLAGS
)
_ORDINAL = regex.compile(r"\d{1,2}", _FLAGS)


# What the patterns begin with.
_NEW_LINE = regex.compile(r"\n")
_STOP = regex.compile(r"[。！？｡．.!?…]")
_CLAUSE_STOP = regex.compile(r"[，、；：,;:…–—\-\n.!?。！？｡．]")
_SPACE = regex.compile(r"\s")


def find_paragraphs(text: str) -> Iterator[int]:
    """Yield where paragraphs begin, but for the first: behind blank lines."""
    return (match.end() for match in _find(_NEW_LINE, _PARAGRAPH, text))


def find_sentences(text: str) -> Iterator[int]:
    """Yield where sentences end, closing quotation marks and brackets included."""
    return (match.end() for match in _find(_STOP, _END, text) if _is_end(match))


def find_lines(text: str) -> Iterator[int]:
    """Yield where lines end that do not look as if their sentence went on in the next."""
    return (match.end() for match in _find(_NEW_LINE, _LINE, text))


def find_clauses(text: str) -> Iterator[int]:
    """Yield where parts of sentences end: behind commas, colons, dashes, and at line ends."""
    return (match.end() for match in _find(_CLAUSE_STOP, _CLAUSE, text))


def find_words(text: str) -> Iterator[int]:
    """Yield where words begin, but for the first."""
    return (match.end() for match in _find(_SPACE, _WORD, text))


def find_characters(text: str) -> Iterator[int]:
    """Yield where characters end, as a reader counts them: never inside an accent or a syllable."""
    position = 0
    while (match := _CHARACTER.match(text, position)) is not None and match.end() > position:
        position = match.end()
        yield position


def _find(
    first: regex.Pattern[str], pattern: regex.Pattern[str], text: str
) -> Iterator[regex.Match[str]]:
    """Yield the matches of a pattern, all of which begin with `first`.

    Only that is looked for far away, and in pieces: a search holds the GIL.
    """
    position = 0
    while position < len(text):
        limit = position + PIECE
        candidate = first.search(text, position, limit)
        match = candidate and pattern.match(text, candidate.start())
        if match:
            yield match
        position = match.end() if match else candidate.end() if candidate else limit


def _is_end(match: regex.Match[str]) -> bool:
    """Tell whether a full stop or its like ends a sentence, by what is around it."""
    text: str = match.string
    following = _NEXT.match(text, match.end())
    if following is None:
        return True
    if match["wide"] or match["mixed"]:
        # Behind a quotation that goes on without a space: 「行こう！」と言った。
        quoted = match[0][-1] in "」』”’》"
        return not (quoted and regex.match(r"\p{L}", text[match.end()]))
    if following[1].islower():
        return False
    return not (
        match[0][0] == "." and match[0][1:2] != "." and _abbreviated(text, match, following)
    )


def _abbreviated(text: str, stop: regex.Match[str], following: regex.Match[str]) -> bool:
    token = _TOKEN.match(text, max(0, stop.start() - 12), stop.start())
    if token is None or token.end() != stop.start():
        return False
    word = token[0].lstrip(".-")
    if _INITIAL_OR_DOTTED.fullmatch(word) or _ORDINAL.fullmatch(word):
        return True
    lowered = word.lower()
    return lowered in _TITLES or (lowered in _NUMBERED and following[1].isdigit())
