"""Compare a text with what became of it, where nobody noted the edits: markup, emoji, NFC.

Both are compared in their compatibility form (NFKC): a letter may be written in several ways. Words
that both have once are found first, and those between them likewise, as in a patience diff; where
there are none, the next that are equal. What lies between equal words is compared by character. All
of it takes time by the text's length.
"""

from __future__ import annotations

import bisect
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from qwen_tts_api.service.text.aligned.alignment import Alignment, Block
from qwen_tts_api.service.text.patterns import compile_pattern

WINDOWS = (12, 24, 64)
"""How many words and signs of the target ahead are looked at where no word is there only once: few,
then more; and twice as many of the source, which has the markup, too."""

MAX_SIGNS = 8
"""How many spaces and signs between two words are compared without a search."""

MAX_CELLS = 40_000
"""How many pairs of characters are compared between two words; more of them are one edit."""

_TOKEN = compile_pattern(r"[\p{L}\p{M}\p{N}]++|\x00++|(?s:.)")
_CLUSTER = compile_pattern(r"(?s:.)[\p{M}\u1160-\u11FF]*+")  # with jamo that end a syllable
_UNSEEN = compile_pattern(r"[\p{Cf}\p{Me}\N{VARIATION SELECTOR-15}\N{VARIATION SELECTOR-16}]")
_RUN = 0.5
"""What an equal item counts that another follows, besides what it counts itself."""
_SIGN = 0.2
"""What an equal space or sign counts; a word, or a letter of one, counts 1."""
_NEW = 0.3
"""What it costs to take an item of the target for a new one: most edits take something out."""

Pair = tuple[int, int]


def compare(source: str, target: str) -> Alignment:
    """Return an alignment of two texts; of what is there twice, with the first in the source."""
    if source == target:
        return Alignment.same(len(source))
    (ours, before), (theirs, after) = _compatible(source), _compatible(target)
    return before.then(_compare(ours, theirs)).then(after.reversed)


def _compatible(text: str) -> tuple[str, Alignment]:
    """Return a text's compatibility form, and an alignment with it, character by character.

    It has nothing that nobody sees: a word is the same with a soft hyphen, a digit with a keycap.
    """
    if unicodedata.is_normalized("NFKC", text) and not _UNSEEN.search(text):
        return text, Alignment.same(len(text))
    clusters = _CLUSTER.findall(text)
    forms = [_UNSEEN.sub("", unicodedata.normalize("NFKC", cluster)) for cluster in clusters]
    pairs = zip(clusters, forms, strict=True)
    blocks = [Block(len(old), len(new), is_kept=old == new) for old, new in pairs]
    return "".join(forms), Alignment.of(blocks)


def _compare(source: str, target: str) -> Alignment:
    ours, theirs = _TOKEN.findall(source), _TOKEN.findall(target)
    blocks = list[Block]()
    one = other = 0
    for i, j in [*_equal_tokens(ours, theirs), (len(ours), len(theirs))]:
        if i > one or j > other:
            blocks += _compare_characters("".join(ours[one:i]), "".join(theirs[other:j]))
        length = len(ours[i]) if i < len(ours) else 0
        blocks.append(Block(length, length, is_kept=True))
        one, other = i + 1, j + 1
    return Alignment.of(blocks)


def _equal_tokens(ours: Sequence[str], theirs: Sequence[str]) -> Iterator[Pair]:
    """Yield the pairs of tokens that are taken for each other, in order."""
    todo = [(0, len(ours), 0, len(theirs))]
    while todo:
        i, last, j, end = todo.pop()
        while i < last and j < end and ours[i] == theirs[j]:
            yield i, j
            i, j = i + 1, j + 1
        if i == last or j == end:
            continue
        pairs = [(i + a, j + b) for a, b in _single_pairs(ours[i:last], theirs[j:end])]
        if not pairs:
            yield from _next_equal(ours, theirs, (i, last, j, end))
            continue
        # Each begins the part behind it.
        starts = [(i, j), *pairs]
        todo += [
            (a, c, b, d)
            for (a, b), (c, d) in reversed(list(zip(starts, [*pairs, (last, end)], strict=True)))
        ]


