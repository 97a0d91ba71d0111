"""Texts in the words that are spoken."""

from __future__ import annotations

from qwen_tts_api.service.text.verbalize.pronunciations import Pronunciations
from qwen_tts_api.service.text.verbalize.wording import AS_WRITTEN, Wording
from tests.rows import for_each

PLAIN = Pronunciations({})


def letters(text: str) -> str:
    return Wording("english", PLAIN, full=True, letters_only=True).word(text)[0]


@for_each(
    ("text", "said"),
    [
        ("NASA vs. FBI", "NASA versus ef bee eye"),
        ("The CEOs of IBM met at 5 PM.", "The see ee oh's of eye bee em met at five pee em."),
        ("STOP NOW PLEASE.", "STOP NOW PLEASE."),
        ("Café naïve, Müller, Straße", "Cafe naive, Muller, Strasse"),
        ("Vitamin C and plan A.", "Vitamin see and plan A."),
        ("J. K. Rowling's α", "jay kay Rowling's alpha"),
        ("snake_case, I'm x", "snake case, I'm ex"),
        ("MP3 and B2B", "em pee three and bee two bee"),
    ],
)
def test_a_voice_that_reads_letters_has_no_others(text: str, said: str) -> None:
    assert letters(text) == said


@for_each(
    ("language", "text", "written"),
    [
        ("english", "a SO₄²⁻ b", "SO₄²⁻"),
        ("english", "a 52°31'12\"N b", "52°31'12\"N"),
        ("english", "a vol. II b", "vol. II"),
        ("english", "a Boeing 747-400 b", "747-400"),
        ("english", "Genesis 1:1-3 b", "1:1-3"),
        ("english", "at 120/80 mmHg b", "120/80 mmHg"),
        ("english", "in FY24/25 b", "FY24/25"),
        ("english", "add 1½ tsp b", "1½ tsp"),
        ("german", "a 100%ig b", "100%ig"),
        ("german", "a 1,- € b", "1,- €"),
        ("spanish", "el s. XXI b", "s. XXI"),
        ("french", "au XXIe s. et b", "XXIe s."),
    ],
)
def test_what_is_said_as_one_is_aligned_as_one(language: str, text: str, written: str) -> None:
    wording = Wording(language, PLAIN, full=True, letters_only=False)
    edited = [block for block in wording.word_aligned(text)[2].placed() if not block.is_kept]
    assert [text[block.source : block.source_end] for block in edited] == [written]


def test_what_cannot_be_read_is_told() -> None:
    wording = Wording("english", PLAIN, full=True, letters_only=True)
    text, changes = wording.word("你好 hello 5 мир")
    assert text.split() == ["hello", "five"]
    assert changes["unreadable"] == 2
    assert changes["numbers"] == 1
    assert wording.is_spoken(text)
    assert not wording.is_spoken(wording.word("你好!")[0])


def test_sentences_still_begin_with_capitals() -> None:
    """By which their beginnings are found."""
    wording = Wording(
        "english", Pronunciations({"nginx": "engine ex"}), full=True, letters_only=False
    )
    text, _ = wording.word('Hello. 3 apples. NGINX runs. "5" is it. we have 3.')
    assert text == 'Hello. Three apples. Engine ex runs. "Five" is it. we have three.'


def test_a_language_without_words_is_left_to_the_model() -> None:
    assert Wording("japanese", PLAIN, full=True, letters_only=False).word("5個")[0] == "5個"


def test_nothing_is_done_where_nothing_is_asked_for() -> None:
    text = "5 apples"
    assert AS_WRITTEN.is_idle
    assert AS_WRITTEN.word(text) == (text, {})


@for_each(
    ("before", "after", "is_safe"),
    [
        ("the quick brown fox", " jumps over the lazy dog", True),
        ("the quick brown fox", " jumps over", False),  # "over" may become "overnight"
        ("I have 3", " million dollars in the bank", False),
        ("on the 28th of", " November we went there", False),
        ("one two three four Chapter", " four and five others", False),
        ("it is in New", " York that we live together", False),
    ],
)
def test_where_a_text_may_be_cut(before: str, after: str, is_safe: bool) -> None:
    respelled = Pronunciations({"New York": "noo york"})
    wording = Wording("english", respelled, full=True, letters_only=False)
    assert wording.can_cut(before + after, len(before)) is is_safe
