"""Find what is to be said in other words, sentence by sentence.

No rule looks beyond the sentence that it is in, so that a text that arrives in pieces is said as if
it had come at once. Of libraries, num2words 0.5.14 is LGPL, needs docopt, has had no release since
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
from qwen_tts_api.service.text.sentences import find_sentences
from qwen_tts_api.service.text.verbalize.edits import Edit, apply
from qwen_tts_api.service.text.verbalize.guess import guess_language
from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import WORD, plain_digits
from qwen_tts_api.service.text.verbalize.rules.addresses import find_addresses
from qwen_tts_api.service.text.verbalize.rules.amounts import digits_rule, number_rules, price_rule
from qwen_tts_api.service.text.verbalize.rules.counts import (
    count_rules,
    ordinal_rule,
    vulgar_rule,
)
from qwen_tts_api.service.text.verbalize.rules.dates import month_rules, numeric_rules
from qwen_tts_api.service.text.verbalize.rules.names import NUMBERED, mixed_rules, roman_rule
from qwen_tts_api.service.text.verbalize.rules.rule import Rule
from qwen_tts_api.service.text.verbalize.rules.signs import sign_rules
from qwen_tts_api.service.text.verbalize.rules.words import word_rules

# A text without any of these is said as it is written; of `re`, which is quicker for classes.
_SOMETHING = re.compile(
    r"[^A-Za-zÀ-ÖØ-öø-ÿ ,;:.!?'\"()‘’“”„«»\n\u3041-\u3096\u30A1-\u30FA\u4E00-\u9FFF。，、！？-]"
    r"|[A-Za-z]\.(?! ?$|\n)|[IVX]{2}|[A-Za-z] [IVX]\b|- |\b(?i:vs|mr|mrs|ms|dr|blvd)\b"
)
# Where a rule may begin: a number, a word, a sign.
_PLACE = compile_pattern(
    rf"\((?=[0-9]{{2,5}}\))|[-−+.]?[0-9]|{WORD}++|[^\s\p{{L}}\p{{N}},;:!?()\"„“”]|[\p{{No}}\p{{Nl}}]"
)
_LAST_WORD = compile_pattern(r"(?r)(\p{L}++)\.\s*+$")
_ROMAN_FOLLOWS = re.compile(r" [IVXLCDM]")
MAX_LOOKAHEAD = 80
"""Characters behind the beginning of a word or number that a rule sees."""


def find_edits(text: str, language: Language) -> Iterator[Edit]:
    """Yield what is said in other words than it is written in, from the beginning to the end."""
    if not (_SOMETHING.search(text) or "." in text):
        return
    begin = 0
    for end in [*find_sentences(text), len(text)]:
        sentence = text[begin:end]
        last = _LAST_WORD.search(sentence)
        if _SOMETHING.search(sentence) or (last and last[1].lower() in _keywords(language)):
            for edit in _find_in_sentence(plain_digits(sentence), language):
                yield edit._replace(start=edit.start + begin, end=edit.end + begin)
        begin = end


def _find_in_sentence(text: str, language: Language) -> Iterator[Edit]:
    position, joint = 0, -1
    for address in [*find_addresses(text, language), None]:
        end = address.start if address else len(text)
        between = _find_between(text, position, end, language)
        for found in itertools.chain(between, [address] if address else []):
            edit = _spaced(text, found, is_adjacent=found.start == joint)
            yield edit
            joint = -1 if edit.text.endswith(" ") else edit.end
        position = address.end if address else end


def _find_between(text: str, position: int, end: int, language: Language) -> Iterator[Edit]:
    """Yield what the rules find up to `end`; they see the whole sentence."""
    while place := _PLACE.search(text, position, end):
        edit = _apply_rules(text, place, language)
        if edit is not None and edit.end <= end:
            yield edit
            position = max(edit.end, position + 1)
        else:
            position = place.end() if place[0][0].isalnum() else place.start() + 1


def _apply_rules(text: str, place: regex.Match[str], language: Language) -> Edit | None:
    begin, limit = place.start(), place.end() + MAX_LOOKAHEAD
    for rule in _rules(language)[_kind(text, place, language)]:
        match = rule.pattern.match(text, begin, limit)
        if match and (said := rule.say(match, language)):
            return Edit(begin, said.end, said.text, said.kind)
    return None


def _kind(text: str, place: regex.Match[str], language: Language) -> str:
    """Return which rules may hold at a place."""
    written, end = place[0], place.end()
    if written[0] in _DIGITS:
        return "digit"
    if not written[0].isalpha():
        if written[-1] in _DIGITS:
            return "signed"
        return "'" if written[0] in "'’‘" else "(" if written[0] in "(+" else "sign"
    following = text[end : end + 1]
    is_known = written.lower() in _keywords(language) or any(char in _DIGITS for char in written)
    is_initial = len(written) == 1 and following == "."
    is_name = following == "-" and written.isupper()
    is_numbered = following == " " and written[0].isupper() and _ROMAN_FOLLOWS.match(text, end)
    return "word" if is_known or is_initial or is_name or is_numbered else "none"


_DIGITS = frozenset("0123456789")


def _spaced(text: str, edit: Edit, *, is_adjacent: bool) -> Edit:
    """Return an edit whose words do not run into those beside it."""
    said = edit.text
    if is_adjacent or (edit.start and _runs_into(text[edit.start - 1], said[:1])):
        said = f" {said}"
    if edit.end < len(text) and _runs_into(said[-1:], text[edit.end]):
        said = f"{said} "
    return edit._replace(text=said)


def _runs_into(before: str, after: str) -> bool:
    return (before.isalnum() and after.isalnum()) or (before in ")]" and after.isalnum())


@lru_cache(maxsize=16)
def _rules(language: Language) -> dict[str, tuple[Rule, ...]]:
    """Return the rules of a language by what they begin with, in the order in which they count."""
    month_first, month_year, day_first = month_rules(language)
    signs, words = sign_rules(language), word_rules(language)
    price, (ranges, amount, plain) = price_rule(language), number_rules(language)
    numeric, counts, mixed = numeric_rules(), count_rules(language), mixed_rules()
    ordinal = ordinal_rule(language.ordinal_suffixes)
    vulgar = vulgar_rule()
    numbers = (vulgar, *counts, ranges, amount, *mixed, plain, digits_rule())
    return {
        "digit": (*numeric, ordinal, day_first, *numbers),
        "signed": (*counts, amount, plain, *signs, digits_rule()),
        "word": (price, month_first, month_year, *words, roman_rule(), *counts, *mixed),
        "(": (*counts, *signs),
        "'": tuple(numeric),
        "sign": (price, vulgar, *words, *signs),
        "none": (),
    }


@lru_cache(maxsize=16)
def _keywords(language: Language) -> frozenset[str]:
    """Return what the words and names begin with that rules look for, in lower case."""
    written = [*language.abbreviations, *language.before_number, *language.month_names]
    written += [*language.currencies, *NUMBERED]
    stems = (regex.match(r"[\p{L}\p{M}]*", each) for each in written)
    return frozenset(stem[0].lower() for stem in stems if stem) - {""}


def verbalize(text: str, language: Language) -> str:
    """Return a text as it is said."""
    return apply(text, list(find_edits(text, language)))


def find_language(name: str, text: str) -> Language | None:
    """Return a language by the name that checkpoints have, in any case; None if it has no words.

    Args:
        name: For `Auto`, the language is guessed.
        text: To be spoken in it.
    """
    return guess_language(text) if name.lower() == "auto" else LANGUAGES.get(name.lower())