def _single_pairs(ours: Sequence[str], theirs: Sequence[str]) -> list[Pair]:
    """Return the pairs of words that both have only once; without any, those of signs.

    White space is none of them: it may have come from other, and the only such be elsewhere.
    """
    counts, others = Counter(ours), Counter(theirs)
    places = {token: index for index, token in enumerate(theirs) if others[token] == 1}
    pairs = [
        (index, places[token])
        for index, token in enumerate(ours)
        if token in places and counts[token] == 1
    ]
    words = [pair for pair in pairs if ours[pair[0]][0].isalnum()]
    return _rising(words or [pair for pair in pairs if not ours[pair[0]].isspace()])


def _rising(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the longest run of pairs that rises in both."""
    tops, reached, before = list[int](), list[int](), list[int]()
    for index, (_, other) in enumerate(pairs):
        place = bisect.bisect_left(tops, other)
        tops[place : place + 1] = [other]
        reached[place : place + 1] = [index]
        before.append(reached[place - 1] if place else -1)
    run, index = list[Pair](), reached[-1] if reached else -1
    while index >= 0:
        run.append(pairs[index])
        index = before[index]
    return run[::-1]


def _next_equal(
    ours: Sequence[str], theirs: Sequence[str], bounds: tuple[int, int, int, int]
) -> Iterator[Pair]:
    """Yield pairs of tokens of parts, whose bounds are given, looking a window ahead."""
    i, last, j, end = bounds
    while i < last and j < end:
        if ours[i] == theirs[j]:
            yield i, j
            i, j = i + 1, j + 1
            continue
        signs = _signs_at(ours, i, last), _signs_at(theirs, j, end)
        if (pairs := _equal_signs(ours, theirs, signs)) is not None:
            yield from pairs
            i, j = signs[0].stop, signs[1].stop
            continue
        for window in WINDOWS:
            ahead = ours[i : min(i + 2 * window, last)], theirs[j : min(j + window, end)]
            if pair := next(_common(*ahead), None):
                break
        a, b = pair or (2 * WINDOWS[-1], 0)  # of the source more is left out than of the target
        i, j = i + a, j + b


def _signs_at(tokens: Sequence[str], start: int, end: int) -> range:
    """Return where the spaces and signs are up to the next word; nowhere if they are many."""
    limit = min(start + MAX_SIGNS, end)
    words = (index for index in range(start, limit) if tokens[index][0].isalnum())
    return range(start, next(words, start))


def _equal_signs(
    ours: Sequence[str], theirs: Sequence[str], signs: tuple[range, range]
) -> list[Pair] | None:
    """Return the pairs of signs that are taken for each other, where the same word follows.

    That needs no search: those of the source were left out or replaced one by one.

    Returns:
        None where another word follows, or there is more to it.
    """
    mine, its = signs
    word = ours[mine.stop]
    if word != theirs[its.stop] or not word[0].isalnum():
        return None
    pairs, index = list[Pair](), mine.start
    for other in its:
        index = next((each for each in range(index, mine.stop) if ours[each] == theirs[other]), -1)
        if index < 0:
            in_place = zip(mine, its, strict=False)
            equal = [pair for pair in in_place if ours[pair[0]] == theirs[pair[1]]]
            return equal if len(mine) == len(its) else None
        pairs.append((index, other))
        index += 1
    return pairs


def _compare_characters(source: str, target: str) -> Iterator[Block]:
    """Yield the blocks of two texts that share no word."""
    is_small = len(source) * len(target) <= MAX_CELLS
    i = j = 0
    for a, b in [*(_common(source, target) if is_small else ()), (len(source), len(target))]:
        yield Block(a - i, b - j, is_kept=False)
        if a < len(source):
            yield Block(1, 1, is_kept=True)
        i, j = a + 1, b + 1


def _common(ours: Sequence[str], theirs: Sequence[str]) -> Iterator[Pair]:
    """Yield the pairs of items that are taken for each other: many, and in few runs."""
    best = [[0.0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    worth = [[0.0] * len(theirs) for _ in ours]
    for i in range(len(ours) - 1, -1, -1):
        row, below = best[i], best[i + 1]
        counts = 1.0 if ours[i][0].isalnum() else _SIGN
        for j in range(len(theirs) - 1, -1, -1):
            if ours[i] == theirs[j]:
                goes_on = ours[i + 1 : i + 2] == theirs[j + 1 : j + 2] and j + 1 < len(theirs)
                worth[i][j] = counts + _RUN * goes_on + below[j + 1]
            row[j] = max(below[j], row[j + 1] - _NEW, worth[i][j])
    i = j = 0
    while i < len(ours) and j < len(theirs):
        if best[i][j] and best[i][j] == worth[i][j]:
            yield i, j
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
