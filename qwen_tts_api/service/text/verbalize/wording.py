"""Put a normalized text into the words that are spoken: pronunciations, numbers, letters.

Everything is done sentence by sentence, so that sentences that arrive one by one are worded as they
are in a whole text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from qwen_tts_api.service.text.aligned.alignment import Alignment
from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.sentences import find_sentences
from qwen_tts_api.service.text.verbalize.edits import Edit, apply
from qwen_tts_api.service.text.verbalize.letters import is_readable, spell
from qwen_tts_api.service.text.verbalize.pronunciations import Pronunciations, merge
from qwen_tts_api.service.text.verbalize.verbalizer import find_language, make_verbalizer

CONTEXT_WORDS = 3
"""How far from a number or the like a word may be that belongs to it: `28th of November`."""
MAX_WORD_CHARS = 40
CONTEXT_CHARS = 12
"""The same in scripts without spaces, where what is worded begins with no letter of theirs."""


_LINE_END = compile_pattern(r"\n")
_UNSPACED = compile_pattern(r"[\p{Han}。，、；：！？“”‘’《》（）…]++")
_FIRST = compile_pattern(r"[\s\p{P}]*+\p{Ll}")


class Wording:
    """How the texts of one voice are worded.

    Args:
        language: As checkpoints name it, or `auto`.
        pronunciations: Respellings of words.
        full: Whether numbers and the like become words.
        letters_only: Whether the model reads the letters a to z alone.
    """

    def __init__(
        self, language: str, pronunciations: Pronunciations, *, full: bool, letters_only: bool
    ) -> None:
        self._language = language
        self._pronunciations = pronunciations
        self._full = full
        self._letters_only = letters_only

    @property
    def is_idle(self) -> bool:
        """Whether every text stays as it is."""
        return not (self._full or self._letters_only or self._pronunciations.num_words)

    def word(self, text: str) -> tuple[str, Counter[str]]:
        """Return a text as it is spoken, and the number of changes by kind."""
        worded, changes, _ = self.word_aligned(text)
        return worded, changes

    def word_aligned(self, text: str) -> tuple[str, Counter[str], Alignment]:
        """Return likewise, and how the text is aligned with that."""
        changes: Counter[str] = Counter()
        if self.is_idle:
            return text, changes, Alignment.same(len(text))
        parts = [self._word(part, changes) for part in _sentences(text)]
        worded = "".join(part for part, _ in parts)
        return worded, changes, Alignment.joined(alignment for _, alignment in parts)

    def is_spoken(self, text: str) -> bool:
        """Return whether the model can say something of a text that was worded."""
        return not self._letters_only or is_readable(text)

    def can_cut(self, text: str, position: int) -> bool:
        """Return whether two parts of a text are worded apart as they are together.

        That must hold whatever follows: the words behind the cut have to be whole.

        Args:
            text: Normalized.
            position: Of the cut, at the end of a word.
        """
        if self.is_idle:
            return True
        if self._full and self._language == "auto":
            return False  # the language is guessed of a whole sentence
        num_words = max(CONTEXT_WORDS, self._pronunciations.num_words)
        window = num_words * MAX_WORD_CHARS
        before, after = text[max(0, position - window) : position], text[position:][:window]
        if self._is_unspaced and not self._pronunciations.num_words:
            near = before[-CONTEXT_CHARS:] + after[:CONTEXT_CHARS]
            return len(after) >= CONTEXT_CHARS and _UNSPACED.fullmatch(near) is not None
        behind = after.split()
        whole = behind if after[-1:].isspace() else behind[:-1]
        if len(whole) < num_words:
            return False
        return self._is_inert([*before.split()[-num_words:], *whole[:num_words]]) and not any(
            edit.start <= len(before) + 1 and len(before) < edit.end
            for edit in self._pronunciations.find_edits(before + after)
        )

    @property
    def _is_unspaced(self) -> bool:
        """Whether no spaces are between the words of the language."""
        language = find_language(self._language, "") if self._full else None
        return language is not None and not language.space

    def _is_inert(self, words: list[str]) -> bool:
        """Return whether none of some words is worded otherwise in any company."""
        language = find_language(self._language, "") if self._full else None
        if language is None:
            return True
        verbalizer = make_verbalizer(language, letters_only=self._letters_only)
        return all(verbalizer.is_inert(word) for word in words)

    def _word(self, sentence: str, changes: Counter[str]) -> tuple[str, Alignment]:
        """Return a sentence as it is spoken, and how it is aligned with that."""
        words, alignment = sentence, Alignment.same(len(sentence))
        for edits in self._steps(sentence):
            merge(changes, edits)
            alignment = alignment.then(Alignment.edited(len(words), edits))
            words = apply(words, edits)
        return words, alignment

    def _steps(self, sentence: str) -> Iterator[list[Edit]]:
        """Yield the edits of a sentence, then those of what they make of it, and so on."""
        edits = _begun(sentence, self._pronunciations.find_edits(sentence))
        yield edits
        worded = apply(sentence, edits)
        language = find_language(self._language, worded) if self._full else None
        if language is not None:
            verbalizer = make_verbalizer(language, letters_only=self._letters_only)
            edits = _begun(worded, list(verbalizer.find_edits(worded)))
            yield edits
            worded = apply(worded, edits)
        if self._letters_only:
            yield from spell(worded)


def _begun(text: str, edits: list[Edit]) -> list[Edit]:
    """Return edits of a sentence that begins with a capital, by which its beginning is found."""
    if not edits or text[: edits[0].start].strip(" \n\"'“‘«("):
        return edits
    said = edits[0].text
    first = _FIRST.match(said)
    if first is None or not text[edits[0].start :][:1].isalnum():
        return edits
    place = first.end() - 1
    said = said[:place] + said[place].upper() + said[place + 1 :]
    return [edits[0]._replace(text=said), *edits[1:]]


AS_WRITTEN = Wording("auto", Pronunciations({}), full=False, letters_only=False)
"""Leaves every text as it is."""


def _sentences(text: str) -> Iterator[str]:
    """Yield the parts of a text that are worded by themselves: sentences, and lines of them."""
    ends = {*find_sentences(text), *(match.end() for match in _LINE_END.finditer(text)), len(text)}
    begin = 0
    for end in sorted(ends):
        if end > begin:
            yield text[begin:end]
        begin = end
