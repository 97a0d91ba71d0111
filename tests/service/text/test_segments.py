"""Long texts are divided where it is heard least, and nothing is lost."""

from __future__ import annotations

import itertools
import random

import pytest
import regex

from qwen_tts_api.service.text.segments import measure, split
from qwen_tts_api.service.text.sentences import Boundary, find_sentences
from tests.rows import for_each
from tests.service.texts import PROSE, paragraphs


def sentences(text: str) -> list[str]:
    ends = [0, *find_sentences(text), len(text)]
    parts = [text[start:end].strip() for start, end in itertools.pairwise(ends)]
    return [part for part in parts if part]


def without_space(text: str) -> str:
    return "".join(text.split())


@for_each("language", PROSE)
def test_sentences_end_where_readers_end_them(language: str) -> None:
    """Not in abbreviations, numbers, initials and what is said in the middle."""
    whole = {
        "¿Cómo estás? ¡Bien!",
        "Olá! Tudo bem?",
        'He said: "Really?! No way."',
        '"가요." 그가 말했다.',
        "他说：「我不去。」",  # which might go on, as far as rules can tell
    }
    separator = "" if language in ("chinese", "japanese") else " "
    expected = [sentence for sentence in PROSE[language] if sentence not in whole]
    # What ends in dots may or may not end: followed by itself, it does not have to.
    expected = [sentence for sentence in expected if not sentence.endswith(("…", "etc.", "т.д."))]
    assert sentences(separator.join(expected)) == expected


@for_each(
    ("text", "num"),
    [
        ("¿Cómo estás? ¡Bien!", 2),
        ("¡Hola!¿Qué tal?", 2),
        ("»Ja.« »Nein.« „Ja.“ „Nein.“", 4),
        ("« Ça va ? » Oui ! « Non. » Si.", 4),
        ("我们去公园吧！“你说什么？”他问。“我去。”“好。”", 4),
        ("好!走吧?好", 3),
        ("It works (honestly. Really). Yes.", 3),
        ("At 5 p.m. we left. See e.g. fig. 3. Mr. T. came. Version 2.0 is out.", 3),
        ("In 1999. Then came 2000.", 2),
        ("1. One\n2. Two", 1),
        ("Nr. 5 lebt. No. I do not.", 3),
        ("En EE. UU. viven. Murió en el 44 a. C. en Roma. Fin.", 3),
        ("Im XIV. Jahrhundert lebte Karl IV. Er starb. Hauptstr. 5.", 3),
        ("Конец… «Да?» — спросил он. — Да. — Нет.", 4),
        ("네. 아니요. 정말?", 3),
    ],
)
def test_ends_of_sentences(text: str, num: int) -> None:
    assert len(sentences(text)) == num


@for_each("language", PROSE)
def test_a_text_that_fits_is_one_segment(language: str) -> None:
    """Unchanged, new lines included."""
    text = paragraphs(random.Random(1), language, 30)
    (segment,) = split(text, measure(text))
    assert segment.text == text
    assert len(split(text, measure(text) - 1)) == 2


@for_each("language", PROSE)
def test_prose_is_divided_between_sentences(language: str) -> None:
    """Segments are bounded, of about the same length, and end where sentences end."""
    for seed in range(2):
        text = paragraphs(random.Random(seed), language, 200)
        segments = split(text, 400)
        assert without_space("".join(each.text for each in segments)) == without_space(text)
        lengths = [measure(each.text) for each in segments]
        assert max(lengths) <= 400
        assert min(lengths) > 200
        assert {each.boundary for each in segments} <= {Boundary.SENTENCE, Boundary.PARAGRAPH}


@pytest.mark.parametrize("max_letters", [50, 61, 400])
def test_nothing_is_lost_whatever_the_text(max_letters: int) -> None:
    """Letters of all languages, punctuation and space in any order; characters stay whole."""
    alphabet = [
        *"aé A\n\t .,;:!?…-—–\"'«»“”„「」()¿¡北京かカ한я5。，！？、",
        "e\u0301",
        "🇩🇪",
        "\n\n",
        "ᄒ\u1161ᆫ",
    ]
    for seed in range(60):
        source = random.Random(seed)
        letters = source.sample(alphabet, source.randrange(1, len(alphabet)))
        text = "".join(source.choice(letters) for _ in range(source.randrange(1, 1500)))
        if not text.strip():
            continue
        segments = split(text, max_letters)
        assert without_space("".join(each.text for each in segments)) == without_space(text)
        assert all(0 < measure(each.text) <= max_letters for each in segments)
        clusters = [cluster for each in segments for cluster in regex.findall(r"\X", each.text)]
        assert [c for c in clusters if c.strip()] == [
            c for c in regex.findall(r"\X", text) if c.strip()
        ]


def test_a_sentence_that_is_too_long_is_divided_at_clauses_then_words_then_characters() -> None:
    """In segments of about equal length, with nothing short at the end."""
    clauses = split(", ".join(["so it went on and on"] * 40) + ".", 400)
    assert {each.boundary for each in clauses[:-1]} == {Boundary.CLAUSE}
    words = split("word " * 200, 400)
    assert {each.boundary for each in words[:-1]} == {Boundary.WORD}
    characters = split("北" * 200, 400)
    assert {each.boundary for each in characters[:-1]} == {Boundary.CHARACTER}
    for segments in (clauses, words, characters):
        lengths = [measure(each.text) for each in segments]
        assert min(lengths) > 0.7 * max(lengths)


def test_a_clause_is_not_split_where_a_sentence_can_be() -> None:
    """Though one sentence is too long, and has to be."""
    short = "A sentence of some length, as they come. "
    long = ", ".join(["so it went on and on"] * 25) + ". "
    boundaries = [segment.boundary for segment in split(short * 15 + long + short * 15, 400)]
    assert boundaries.count(Boundary.CLAUSE) == 1


def test_the_kind_of_each_boundary_is_told() -> None:
    """Since a paragraph's pause is longer than a sentence's."""
    text = "One sentence of some length, this is. " * 8 + "\n\n" + "Another sentence of it. " * 13
    boundaries = [segment.boundary for segment in split(text, 400)]
    assert boundaries == [Boundary.PARAGRAPH, Boundary.PARAGRAPH]
    boundaries = [segment.boundary for segment in split(text, 200)]
    assert boundaries[0] == Boundary.SENTENCE
    assert Boundary.PARAGRAPH in boundaries[:-1]


def test_a_character_of_a_thousand_accents_is_not_torn_apart() -> None:
    """It stays longer than a segment; the model's own limit holds for it."""
    text = "a" + "\u0301" * 1000 + " b" * 300
    segments = split(text, 400)
    assert segments[0].text.startswith("a" + "\u0301" * 1000)


@pytest.mark.slow
@pytest.mark.timeout(45)
@pytest.mark.parametrize("unit", ["a", "。", "\n", "a\n\n", ". ", "!", "\U0001f1e9"])
def test_no_text_hangs_it(unit: str) -> None:
    """Seconds for each of these, since time grows with the length; with its square, minutes."""
    split(unit * (100_000 // len(unit)) + "x", 400)
