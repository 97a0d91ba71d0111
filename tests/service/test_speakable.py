"""What is for the eye only is not spoken; what is text stays."""

from __future__ import annotations

import random

import pytest

from qwen_tts_api.service.speakable import make_speakable
from tests.service.texts import PROSE, paragraphs


@pytest.mark.parametrize("language", PROSE)
def test_prose_stays_as_it_is(language: str) -> None:
    """Byte for byte, so that the model says what it said before."""
    for seed in range(5):
        text = paragraphs(random.Random(seed), language, 30)
        speakable = make_speakable(text)
        assert speakable.text == text
        assert not speakable.changes


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d, x<y, I <3 you",
        "2*3*4 = 24, a * b * c, 2**3**4, f(x) = x^2 * y^2",
        "snake_case, _private, __x y, x_1 + x_2",
        "**kwargs and Price* (terms apply*)",
        "$5, 5 €, 100%, #1, C#, R&D, AT&T, ~5 km, 1 | 2, |x| + |y|",
        "arr[0](x), [sic] (see below), {a}",
        "https://a.example/_b_/c_d*e and www.a.example/_b_",
        "- one\n- two\n1. one\n2. two",
        "©2024 Foo™ → bar ½ ♯ № 5",
        "Was?! Wirklich... 好……吧——嗯。",
        "don`t, it`s; rock'n'roll",
        "全角　空白、ＡＢＣ",
    ],
)
def test_what_only_resembles_markup_stays(text: str) -> None:
    speakable = make_speakable(text)
    assert speakable.text == text
    assert not speakable.changes


@pytest.mark.parametrize(
    ("text", "expected", "num"),
    [
        (
            "**bold**, *it*, ***both***, _x_, __y__, ~~z~~, `code`",
            "bold, it, both, x, y, z, code",
            7,
        ),
        ("**a *b* c**", "a b c", 2),
        ("这是**重点**内容，强调 **단어**는", "这是重点内容，强调 단어는", 2),
        ("# Title #1\n\nText", "Title #1\n\nText", 1),
        ('[link](https://x.y/a_(b)) ![img](a.png "t")', "link img", 2),
        ("<https://x.y/_a_>", "https://x.y/_a_", 1),
        ("```python\nx = 1\n```\nend", "x = 1\nend", 2),
        ("> quoted\n> more", "quoted\nmore", 2),
        ("* one\n• two", "one\ntwo", 2),
        ("one\n---\ntwo", "one\ntwo", 1),
        ("| a | b |\n|---|:-:|\n| 1 | 2 |\nend", "a, b\n1, 2\nend", 1),
        (r"\*not\* emphasis", "*not* emphasis", 2),
        ('<p class="x">Hello <b>you</b><br/>there</p>', "Hello you\nthere", 5),
        ('<a href="x">y</a> <!-- no --> z', "y  z", 3),
        ("<script>if (a < b) x()</script>text", "text", 1),
        ("Tom &amp; Jerry &lt;3 &#65; &unknown; &", "Tom & Jerry <3 A &unknown; &", 4),
    ],
)
def test_markup_becomes_its_text(text: str, expected: str, num: int) -> None:
    speakable = make_speakable(text)
    assert speakable.text == expected
    assert speakable.changes == {"markup": num}


def test_ssml_becomes_its_text() -> None:
    """Its tags are not obeyed; the count of changes tells."""
    speakable = make_speakable(
        '<?xml version="1.0"?>\n<speak version="1.1">Hello <prosody rate="slow">you</prosody>'
        '<break time="1s"/>&amp; <unknown-tag>me</unknown-tag></speak>'
    )
    assert speakable.text.split() == ["Hello", "you", "&", "me"]
    assert speakable.changes["markup"] == 9


@pytest.mark.parametrize(
    ("text", "expected", "num"),
    [
        ("Hi 😀 there", "Hi there", 1),
        ("Hi😀there", "Hi there", 1),
        ("Yes 👍🏽!", "Yes!", 1),
        ("👨‍👩‍👧‍👦 family 🇩🇪🇫🇷 ❤️ ok", "family ok", 4),
        ("Press 1️⃣ or #️⃣", "Press 1 or #", 2),
        ("好😀吧。🏴󠁧󠁢󠁥󠁮󠁧󠁿", "好 吧。", 2),
        ("😀🎉", "", 2),
    ],
)
def test_emoji_are_left_out(text: str, expected: str, num: int) -> None:
    """Sequences count as one; words on both sides stay apart."""
    speakable = make_speakable(text)
    assert speakable.text == expected
    assert speakable.changes == {"emoji": num}


@pytest.mark.parametrize(
    ("text", "expected", "kind"),
    [
        ("a\u200bb\u00adc\u202ed\ufeffe\x00f\x7fg\ue000h\ufffdi", "abcdefghi", "invisible"),
        ("\x1b[31mred\x1b[0m", "red", "invisible"),
        ("a\u00a0b\tc\u2009d", "a b c d", "spaces"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd", "spaces"),
        ("cafe\u0301 ᄒ\u1161ᆫ", "café 한", "unicode"),
        ("Wow!!!!!!! What?!?!?!", "Wow!!! What?!?", "repeats"),
        ("well....... 好！！！！！……………………", "well... 好！！！……", "repeats"),
        ("name: ________ ok", "name:   ok", "repeats"),
        ("Z" + "\u0338\u0321\u0322" * 9 + "algo", "Z\u0321\u0322\u0338\u0321algo", "repeats"),
    ],
)
def test_characters_that_cannot_be_heard(text: str, expected: str, kind: str) -> None:
    speakable = make_speakable(text)
    assert kind in speakable.changes
    if kind != "repeats" or "algo" not in text:
        assert speakable.text == expected
    else:
        assert len(speakable.text) == len("Z1234algo")


@pytest.mark.parametrize("language", PROSE)
def test_noise_takes_no_letter_with_it(language: str) -> None:
    """Wherever it stands: unbalanced, nested, in the middle of a word."""
    noise = ["**", "*", "😀", "\u200b", "!!!!!", "# ", "`", "_", "|", "~~", "> ", "\r\n", "<", "["]
    source = random.Random(language)
    for _ in range(20):
        prose = text = paragraphs(source, language, 10)
        for _ in range(30):
            place = source.randrange(len(text))
            text = text[:place] + source.choice(noise) + text[place:]
        spoken = make_speakable(text).text
        assert [char for char in spoken if char.isalnum()] == [c for c in prose if c.isalnum()]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit", ["*a ", "[](", "<script>", "a😀", "<b a='", "`a ", "\n| a", "\n- "]
)
def test_no_text_hangs_it(unit: str) -> None:
    """A second for each of these, since time grows with the length; with its square, minutes."""
    make_speakable(unit * (400_000 // len(unit)))
