"""Moves of chess: `Nf3`, `exd5`, `Qxe7+`, `e8=Q`, `O-O`."""

from __future__ import annotations

from typing import NamedTuple

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import NO_WORD_FOLLOWS, NOT_IN_WORD
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words


class Chess(NamedTuple):
    """What the letters and signs of moves are called in a language."""

    pieces: dict[str, str]
    takes: str
    becomes: str
    check: str
    mate: str
    short: str
    long: str


def _chess(letters: str, names: str, *words: str) -> Chess:
    """Return the words of a language: of the pieces, and the others in their order."""
    return Chess(dict(zip(letters, names.split(), strict=True)), *words)


CHESS = {
    "english": _chess(
        "KQRBN", "king queen rook bishop knight",
        "takes", "promotes to", "check", "mate", "castles kingside", "castles queenside",
    ),
    "german": _chess(
        "KDTLS", "König Dame Turm Läufer Springer",
        "schlägt", "wird", "Schach", "matt", "kurze Rochade", "lange Rochade",
    ),
    "french": _chess(
        "RDTFC", "roi dame tour fou cavalier",
        "prend", "devient", "échec", "mat", "petit roque", "grand roque",
    ),
    "spanish": _chess(
        "RDTAC", "rey dama torre alfil caballo",
        "por", "corona", "jaque", "mate", "enroque corto", "enroque largo",
    ),
    "chinese": _chess(
        "KQRBN", "王 后 车 象 马",
        "吃", "升变", "将军", "将杀", "短易位", "长易位",
    ),
}  # fmt: skip
"""Moves by language."""

_SQUARE = "[a-h][1-8]"
# Three words, or as many characters as they may have: a text that arrives is cut farther away.
_BEFORE = compile_pattern(r"(?r)(?:\S{0,12}+ ?){0,3}")
_BEHIND = compile_pattern(r"(?: ?\S{0,12}+){0,3}")
# Other moves, or words of the game: `Nf1` alone is a gene.
_GAME = compile_pattern(
    rf"(?<!\p{{L}})(?:[A-Z]?[a-h]?[1-8]?x?{_SQUARE}(?![\p{{L}}0-9])|O-O"
    r"|(?i:chess|white|black|moves?|plays?|schach|weiß|schwarz|zug|échecs|blancs|noirs|ajedrez"
    r"|blancas|negras)(?!\p{L})|棋|白方|黑方)"
)


def _say_move(match: regex.Match[str], language: Language) -> Words | None:
    text, words = match.string, CHESS[language.name]
    before, behind = _BEFORE.match(text, 0, match.start()), _BEHIND.match(text, match.end())
    if not any(_GAME.search(around[0]) for around in (before, behind) if around):
        return None
    end = {"+": words.check, "#": words.mate}.get(match["end"] or "", "")
    if match["castles"]:
        said = words.long if len(match["castles"]) > 3 else words.short
        return Words(language.join(said, end), match.end(), "numbers")
    from_there = language.spell(match["from"]) if match["from"] else ""
    said = language.join(
        words.pieces.get(match["piece"] or "", ""),
        from_there,
        words.takes if match["takes"] else "",
        language.spell(match["to"]),
        language.join(words.becomes, words.pieces[match["new"]]) if match["new"] else "",
        end,
    )
    return Words(said, match.end(), "numbers")


def chess_rule(language: Language) -> Rule:
    """Return the rule of moves; a pawn's without anything beside it is a name like any other."""
    pieces = "".join(CHESS[language.name].pieces)
    pawn = rf"(?P<from>[a-h])(?P<takes>x)|(?={_SQUARE}[=+#])"
    pattern = (
        rf"{NOT_IN_WORD}(?:(?P<castles>O-O(?:-O)?)|(?:(?P<piece>[{pieces}])"
        rf"(?P<from>[a-h]?[1-8]?)(?P<takes>x)?|{pawn})(?P<to>{_SQUARE})(?:=(?P<new>[{pieces}]))?)"
        rf"(?P<end>[+#])?{NO_WORD_FOLLOWS}(?!-\p{{L}})"
    )
    return Rule(compile_pattern(pattern), _say_move)
