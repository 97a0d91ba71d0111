"""Find what is to be said in other words, in a sentence.

Of libraries, num2words 0.5.14 is LGPL, needs docopt, has had no release since
2024, says "one thousand, two hundred and thirty-four", and raises where a number is large; cn2an is
for Chinese alone. Neither finds numbers in a text; NeMo's grammars do, by 200 MB of OpenFst.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from functools import lru_cache

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.edits import Edit, apply, close_up
from qwen_tts_api.service.text.verbalize.guess import guess_language
from qwen_tts_api.service.text.verbalize.joints import join
from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import WORD, plain_digits
from qwen_tts_api.service.text.verbalize.prefixes import Prefixes
from qwen_tts_api.service.text.verbalize.rules.addresses import find_addresses
from qwen_tts_api.service.text.verbalize.rules.amounts import digits_rule, number_rules, price_rule
from qwen_tts_api.service.text.verbalize.rules.codes import code_rules
from qwen_tts_api.service.text.verbalize.rules.counts import (
    area_unit_rule,
    count_rules,
    ordinal_rule,
)
from qwen_tts_api.service.text.verbalize.rules.dates import month_rules, numeric_rules
from qwen_tts_api.service.text.verbalize.rules.fractions import fraction_rules, vulgar_rule
from qwen_tts_api.service.text.verbalize.rules.names.acronyms import acronym_rule
from qwen_tts_api.service.text.verbalize.rules.names.chess import chess_rule
from qwen_tts_api.service.text.verbalize.rules.names.formulas import formula_rule
from qwen_tts_api.service.text.verbalize.rules.names.mixed import mixed_rules, rest_rule
from qwen_tts_api.service.text.verbalize.rules.names.romans import (
    NUMBERED,
    is_roman,
    roman_alone_rule,
    roman_rule,
)
from qwen_tts_api.service.text.verbalize.rules.names.verses import (
    book_number_rule,
    book_rule,
    book_words,
    verse_rule,
)
from qwen_tts_api.service.text.verbalize.rules.ranges import range_rule
from qwen_tts_api.service.text.verbalize.rules.rule import Rule
from qwen_tts_api.service.text.verbalize.rules.signs import sign_rules
from qwen_tts_api.service.text.verbalize.rules.times import stamp_rule, time_rules, zone_rule
from qwen_tts_api.service.text.verbalize.rules.words import word_rules

# A text without any of these is said as it is written; of `re`, which is quicker for classes.
_SOMETHING = re.compile(
    r"[^A-Za-zÀ-ÖØ-öø-ÿ ,;:.!?'\"()‘’“”„«»\n\u3041-\u3096\u30A1-\u30FA\u4E00-\u9FFF。，、！？-]"
    r"|[A-Za-z]\.(?! ?$|\n)|[IVX]{2}|[A-Za-z] [IVX]\b|- "
)
# Where a rule may begin: a number, a word, a sign.
_PLACE = compile_pattern(
    rf"\((?=[0-9]{{2,5}}\))|(?:[-–−+]|(?<!\.)\.)?[0-9]|!=|{WORD}++|[^\s\p{{L}}\p{{N}},;:!?()\"„“”]|[\p{{No}}\p{{Nl}}]"
)
_BEFORE_NUMBER = frozenset("(-–−+.")
"""What a place may begin with whose number may be one without it."""
_CAPITALS = re.compile("[A-Z]{2}")
_LAST_WORD = compile_pattern(r"(?r)(\p{L}{1,20}+)\.\s*+$")
_PLAIN = compile_pattern(r"(?:\p{L}?[\p{Ll}\p{M}]+)?(?:['’-][\p{Ll}\p{M}]+)*")
_BESIDE = ',;:!?"“”„()'
_DIGITS = frozenset("0123456789")
_ROMAN_FOLLOWS = re.compile(r" [IVXLCDM]")
_POWERS = frozenset("²³¹⁰⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉")
_DASHES = frozenset(".-–")
_BESIDE_WORD = _POWERS | _DASHES
MAX_LOOKAHEAD = 80
"""Characters behind the beginning of a word or number that a rule sees."""


class Verbalizer:
    """Says texts of one language in words.

    Args:
        language: That they are spoken in.
        letters_only: Whether acronyms, too, are said letter by letter.
    """

    def __init__(self, language: Language, *, letters_only: bool) -> None:
        self._language = language
        self._letters_only = letters_only
        rules = _rules(language, letters_only=letters_only)
        self._rules = {kind: Prefixes(each) for kind, each in rules.items()}
        self._keywords = _keywords(language)
        self._compounds = tuple(each.rstrip(".") for each in language.compounds)
        bare = [each for each in language.abbreviations if each.isalpha()]
        ranges = "|".join([*language.weekdays, *language.month_names])
        alone = "|".join(bare) or "(?!)"
        self._bare = re.compile(rf"\b(?i:(?:{alone})\b|(?:{ranges or '(?!)'})\.?-)")

    def verbalize(self, text: str) -> str:
        """Return a sentence as it is said."""
        return apply(text, list(self.find_edits(text)))

    def find_edits(self, text: str) -> Iterator[Edit]:
        """Yield what is said in other words than it is written in, in the order of a sentence."""
        if self._has_something(text):
            yield from self._find_in_sentence(plain_digits(text))

    def is_inert(self, word: str) -> bool:
        """Return whether a word is said as it is written, beside any other."""
        stem = word.strip(_BESIDE)
        return _PLAIN.fullmatch(stem) is not None and stem.lower() not in self._keywords

    def _has_something(self, sentence: str) -> bool:
        if _SOMETHING.search(sentence) or (self._letters_only and _CAPITALS.search(sentence)):
            return True
        if self._bare.search(sentence):
            return True
        last = _LAST_WORD.match(sentence)
        word = last[1].lower() if last else ""
        return word in self._keywords or word.endswith(self._compounds or "\n")

    def _find_in_sentence(self, text: str) -> Iterator[Edit]:
        position, joint, spaced = 0, -1, -1
        for address in [*find_addresses(text, self._language), None]:
            end = address.start if address else len(text)
            between = join(text, self._find_between(text, position, end), self._language)
            for found in itertools.chain(between, [address] if address else []):
                edit = self._spaced(text, found, joint, spaced)
                yield edit
                joint, spaced = (-1, edit.end) if edit.text.endswith(" ") else (edit.end, -1)
            position = address.end if address else end

    def _spaced(self, text: str, edit: Edit, joint: int, spaced: int) -> Edit:
        """Return an edit whose words do not run into those beside it.

        Args:
            text: The sentence.
            edit: Of it.
            joint: Where the edit before ended, unless with a space.
            spaced: Where it ended with a space.
        """
        if not self._language.space:
            return close_up(text, edit)
        said, end = edit.text, edit.end
        is_beside = edit.start > 0 and _runs_into(text[edit.start - 1], said[:1])
        if edit.start == joint or (is_beside and edit.start != spaced):
            said = f" {said}"
        if end < len(text) and _runs_into(said[-1:], text[end]):
            said = f"{said} "
        return edit if said is edit.text else edit._replace(text=said)

    def _find_between(self, text: str, position: int, end: int) -> Iterator[Edit]:
        """Yield what the rules find up to `end`; they see the whole sentence, where they can."""
        while place := _PLACE.search(text, position, end):
            edit = self._apply_rules(text, place)
            if edit is not None and edit.end > end:
                edit = self._find_before(text, place.start(), end)
            if edit is not None and edit.end <= end:
                yield edit
                position = max(edit.end, position + 1)
            else:
                position = place.start() + 1 if place[0][0] in _BEFORE_NUMBER else place.end()

    def _find_before(self, text: str, begin: int, end: int) -> Edit | None:
        """Return what is at a place if the text ends where an address begins."""
        first = max(0, begin - MAX_LOOKAHEAD)
        cut = text[first:end]
        place = _PLACE.match(cut, begin - first)
        edit = place and self._apply_rules(cut, place)
        return edit._replace(start=begin, end=edit.end + first) if edit else None

    def _apply_rules(self, text: str, place: regex.Match[str]) -> Edit | None:
        begin, limit = place.start(), place.end() + MAX_LOOKAHEAD
        kind = self._kind(text, place)
        if kind == "none":
            return None
        for rule in self._rules[kind].rules_at(text, begin, limit):
            match = rule.pattern.match(text, begin, limit)
            if match and (said := rule.say(match, self._language)):
                return Edit(begin, said.end, said.text, said.kind)
        return None

    def _kind(self, text: str, place: regex.Match[str]) -> str:
        """Return which rules may hold at a place."""
        written, end = place[0], place.end()
        if written[0] in _DIGITS:
            return "digit"
        if written[0].isalpha():
            return "word" if self._is_word(text, written, end) else "none"
        if written[-1] in _DIGITS:
            return "signed"
        return "'" if written[0] in "'’‘" else "(" if written[0] in "(+" else "sign"

    def _is_word(self, text: str, written: str, end: int) -> bool:
        """Return whether a rule may hold at a word, which ends there."""
        following, lowered = text[end : end + 1], written.lower()
        if lowered in self._keywords or not written.isalpha():
            return True
        if following in _BESIDE_WORD:
            if following in _POWERS or (len(written) == 1 and following == "."):
                return True
            if following in _DASHES and lowered in self._language.weekdays:
                return True
            if following == "." and lowered.endswith(self._compounds):
                return True
        if lowered == written:
            return False
        if following in ("-", "−", "+") and written.isupper():
            return True
        if following == " " and written[0].isupper() and _ROMAN_FOLLOWS.match(text, end):
            return True
        return is_roman(written) or (self._letters_only and _CAPITALS.match(written) is not None)


def _runs_into(before: str, after: str) -> bool:
    return (before.isalnum() or before in ")]") and after.isalnum()


def _rules(language: Language, *, letters_only: bool) -> dict[str, tuple[Rule, ...]]:
    """Return the rules of a language by what they begin with, in the order in which they count."""
    month_first, month_year, day_first = month_rules(language)
    signs, words = sign_rules(language), word_rules(language)
    price, (ranges, amount, plain) = (
        price_rule(language),
        (range_rule(language), *number_rules(language)),
    )
    numeric = [verse_rule(language), *time_rules(language), *numeric_rules(language)]
    counts = [*code_rules(language), *count_rules(language), *fraction_rules(language)]
    mixed = mixed_rules()
    ordinal, vulgar = ordinal_rule(language.ordinal_suffixes), vulgar_rule()
    numbers = (vulgar, *counts, ranges, amount, *mixed, plain, digits_rule())
    acronyms = [acronym_rule()] if letters_only else []
    romans = [roman_rule(), roman_alone_rule()]
    return {
        "digit": (book_number_rule(language), *numeric, day_first, ordinal, *numbers),
        "signed": (*counts, amount, plain, *signs),
        "word": (
            *(
                price,
                stamp_rule(),
                zone_rule(),
                book_rule(language),
                month_first,
                month_year,
                *words,
            ),
            *(chess_rule(language), area_unit_rule(), *romans),
            *(*counts, formula_rule(), *mixed, *acronyms, rest_rule()),
        ),
        "(": (*counts, *signs),
        "'": tuple(numeric),
        "sign": (price, vulgar, *words, *signs),
    }


def _keywords(language: Language) -> frozenset[str]:
    """Return what the words and names begin with that rules look for, in lower case."""
    written = [*language.abbreviations, *language.before_number, *language.month_names]
    written += [*language.before_roman, *book_words(language)]
    written += [*language.currencies, *NUMBERED]
    written += [each for each in language.weekdays if language.months_capitalized and len(each) > 2]
    stems = (regex.match(r"[\p{L}\p{M}]*", each) for each in written)
    return frozenset(stem[0].lower() for stem in stems if stem) - {""}


@lru_cache(maxsize=16)
def make_verbalizer(language: Language, *, letters_only: bool = False) -> Verbalizer:
    """Return the verbalizer of a language; compiling its patterns takes 0.2 s, once."""
    return Verbalizer(language, letters_only=letters_only)


def find_language(name: str, text: str) -> Language | None:
    """Return a language by the name that checkpoints have, in any case; None if it has no words.

    Args:
        name: For `Auto`, the language is guessed.
        text: To be spoken in it.
    """
    return guess_language(text) if name.lower() == "auto" else LANGUAGES.get(name.lower())
