"""Acronyms, for a voice that would read them as words: `FBI` letter by letter, `NASA` as a word."""

from __future__ import annotations

import re

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import NOT_IN_WORD
from qwen_tts_api.service.text.verbalize.rules.rule import Rule, Words

_SHOUTED_CHARS = 100
"""Around a word in capitals: without small letters there, it is no acronym but loud."""

# Words that are written in capitals for emphasis, and acronyms that are said as words.
_WORDS = frozenset(
    "NO SO IN ON AT TO DO GO MY ME WE HE BE IS IT IF OR OF AN AS BY UP AM HI OH AH OK"
    " THE AND FOR ARE BUT NOT YOU ALL ANY CAN HER WAS ONE OUR OUT DAY GET HAS HIM HIS HOW MAN NEW"
    " NOW OLD SEE TWO WAY WHO BOY DID ITS LET PUT SAY SHE TOO USE DAD MOM YES RUN BIG RED TOP END"
    " WIN FUN HOT SAD BAD GOD HAD MAY OFF OWN ASK TRY WHY SIX TEN FEW FAR YET BUY PAY NOR"
    " RAM ROM PIN SIM GIF LAN WAN ZIP NASA NATO OPEC AIDS ASCII".split()
)
_SPELLED = frozenset("UCLA ASAP AARP USAID IEEE IOUS AOL EPA IUCN UAE EULA OECD IAEA UEA".split())
_ONSET = (
    "(?:[bcdfghjklmnpqrstvwxyz]|[bcfgps]l|[bcdfgptw]r|s[cktpmnwq]|[cst]h|wh|ph|qu|sc?h|s[tcp]r)"
)
_CODA = "(?:[bcdfgklmnprstxyz]|[rln][dtkmnpsgc]|[rn]th|s[tkph]|ll|ss|ff|c[kth]|[fp]t|mp|th)"
_SYLLABLES = re.compile(
    f"(?:{_ONSET}?[aeiouy]{{1,2}}(?:{_CODA}(?![aeiouy]))?)+(?:s|ed|e)?", re.IGNORECASE
)
_VOWEL = re.compile("[AEIOUY]")
_SMALL = re.compile("[a-zà-öø-ÿ]{2}")


def is_word(capitals: str) -> bool:
    """Return whether a word in capitals is said as a word: it is one, or it sounds like one."""
    if capitals in _WORDS:
        return True
    is_long = len(capitals) >= 4 and capitals not in _SPELLED
    return is_long and _VOWEL.search(capitals) is not None and _is_pronounceable(capitals)


def _is_pronounceable(capitals: str) -> bool:
    return len(capitals) > 20 or _SYLLABLES.fullmatch(capitals) is not None


def _say_acronym(match: regex.Match[str], language: Language) -> Words | None:
    text, letters = match.string, match["letters"]
    around = text[max(0, match.start() - _SHOUTED_CHARS) : match.start()]
    around += text[match.end() : match.end() + _SHOUTED_CHARS]
    is_loud = not _SMALL.search(around) and " " in around.strip() and letters not in _SPELLED
    if is_word(letters) or (is_loud and _VOWEL.search(letters)):
        return None
    plural = "'s" if match["plural"] else ""
    return Words(language.spell(letters) + plural, match.end(), "abbreviations")


def acronym_rule() -> Rule:
    """Return the rule of acronyms that are said letter by letter."""
    pattern = rf"{NOT_IN_WORD}(?P<letters>[A-Z]{{2,}}+)(?P<plural>s)?(?![\p{{L}}\p{{M}}\p{{Nd}}])"
    return Rule(compile_pattern(pattern), _say_acronym)
