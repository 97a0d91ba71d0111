"""Replace whole words by respellings that the model pronounces right.

Words of scripts with spaces are matched between other letters and digits; those of Chinese and kana
anywhere but inside a longer word in katakana; Korean ones also before a particle. The longest word
counts, and what was replaced is not looked at again.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.edits import Edit

MAX_WORDS = 10_000
MAX_CHARS = 200
"""Of a word, and of its respelling."""
MAX_NESTING = 100
"""Of groups in a pattern, which is parsed by recursion: `a`, `aa`, `aaa` and so on nest. Deeper
alternatives are written out."""

# In capitals they are names, in small letters words that are in every sentence.
_ORDINARY = frozenset(
    "us it who am as in is or may will can do go he me my we so to up an at be by if of on no pm"
    " the and for are but not you all any her was one our out day get has him his how man new now"
    " old see two way its let put say she too use ich er sie es wir im la le el un".split()
)
_FREE = r"[\p{Han}\p{Hiragana}\p{Thai}]"
_SPACES = r"[ \u00A0]++"
_APOSTROPHE = compile_pattern("[’ʼ]")


class Pronunciations:
    """Respellings by word, to be found in a text.

    A word is found in any case. The respelling of a word that is written just so goes before that
    of another case; an ordinary word such as `us` is none of `US`. Plural and possessive endings of
    Latin words stay: `APIs`, `API's`.

    Args:
        respellings: By word; both of 1 to MAX_CHARS characters.
        others: More words, which these go before. They are not compiled again, which takes a second
            for MAX_WORDS.
    """

    def __init__(
        self, respellings: Mapping[str, str], others: Pronunciations | None = None
    ) -> None:
        composed = {_compose(word): text.strip() for word, text in respellings.items()}
        self._exact = composed
        self._any_case = {_fold(word): (word, text) for word, text in composed.items()}
        self._pattern = _compile(composed) if composed else None
        own_words = max((len(word.split()) for word in composed), default=0)
        self._num_words = max(own_words, others.num_words if others else 0)
        self._others = others

    @property
    def num_words(self) -> int:
        """How many words the longest entry has."""
        return self._num_words

    def find_edits(self, text: str) -> list[Edit]:
        """Return what is replaced, in the order of the text."""
        edits = []
        for words, match in self._matches(text):
            said = words._respell(match["word"], match["ending"] or "")
            if said is not None and said != match[0]:
                edits.append(Edit(match.start(), match.end(), said, "pronunciations"))
        return edits

    def _matches(self, text: str) -> Iterator[tuple[Pronunciations, regex.Match[str]]]:
        """Yield what one pattern of all words would match: the first, and of these the longest."""
        layers = [
            (words, words._pattern) for words in (self, self._others) if words and words._pattern
        ]
        matches = [pattern.search(text) for _, pattern in layers]
        while found := [
            (match.start(), -match.end(), index) for index, match in enumerate(matches) if match
        ]:
            _, minus_end, index = min(found)
            if (chosen := matches[index]) is not None:
                yield layers[index][0], chosen
            for each, match in enumerate(matches):
                if match is not None and match.start() < -minus_end:
                    matches[each] = layers[each][1].search(text, -minus_end)

    def _respell(self, written: str, ending: str) -> str | None:
        word = _compose(" ".join(written.split()))
        text = self._exact.get(word)
        if text is None:
            found = self._any_case.get(_fold(word))
            if found is None:
                return None
            spelled, text = found
            if word.islower() and word in _ORDINARY and not spelled.islower():
                return None
        if ending == "s":
            if len(word) < 3 - word.isupper() or word in _ORDINARY:
                return None
            return text + ("es" if text.endswith(("s", "x", "z", "ch", "sh")) else "s")
        return text + ending


def _compose(word: str) -> str:
    return unicodedata.normalize("NFC", " ".join(word.split()))


def _fold(word: str) -> str:
    """Return a word as all of its cases are; with a dot or without, as patterns have it, i is i."""
    folded = word.casefold().replace("i\u0307", "i").replace("ı", "i")
    return _APOSTROPHE.sub("'", folded)


def _compile(words: Iterable[str]) -> regex.Pattern[str]:
    # POSIX's rule: the longest match, whichever of the alternatives it is.
    spelled = {form for word in words for form in (word, unicodedata.normalize("NFD", word))}
    by_edges: dict[tuple[str, str], list[str]] = {}
    for word in spelled:
        by_edges.setdefault((_before(word[0]), _behind(word[-1])), []).append(word)
    parts = [f"{before}{_trie(group)}{behind}" for (before, behind), group in by_edges.items()]
    return compile_pattern(rf"(?ip)(?|{'|'.join(parts)})")


def _before(char: str) -> str:
    """Return what may not be before a word that begins with a character."""
    if regex.match(_FREE, char):
        return ""
    if regex.match(r"\p{Katakana}|ー", char):
        return r"(?<![\p{Katakana}ー])"
    if regex.match(r"\p{Hangul}", char):
        return r"(?<!\p{Hangul})"
    same = "" if char.isalnum() else rf"(?<!{regex.escape(char)})"
    same += r"(?<![0-9][.,])" if char.isdecimal() else ""
    return rf"{same}(?<![[\p{{L}}\p{{M}}\p{{N}}_]--{_NO_SPACES}])"


def _behind(char: str) -> str:
    """Return what may be behind a word that ends with a character."""
    if regex.match(rf"{_FREE}|\p{{Hangul}}", char):
        return "(?P<ending>)"
    if regex.match(r"\p{Katakana}|ー", char):
        return r"(?P<ending>)(?![\p{Katakana}ー])"
    same = "(?![+#])" if char.isalnum() else rf"(?!{regex.escape(char)})"
    same += "(?![.,][0-9])" if char.isdecimal() else ""
    end = rf"{same}(?![[\p{{L}}\p{{M}}\p{{N}}_]--{_NO_SPACES}])"
    if regex.match(r"\p{Latin}", char):
        return rf"(?P<ending>['’]?s)?{end}"
    return rf"(?P<ending>['’]s)?{end}"


_NO_SPACES = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}]"


def _trie(words: Iterable[str]) -> str:
    """Return a pattern of any of some words, the longest first, each letter tried once."""
    root: dict[str, dict] = {}  # type: ignore[type-arg]
    for word in words:
        node = root
        for char in _APOSTROPHE.sub("'", word):
            node = node.setdefault(char.casefold() if len(char.casefold()) == 1 else char, {})
        node[""] = {}
    return f"(?P<word>{_pattern(root)})"


def _pattern(node: dict[str, dict], depth: int = 0) -> str:  # type: ignore[type-arg]
    if depth == MAX_NESTING:
        return _any_of([rest for rest in _rests(node) if rest], node)
    branches = []
    for char, following in node.items():
        if not char:
            continue
        step = _step(char)
        while len(following) == 1 and "" not in following:
            (char, following), *_ = following.items()
            step += _step(char)
        branches.append(step + _pattern(following, depth + 1))
    return _any_of(branches, node)


def _any_of(branches: Sequence[str], node: Collection[str]) -> str:
    """Return a pattern of one of several branches, or of none where a word ends at the node."""
    return f"(?:{'|'.join(branches)}){'?' if '' in node else ''}" if branches else ""


def _rests(node: dict[str, dict]) -> Iterator[str]:  # type: ignore[type-arg]
    """Yield a pattern of each end that words have below a node."""
    nodes = [("", node)]
    while nodes:
        before, below = nodes.pop()
        for char, following in below.items():
            if char:
                nodes.append((before + _step(char), following))
            else:
                yield before


def _step(char: str) -> str:
    if char == " ":
        return _SPACES
    return "['’ʼ]" if char == "'" else regex.escape(char)


def merge(changes: Counter[str], edits: Iterable[Edit]) -> None:
    """Count edits by their kind."""
    for edit in edits:
        changes[edit.kind] += 1
