"""Chapters and verses: `John 3:16`, `1 Cor 13:4-7`, `Joh 3,16`, `1:1-3`."""

from __future__ import annotations

from functools import lru_cache

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import (
    DASH,
    NO_DIGITS_FOLLOW,
    NO_WORD_FOLLOWS,
    NOT_IN_WORD,
)
from qwen_tts_api.service.text.verbalize.rules.names.books import BOOKS
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words

_MAX_BOOK_CHARS = 32
_END = rf"{NO_WORD_FOLLOWS}{NO_DIGITS_FOLLOW}"
_NO_TIME = r"(?![:：][0-9]| ?[aApP]\.? ?[mM]|%| ?Uhr)"
_NO_AMOUNT = r"(?! ?(?:[%‰°\p{Sc}]|(?:Prozent|Mio|Mrd|Euro|euros|[kcm]?m|[km]?g|l)\b))"
_TWO = "[0-9]{1,3}"


def _any(names: frozenset[str] | set[str]) -> str:
    return "|".join(regex.escape(name) for name in sorted(names, key=len, reverse=True)) or "(?!)"


@lru_cache(maxsize=16)
def _book_before(language: Language) -> regex.Pattern[str]:
    """Return the pattern of a book that ends where chapter and verse begin."""
    books = BOOKS[language.name]
    begin = r"(?<!\p{L})" if language.space else ""
    return compile_pattern(rf"(?r){begin}(?:{_any({*books.names, *books.abbreviations})})\.? ?")


def _say_verses(match: regex.Match[str], language: Language) -> Words | None:
    """Say chapter and verses; of a book, or where they are no times of the day."""
    text, books = match.string, BOOKS[language.name]
    begin, first, last = match.start(), match["first"], match["last"]
    if not _book_before(language).match(text, max(0, begin - _MAX_BOOK_CHARS), begin):
        is_alone = last and not (match["comma"] or match["until"])
        if not is_alone or first[0] == "0" or int(first) >= int(last):
            return None
    chapter, verses = language.whole(match["chapter"]) + books.chapter, language.whole(first)
    pause = "" if books.chapter else language.pause
    if match["until"]:
        until = language.whole(match["until"]) + books.chapter
        other = f"{until}{pause}{language.whole(last)}{books.verse}"
        verses = language.span(verses + books.verse, other)
    else:
        verses = language.span(verses, language.whole(last)) if last else verses
        verses += books.verse
    return Words(f"{chapter}{pause}{verses}", match.end(), "numbers")


def verse_rule(language: Language) -> Rule:
    """Return the rule of chapters with verses."""
    comma = rf", ?(?={_TWO}{_NO_AMOUNT})" if BOOKS[language.name].comma else "(?!)"
    pattern = (
        rf"{NOT_IN_WORD}(?<![0-9][.,/:-])(?P<chapter>{_TWO})(?:[:：]|(?P<comma>{comma}))"
        rf"(?P<first>{_TWO})(?:{DASH}(?:(?P<until>{_TWO})[:：])?(?P<last>{_TWO}))?{_END}{_NO_TIME}"
    )
    return Rule(compile_pattern(pattern), _say_verses)


def _say_number(match: regex.Match[str], language: Language) -> Words | None:
    """Say the first number of `1 Cor 13`."""
    said = BOOKS[language.name].ordinals[int(match["number"]) - 1]
    return Words(f"{said} ", match.end(), "numbers")


def book_number_rule(language: Language) -> Rule:
    """Return the rule of the number before one of several books."""
    books = BOOKS[language.name]
    pattern = (
        rf"{NOT_IN_WORD}(?P<number>[1-{max(1, len(books.ordinals))}])\.? ?"
        rf"(?=(?:{_any(books.numbered)})\.? [0-9]{{1,3}}(?:[:：,]|\b))"
    )
    return Rule(compile_pattern(pattern), _say_number)


def _say_book(match: regex.Match[str], language: Language) -> Words | None:
    return Words(BOOKS[language.name].abbreviations[match["book"]], match.end(), "abbreviations")


def book_rule(language: Language) -> Rule:
    """Return the rule of abbreviated names of books."""
    books = BOOKS[language.name]
    comma = "," if books.comma else ""
    pattern = (
        rf"{NOT_IN_WORD}(?P<book>{_any(set(books.abbreviations))})\.?"
        rf"(?= {_TWO}(?:[:：{comma}] ?{_TWO}|{_END}(?<=[1-5]\.? ?\p{{L}}{{1,5}}\.? {_TWO})))"
    )
    return Rule(compile_pattern(pattern), _say_book)


def book_words(language: Language) -> set[str]:
    """Return what abbreviated names of books begin with, in lower case."""
    return {name.lower() for name in BOOKS[language.name].abbreviations}
