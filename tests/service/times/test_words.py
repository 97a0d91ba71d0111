"""What is a word: highlighted at once, and never without something to hear."""

from __future__ import annotations

import itertools

from qwen_tts_api.service.times.words import split_words
from tests.rows import for_each


@for_each(
    ("text", "words"),
    [
        ("Hello, there — it is 3.14!", ["Hello,", "there —", "it", "is", "3.14!"]),
        ("“Yes!” (she\n said) ...", ["“Yes!”", "(she", "said) ..."]),
        ("— And so", ["— And", "so"]),
        ("北京有2000万人。「好！」", ["北", "京", "有", "2000", "万", "人。", "「好！」"]),
        ("コーヒーをちょっと", ["コー", "ヒー", "を", "ちょっ", "と"]),
        ("สวัสดี ครับ", ["ส", "วั", "ส", "ดี", "ค", "รั", "บ"]),
        ("안녕하세요 여러분", ["안녕하세요", "여러분"]),
        ("مرحبا، كيف حالك؟", ["مرحبا،", "كيف", "حالك؟"]),
        ("Das iPhone用ケース", ["Das", "iPhone", "用", "ケー", "ス"]),
        ("a\u0301b e\u0301", ["a\u0301b", "e\u0301"]),
        ("...", ["..."]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert [text[word.start : word.end] for word in split_words(text)] == words


def test_words_have_all_of_a_text_but_white_space() -> None:
    text = " Ein Satz; noch einer! \n\n北京。 (b) x—y  — z…\t"
    spans = split_words(text)
    covered = {index for word in spans for index in range(word.start, word.end)}
    assert all(index in covered or char.isspace() for index, char in enumerate(text))
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))


def test_what_ends_behind_a_word() -> None:
    assert [word.stop for word in split_words("Well, Dr. No came. He sat")] == [1, 0, 0, 2, 0, 2]


def test_digits_and_han_take_longer_than_letters() -> None:
    number, letters, han = split_words("2026 abcd 京")
    assert number.weight > letters.weight > han.weight > 3
