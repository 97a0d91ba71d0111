"""A text in pieces is the text: whatever the cut, nothing that was given away changes."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import pytest

from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.service.text import incremental
from qwen_tts_api.service.text.incremental import IncrementalText
from qwen_tts_api.service.text.normalize import NormalizedText, normalize_text
from qwen_tts_api.service.text.script.marks import MarkKinds
from qwen_tts_api.service.text.segments import measure
from qwen_tts_api.service.text.sentences import Boundary
from qwen_tts_api.service.text.stable_text import StableText, StatedPause
from qwen_tts_api.service.text.verbalize.pronunciations import Pronunciations
from qwen_tts_api.service.text.verbalize.wording import Wording
from tests.rows import for_each

PROSE = (
    "Hello there. It costs 3.14 or 1,000 dollars, e.g. in the U.S. today. Dr. Smith said “No.” "
    "Then he left.\n\nA second paragraph! With two sentences?\n"
)
MARKDOWN = """# A heading
This is **bold. And still**, so is _this. One_. See [a link. Here](https://a.b/c_(d)).

```python
x = 1. Not spoken
print("Hi. You")
```

- apples. Good
- pears

| a. B | c |
|---|---|
| 1. X | 2 |

Then <b>tags. Here</b> &amp; entities. ~~Struck. Out~~ `code. Here` and 2 * 3 = 6. Done.

```
no. Language
```
The end."""
THINKING = "<think>\nI should say. Hello\n</think>\n\nHi! How are you? *Smiles. Warmly* I am fine."
WRAPPED = """The woods are lovely, dark and deep,
But I have promises to keep.

A paragraph that somebody wrapped. It met
John Smith in the exam-
ple of an e-mail from the past, with lines of
about as many columns. That is all."""
CHINESE = "你好，世界。今天3.14元。他说：“好。走吧。”然后走了！真的吗？？「行こう！」と言った。"
EMOJI = "Good 😀. A family 👨‍👩‍👧 here. Ke\u0301y 1️⃣! Wow!!!!!! So....... Yes."
TEXTS = [PROSE, MARKDOWN, THINKING, WRAPPED, CHINESE, EMOJI, "Endless words and " * 60]


def cuts(text: str, seed: int) -> Iterator[str]:
    """Yield a text in pieces: each character alone, all at once, or at random."""
    sizes = {0: [1], 1: [len(text)]}.get(seed, [1, 1, 2, 3, 5, 8, 20, 100])
    numbers, position = random.Random(seed), 0
    while position < len(text):
        size = numbers.choice(sizes)
        yield text[position : position + size]
        position += size


def taken(pieces: Iterable[str], *, normalize: bool = True) -> list[StableText]:
    incremental, parts = IncrementalText(400, normalize=normalize), list[StableText]()
    for piece in pieces:
        incremental.append(piece)
        parts += texts(incremental.take(final=False))
    return [*parts, *texts(incremental.take(final=True))]


def texts(parts: Iterable[StableText | StatedPause]) -> list[StableText]:
    """Return parts without pauses."""
    return [part for part in parts if isinstance(part, StableText)]


def words(text: str) -> list[str]:
    return text.split()


MARKS = MarkKinds(pauses=True, tags=True)


def with_pauses(pieces: Iterable[str]) -> list[str | tuple[float, int]]:
    """Return what is taken of a text with marks: words up to each pause, and that."""
    incremental = IncrementalText(400, normalize=True, marks=MARKS)
    parts: list[StableText | StatedPause] = []
    for piece in pieces:
        incremental.append(piece)
        parts += incremental.take(final=False)
        parts += incremental.take_words()
    incremental.end()
    given: list[str | tuple[float, int]] = []
    for part in [*parts, *incremental.take(final=True)]:
        if isinstance(part, StatedPause):
            given.append((part.seconds, part.end))
        elif given and isinstance(before := given[-1], str):
            given[-1] = " ".join(f"{before} {part.text}".split())
        elif said := " ".join(part.text.split()):
            given.append(said)
    return given


PAUSED = (
    '<break time="1.5s" />Hello **there [pause] you**. It costs 3.<break/>14 <b>a. Here</b>.'
    "[pause 300ms]\n\n```\n[pause 4s] x\n```\n"
    "好。<break time='1s'>[pause 2s] \U0001d13d1 < 2 [a] <br"
)


def test_pauses_do_not_depend_on_the_cut() -> None:
    """Nor does a mark in pieces; what is none is text, as of a text at once."""
    whole = with_pauses([PAUSED])
    place = [PAUSED.index(mark) + len(mark) for mark in ("/>", "e]", "k/>", "s]", "'>", "2s]")]
    assert whole == [
        (1.5, place[0]),
        "Hello there",
        (0.75, place[1]),
        "you. It costs 3.",
        (0.75, place[2]),
        "14 a. Here.",
        (0.3, place[3]),
        "好。",
        (1.0, place[4]),
        (2.0, place[5]),
        "1 < 2 [a] <br",
    ]
    for seed in (0, 2, 3, 4):
        assert with_pauses(cuts(PAUSED, seed)) == whole, seed


def test_other_tags_are_taken_out_wherever_they_are_cut() -> None:
    """And what is in them is spoken; what is no tag is text, and a comment is nothing."""
    text = (
        '<p>A <sub alias="b">W3C</sub> <break strength="weak"/>of <abc>it</abc>.</p> <!-- no. -->'
        'R&amp;D <phoneme ph="x">tomato</phoneme>. a < b.'
    )
    for seed in range(4):
        assert with_pauses(cuts(text, seed)) == ["A W3C of <abc>it</abc>. R&D tomato. a < b."], seed


def test_marks_that_are_not_asked_for_are_text() -> None:
    text = "a <break/> b [pause 1s] \U0001d13d0000 c."
    said = "".join(part.text for part in taken([text]))
    assert said == normalize_text(text).text
    incremental = IncrementalText(400, normalize=True, marks=MARKS)
    for wrong in ("a [pause 1m] b", "a [pause 11s] b", "[pause 10s]" * 31):
        with pytest.raises(InvalidRequest):
            incremental.append(wrong)
    assert incremental.num_pending == 0


@for_each("text", TEXTS)
def test_what_is_spoken_does_not_depend_on_the_cut(text: str) -> None:
    """It is the whole text, normalized at once; no part is longer than a segment."""
    expected = words(normalize_text(text).text)
    for seed in range(8):
        parts = taken(cuts(text, seed))
        assert words("".join(part.text for part in parts)) == expected, seed
        assert max(measure(part.text.strip()) for part in parts) <= 400
        bounds = [bound for part in parts for bound in (part.start, part.end)]
        assert bounds == sorted(bounds)
        assert bounds[-1] <= len(text)


def test_plain_text_is_kept_byte_for_byte() -> None:
    for text in (PROSE.strip(), CHINESE):
        parts = taken(text)
        assert "".join(part.text for part in parts) == text
        assert all(text[part.start : part.end].strip() == part.text.strip() for part in parts)
    assert "".join(part.text for part in taken("**As** it is.", normalize=False)) == "**As** it is."


@for_each(
    ("text", "before"),
    [
        ("Hello there. H", ["Hello there."]),
        ("Hello there. ", []),
        ("Costs 3.", []),
        ("Costs 3.5 now. T", ["Costs 3.5 now."]),
        ("Dr. S", []),
        ("你好。", ["你好。"]),
        ("他说：“好。", []),
        ("他说：“好。”", ["他说：“好。”"]),
        ("A title\n\n", ["A title"]),
        ("Yes. Some **bold. Not ye", ["Yes."]),
        ("Yes. Some **bold. It is** so. T", ["Yes.", "Some bold.", "It is so."]),
        ("Yes.\n```\nx. Y\n", ["Yes."]),
        ("Yes. <think>No. Never", ["Yes."]),
        ("Yes. <b>No. Never</b> mi", ["Yes.", "No."]),
    ],
)
def test_a_sentence_is_given_away_as_soon_as_it_is_sure(text: str, before: list[str]) -> None:
    """Character by character, before the text has ended."""
    incremental = IncrementalText(400, normalize=True)
    parts = []
    for char in text:
        incremental.append(char)
        parts += texts(incremental.take(final=False))
    assert [part.text.strip() for part in parts] == before


def test_a_boundary_is_of_its_kind() -> None:
    parts = taken("One. Two.\n\nThree:\n- Four.\n- Five.")
    assert [part.boundary for part in parts] == [
        Boundary.SENTENCE,
        Boundary.PARAGRAPH,
        Boundary.LINE,
        Boundary.SENTENCE,
        Boundary.PARAGRAPH,
    ]


def test_a_mark_that_nothing_closes_does_not_hold_for_ever() -> None:
    """A stray asterisk; a code block is waited for, since all of it would be spoken."""
    sentences = "It goes on and on. " * 99
    incremental = IncrementalText(400, normalize=True)
    incremental.append(f"A *stray one. {sentences}")
    assert texts(incremental.take(final=False))[0].text == "A *stray one."
    fenced = IncrementalText(400, normalize=True)
    fenced.append(f"Code:\n```\n{sentences}")
    assert [part.text for part in texts(fenced.take(final=False))] == ["Code:"]


def test_what_was_taken_is_forgotten() -> None:
    """So that a long text takes no longer for each piece; in verses and lists, too."""
    for text, most in (
        ("A sentence. Another one.\n\n" * 50, 400),
        ("A sentence. Another one. " * 50, 400),
        ("And miles to go before I sleep,\n" * 100, 1000),
        ("- Two eggs and some milk\n" * 100, 1000),
    ):
        incremental = IncrementalText(400, normalize=True)
        for word in text.split(" "):
            incremental.append(word + " ")
            texts(incremental.take(final=False))
            assert len(incremental._raw) < most


def test_a_table_is_one_however_long() -> None:
    """What is between the bars of a row are cells by the lines above it."""
    table = "| a | b |\n|---|---|\n" + "| 1. One | 2. Two |\n" * 40
    assert words("".join(part.text for part in taken(cuts(table, 2)))) == words(
        normalize_text(table).text
    )


def test_a_line_is_looked_at_again_when_it_may_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each of its words, although it begins behind the end of another."""
    looks: list[str] = []

    def look(_: IncrementalText, raw: str) -> str:
        looks.append(raw)
        return raw.strip()

    monkeypatch.setattr(IncrementalText, "_normalized", look)
    incremental = IncrementalText(400, normalize=False)
    for piece in ("Two eggs.\n", "Some ", "fresh ", "milk ", "and ", "butter.\n", "Then "):
        incremental.append(piece)
        incremental.take(final=False)
    assert [look.split()[-1] for look in looks] == ["eggs.", "Some", "butter.", "Then"]


@for_each(
    ("first", "rest"),
    [
        ("\ufb01ne I paid.", " I \ufb01nd it fine."),
        ("Cafe\u0301s.", " A caf\u00e9 is good."),
        ("\U0001d41a bit.", " A bad idea."),
        ("Fine.", " It is."),
    ],
)
def test_a_sentence_ends_where_it_does_in_the_text(first: str, rest: str) -> None:
    """Although a character of it has become others, which come again in the next sentence."""
    text = IncrementalText(400, normalize=True)
    taken: list[StableText | StatedPause] = []
    for char in first + rest:
        text.append(char)
        taken += text.take(final=False)
    one, two = [*taken, *text.take(final=True)]
    assert (one.end, two.end) == (len(first), len(first + rest))


def test_what_was_cleared_is_not_taken() -> None:
    incremental = IncrementalText(400, normalize=True)
    incremental.append("First. Second and")
    assert [part.text for part in texts(incremental.take(final=False))] == ["First."]
    incremental.clear()
    incremental.append("Third.")
    [third] = texts(incremental.take(final=True))
    assert third.text.strip() == "Third."
    assert third.start == 17


WORDED = {
    "english": [
        "It costs $3.50 or £2m, 5-10% of 1,000,000.",
        "On Nov. 28, 2026 at 3:05 pm we met Dr. Smith of the U.S. team.",
        "Henry VIII had 3 3/4 km to go in New York, at 20°C.",
        "Write to info@example.com, v2.0.1 of it is out on the 28th of November 1984.",
        "This one has no numbers in it, only words that are said as they stand.",
    ],
    "german": [
        "Es kostet 3,50 € oder 2 Mio. Dollar, 5-10 % von 1.000.000.",
        "Am 28. November 2026 um 14.30 Uhr trafen wir Dr. Schmidt, z. B. in New York.",
        "Ludwig XIV. hatte noch 1 Stunde bis zum 3. Mai, bei 20 °C in der 2. Klasse.",
        "Der 3. Platz ging am 28.11. an die Kinder der 4. Klasse usw.",
        "Dieser hat keine Zahlen, nur Wörter, die so gesagt werden, wie sie da stehen.",
    ],
    "french": [
        "Cela coûte 3,50 € ou 2 millions de dollars, 5-10 % de 1 000 000.",
        "Le 28 novembre 2026 à 14 h 30 M. Dupont a vu Mme Durand, p. ex. à New York.",
        "Louis XIV avait encore 21 heures le 1er mai au XXe siècle, à 20 °C.",
        "Le 3 janv. 2020 il appelle le 01 23 45 67 89, n° 5, etc.",
        "Celle-ci ne contient que des mots, qui sont dits comme ils sont là.",
    ],
}


@for_each("seed", range(6))
@for_each("by_word", [False, True])
@for_each("language", WORDED)
def test_what_is_worded_in_pieces_is_worded_as_a_whole(
    seed: int, by_word: bool, language: str
) -> None:
    """However the text is cut: inside of numbers, dates, prices, words with a respelling."""
    chance = random.Random(seed)
    sentences = WORDED[language]
    text = " ".join(chance.sample(sentences, 4))
    wording = Wording(
        language,
        Pronunciations({"New York": "noo york"}),
        full=True,
        letters_only=not by_word and language == "english",
    )
    taken = taken_with(wording, text, chance, by_word=by_word)
    assert len(taken) > 2


@for_each("seed", range(6))
def test_chinese_in_pieces_is_worded_as_a_whole(seed: int) -> None:
    """A script without spaces: numbers, years, prices, percents; sentences longer than a part."""
    chance = random.Random(seed)
    sentences = [
        "他在1984年11月28日下午3:05买了2个苹果，花了3.5元。",
        "第2章有1,005页，约占全书的5-10%，重2.5 kg。",
        "请拨打13812345678，气温是-20℃，车速60 km/h。",
        "这一句话里没有任何数字，只有照着念出来的文字，" * 8 + "最后是2只猫。",
    ]
    wording = Wording("chinese", Pronunciations({}), full=True, letters_only=False)
    text = "".join(chance.sample(sentences, 4))
    taken = taken_with(wording, text, chance, by_word=False)
    assert len(taken) > 4


def taken_with(
    wording: Wording, text: str, chance: random.Random, *, by_word: bool
) -> list[StableText]:
    """Return what is taken of a text in pieces, which is worded as the whole text is."""
    incremental = IncrementalText(400, normalize=True, wording=wording)
    taken: list[StableText] = []
    position = 0
    while position < len(text):
        length = chance.choice([1, 1, 2, 3, 8])
        incremental.append(text[position : position + length])
        position += length
        taken += texts(incremental.take(final=False))
        taken += incremental.take_words() if by_word else []
    taken += texts(incremental.take(final=True))
    whole, _ = wording.word(text)
    assert "".join(part.text for part in taken).split() == whole.split()
    return taken


def test_words_are_looked_for_when_one_may_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in marks alone, nor within a word: each time all that is held is normalized."""
    texts = list[str]()

    def normalize(text: str) -> NormalizedText:
        texts.append(text)
        return normalize_text(text)

    monkeypatch.setattr(incremental, "normalize_text", normalize)
    arriving = IncrementalText(400, normalize=True)
    for piece in ["* ~~ " * 20, *"words"]:
        arriving.append(piece)
        assert arriving.take_words() == []
    assert texts == []
    arriving.append(" ")
    assert arriving.take_words()
    assert texts
