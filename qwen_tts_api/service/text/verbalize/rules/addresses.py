"""Addresses of e-mail and of the web: their parts as words, their signs by name."""

from __future__ import annotations

from collections.abc import Iterator

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.edits import Edit
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.numerals import NO_SPACES
from qwen_tts_api.service.text.verbalize.rules.names.mixed import say_parts

_DOMAINS = (
    "com|org|net|edu|gov|mil|int|info|biz|app|dev|io|ai|co|me|tv|eu|uk|us|ca|au|de|fr|es|it|ch|at"
    "|nl|be|cn|jp|kr|ru|pt|br|mx|in|se|no|dk|fi|pl|cz|ie|nz|cloud|online|shop|xyz|tech|local"
)
# Scripts without spaces go on in front of an address.
_SIGN = rf"[[\p{{L}}\p{{N}}]--{NO_SPACES}]"
_LABEL = rf"{_SIGN}[{_SIGN}_-]{{0,62}}"
_REST = r"[^\s<>\"'“”«»()\[\]{}|，。、；：！？（）【】《》「」『』…]"
_PATH = rf"(?::[0-9]{{1,5}})?(?:[/?#]{_REST}*+)?"
_FULL = rf"(?i:[a-z][a-z0-9+.-]{{1,15}}://)(?P<full>{_REST}++)"
_MAIL = (
    rf"(?i:mailto:)?(?P<mail>[{_SIGN}._%+-]{{1,64}}+@"
    rf"(?:(?:{_LABEL}\.){{1,8}}\p{{L}}{{2,24}}|localhost))"
)
_BARE = (
    rf"(?P<bare>(?i:www\.)(?:{_LABEL}\.){{1,8}}\p{{L}}{{2,24}}{_PATH}"
    rf"|localhost:[0-9]{{1,5}}(?:/{_REST}*+)?"
    rf"|(?:{_LABEL}\.){{1,8}}(?:{_DOMAINS})(?![\p{{L}}\p{{N}}_@-]|\.\p{{L}}){_PATH})"
)
_ADDRESS = compile_pattern(rf"(?<![{_SIGN}_@.%+-])(?:{_FULL}|{_MAIL}|{_BARE})")
_HINT = compile_pattern(r"@|://|\p{L}\.\p{L}{2}|localhost:")
_PART = compile_pattern(r"[\p{L}\p{M}\p{N}]++|[^\s\p{L}\p{M}\p{N}]")
_TRAILING = ".,;:!?…"


def find_addresses(text: str, language: Language) -> Iterator[Edit]:
    """Yield addresses in words; a full stop behind one is the sentence's."""
    position = 0
    while hint := _HINT.search(text, position):
        begin = max(text.rfind(" ", 0, hint.start()), text.rfind("\n", 0, hint.start())) + 1
        end = _blank(text, hint.end())
        for match in _ADDRESS.finditer(text, max(begin, position), end):
            written = (match["full"] or match["mail"] or match["bare"]).rstrip(_TRAILING)
            begin_written = match.start("full") if match["full"] else match.end() - len(match[0])
            stop = begin_written + len(match[0][begin_written - match.start() :].rstrip(_TRAILING))
            yield Edit(match.start(), stop, say_address(written, language), "addresses")
        position = end


def _blank(text: str, start: int) -> int:
    found = [place for place in (text.find(" ", start), text.find("\n", start)) if place >= 0]
    return min(found, default=len(text))


def say_address(written: str, language: Language) -> str:
    """Return an address in words: `info at example dot com`."""
    said = []
    for part in _PART.findall(written.rstrip("/")):
        said.append(language.address_signs.get(part) or say_part(part, language))
    return " ".join(filter(None, said))


def say_part(part: str, language: Language) -> str:
    """Return letters and digits between two signs; `www` and the like letter by letter."""
    lowered = part.lower()
    if part.isdecimal() and len(part) > 2:
        return language.digits(part)
    if lowered in _WORDS or (_VOWEL.search(lowered) and len(lowered) > 2):
        return say_parts(part, language)
    if part.isalpha():
        return language.spell(part)
    return say_parts(part.upper() if len(part) <= 3 else part, language)


_WORDS = frozenset(("com", "net", "org"))
_VOWEL = compile_pattern("[aeiouy]")
