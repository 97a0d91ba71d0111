"""Chapters and verses, in every language that has words."""

from __future__ import annotations

from qwen_tts_api.service.text.sentences import find_sentences
from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.rules.names.verses import verse_rule
from qwen_tts_api.service.text.verbalize.verbalizer import make_verbalizer
from tests.rows import for_each


@for_each(
    ("text", "is_verses"),
    [
        ("1:1-3", True),
        ("13:4–7", True),
        ("9:05-10", False),
        ("9:30-10", False),
        ("9:30-11:00", False),
    ],
)
def test_verses_are_no_times(text: str, is_verses: bool) -> None:
    rule = verse_rule(LANGUAGES["english"])
    match = rule.pattern.match(text)
    assert bool(match and rule.say(match, LANGUAGES["english"])) == is_verses


@for_each(
    ("language", "text", "said"),
    [
        ("english", "John 3:16 and Genesis 1:1", "John three, sixteen and Genesis one, one"),
        (
            "english",
            "1 Cor 13:4-7, 1 Cor 13, 2 Tim. 3:16",
            "First Corinthians thirteen, four to seven, First Corinthians thirteen,"
            " Second Timothy three, sixteen",
        ),
        ("english", "Matt. 5:3-12, Ps 119:105", "Matthew five, three to twelve, Psalm one hundred"
         " nineteen, one hundred five"),
        ("english", "John 3:16-4:2", "John three, sixteen to four, two"),
        ("english", "John came at 3:16, Mark 3 pm", "John came at three sixteen, Mark three P M"),
        ("english", "1 John said 2 things", "one John said two things"),
        (
            "german",
            "Joh 3,16; 1. Kor 13,4-7; 1. Mose 1,1",
            "Johannes drei, sechzehn; erster Korinther dreizehn, vier bis sieben;"
            " erster Mose eins, eins",
        ),
        ("german", "Römer 5,3 %, Am 3,5 km", "Römer fünf Komma drei Prozent, Am drei Komma fünf"
         " Kilometer"),
        ("french", "Jean 3:16, 1 Co 13, 4-7", "Jean trois, seize, premier Corinthiens treize,"
         " quatre à sept"),
        ("spanish", "Juan 3:16, 1 Corintios 13:4", "Juan tres, dieciséis, primera Corintios trece,"
         " cuatro"),
        ("chinese", "约翰福音3:16，诗篇 23:1-3", "约翰福音三章十六节，诗篇二十三章一到三节"),
    ],
)  # fmt: skip
def test_verses_of_a_book(language: str, text: str, said: str) -> None:
    assert make_verbalizer(LANGUAGES[language]).verbalize(text) == said


def test_an_abbreviated_book_does_not_end_a_sentence() -> None:
    assert list(find_sentences("Read Matt. 5:3 and Rom. 8:28.")) == [29]
