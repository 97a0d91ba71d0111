"""What is for the eye only is not spoken; what is text stays."""

from __future__ import annotations

import random
import sys
import textwrap
from types import FrameType

import pytest

from qwen_tts_api.service.text import normalize
from qwen_tts_api.service.text.normalize import is_plain, normalize_text
from tests.rows import for_each
from tests.service.texts import PROSE, paragraphs


@for_each("language", PROSE)
def test_prose_stays_as_it_is(language: str) -> None:
    """Byte for byte, so that the model says what it said before."""
    for seed in range(5):
        text = paragraphs(random.Random(seed), language, 30)
        normalized = normalize_text(text)
        assert normalized.text == text
        assert not normalized.changes


def test_rules_change_nothing_of_a_plain_line() -> None:
    """So they are not applied to it."""
    source = random.Random(0)
    alphabet = "aBz éÿ09 あ漢ン" * 2 + ".,;:!?'\"()/-‘’“”„«»"
    texts = ["".join(source.choices(alphabet, k=10)).strip() for _ in range(2000)]
    plain = [text for text in texts if is_plain(text)]
    assert len(plain) > 300
    for text in plain:
        assert normalize._normalize(text, has_markup=True) == normalize.NormalizedText(text), text


@pytest.mark.parametrize(
    "text", ["Hello.", "Don't you?", "Größe: 5 (etwa), «oui»", "he said: “yes”"]
)
def test_a_sentence_is_plain(text: str) -> None:
    assert is_plain(text)


@for_each("text", ["*a*", "a\nb", "- a", "1. a", "wait...", "a & b", "ﬁne", "a" * 9999])
def test_what_rules_may_change_is_not_plain(text: str) -> None:
    assert not is_plain(text)


@for_each(
    "text",
    [
        "a < b and c > d, x<y, I <3 you",
        "2*3*4 = 24, a * b * c, 2**3**4, f(x) = x^2 * y^2",
        "snake_case, _private, __x y, x_1 + x_2",
        "**kwargs and Price* (terms apply*)",
        "$5, 5 €, 100%, #1, C#, R&D, AT&T, ~5 km, 1 | 2, |x| + |y|",
        "arr[0](x), [sic] (see below), {a}",
        "https://a.example/_b_/c_d*e and www.a.example/_b_",
        "1. one\n2. two",
        "— Não — disse ela.\n— Sim.",
        "-5 degrees, 5-7 people, a - b, C++, a|b, 2 * 3 * 4",
        "as shown [1][2], in [1] and by [Smith]",
        "[Alice]: Hello. >5 and #tag, #1",
        "use <tag> or List<T>, <3 <tts_pad>",
        "C:\\Users\\me\\new.txt, \\\\server",
        "Roses are red\nViolets are blue",
        "apples\npears\nbananas",
        "Ada Lovelace\n12 St James's Square\nLondon",
        "Dear Sir or Madam,\n\nI am writing to you.",
        "Half-baked ideas - of which there are many -\n\nEnd",
        "©2024 Foo™ → bar ½ ♯ № 5",
        "Was?! Wirklich... 好……吧——嗯。",
        "don`t, it`s; rock'n'roll",
        "全角　空白、ＡＢＣ",
    ],
)
def test_what_only_resembles_markup_stays(text: str) -> None:
    normalized = normalize_text(text)
    assert normalized.text == text
    assert not normalized.changes


@for_each(
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
        ("```text\nhello\n```\nend", "hello\n\nend", 1),
        ("- one\n+ two\n* three\n  - nested\n\n• four", "one\ntwo\nthree\nnested\n\nfour", 5),
        ("- [ ] todo\n- [x] done\n1. [ ] first", "todo\ndone\n1. first", 3),
        ("> - quoted item\n> # Title", "quoted item\nTitle", 4),
        ("a | b\n--- | ---\n1 | 2\n\nend", "a, b\n1, 2\n\nend", 1),
        ("| a |\n|---|\n| 1 \\| 2 |", "a\n1 | 2", 1),
        ("Text[^1] more.\n\n[^1]: The note.", "Text more.\n\nThe note.", 2),
        ("See [Docs][1] and [Docs][].", "See Docs and [Docs][].", 1),
        ('[Docs][], [my docs]\n\n[docs]: /a\n[My  Docs]: <b.md> "T"', "Docs, my docs", 4),
        ("[![alt](i.png)](u)", "alt", 2),
        ("**bold\nacross**", "bold\nacross", 1),
        ("# Title #\n## Second", "Title\nSecond", 2),
        ("Title\n=====\nText", "Title\nText", 1),
        ('Hello <break time="1s"/>you', "Hello \nyou", 1),
        ('<prosody rate="slow">Hello</prosody> <mstts:express-as style="x">you', "Hello you", 3),
        ("<details open><summary>S</summary>x</details>", "S\nx", 4),
        ("`<think>` is a tag", "<think> is a tag", 1),
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
    normalized = normalize_text(text)
    assert normalized.text == expected
    assert normalized.changes == {"markup": num}


def test_ssml_becomes_its_text() -> None:
    """Its tags are not obeyed; the count of changes tells."""
    normalized = normalize_text(
        '<?xml version="1.0"?>\n<speak version="1.1">Hello <prosody rate="slow">you</prosody>'
        '<break time="1s"/>&amp; <unknown-tag>me</unknown-tag></speak>'
    )
    assert normalized.text.split() == ["Hello", "you", "&", "me"]
    assert normalized.changes["markup"] == 9


@for_each(
    ("text", "expected"),
    [
        ("before\n```python\nx = 1\n```\nafter", "before\n\nafter"),
        ("~~~ js title=x\ncode\n~~~\nafter", "after"),
        ("1. Run:\n   ```\n   make\n   ```\n2. Wait", "1. Run:\n\n2. Wait"),
        ("> ```\n> code\n> ```\n> after", "after"),
        ("````\n```\ncode\n````\nafter", "after"),
        ("Look:\n```python\nx = 1", "Look:"),
        ("a\r\n```\r\ncode\r\n```\r\nb", "a\n\nb"),
    ],
)
def test_code_between_fences_is_left_out(text: str, expected: str) -> None:
    """And the answer tells; code inside a line is read."""
    normalized = normalize_text(text)
    assert normalized.text == expected
    assert normalized.changes["code"] == 1


@pytest.mark.parametrize("text", ["a\n```\nb", "a\n~~~\nb"])
def test_a_fence_that_is_alone_takes_nothing_with_it(text: str) -> None:
    assert normalize_text(text).text.split() == ["a", "b"]


def test_fences_that_nothing_closes_are_not_searched_for_in_every_line() -> None:
    """Each is longer than those behind it: one that closes it could still come."""
    calls = 0

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal calls
        calls += event == "c_call"

    fences = ["`" * num for num in range(100, 2, -1)]
    every = [*fences, *["a"] * 2000]
    sys.setprofile(count)
    try:
        normalize_text("\n".join(every))
    finally:
        sys.setprofile(None)
    assert calls < 100 * len(every)


@for_each(
    ("text", "expected"),
    [
        ("<think>Let me see.\n\n```\nx</think>\n\nThe answer.", "The answer."),
        ("Let me see.\n</think>\n\nThe answer.", "The answer."),
        ("<think>Let me see", ""),
        ("<THINKING>a</THINKING>One. <think>b</think>Two.", "One. Two."),
        ("<think>a<think>b</think>c</think>d", "d"),
        ("<think></think>\n\nThe answer.", "The answer."),
    ],
)
def test_what_a_model_thought_is_left_out(text: str, expected: str) -> None:
    normalized = normalize_text(text)
    assert normalized.text == expected
    assert normalized.changes["thinking"] >= 1


@for_each(
    ("text", "expected"),
    [
        ("Immo\n\u00ad\nbilien", "Immobilien"),
        ("Immo\u00ad\nbilien", "Immobilien"),
        ("Immo\u00ad bilien", "Immobilien"),
        ("Immo\ufffe\r\nbilien", "Immobilien"),
        ("Immo\x02\nbilien", "Immobilien"),
        ("Immo\x1f\nbilien", "Immobilien"),
        ("auto-\nmatic", "automatic"),
        ("auto-\n  matic", "automatic"),
        ("auto-\n\n\fmatic", "automatic"),
        ("Jean-\nPaul, COVID-\n19", "Jean-Paul, COVID-19"),
        (
            "a 20-\nyear plan, mother-in-\nlaw, self-\nmade",
            "a 20-year plan, mother-in-law, self-made",
        ),
        ("Vor-\nund Nachteile", "Vor- und Nachteile"),
        (
            "The quick brown fox jumps over\nthe lazy dog.",
            "The quick brown fox jumps over the lazy dog.",
        ),
        (
            "Das ist ein sehr langer Satz, der über das große rote\nHaus der Stadt geht.",
            "Das ist ein sehr langer Satz, der über das große rote Haus der Stadt geht.",
        ),
        (
            "今天天气很好我们去公园玩了很久然后又去了河边看\n到了很多人在那里。",
            "今天天气很好我们去公园玩了很久然后又去了河边看到了很多人在那里。",
        ),
        ("> The quick brown fox jumps\n> over the dog.", "The quick brown fox jumps over the dog."),
        (
            "- The quick brown fox jumps\n  over it.\n- Two",
            "The quick brown fox jumps over it.\nTwo",
        ),
        ("the quick brown\n\n12\n\n\ffox jumps", "the quick brown fox jumps"),
    ],
)
def test_what_a_reader_sees_as_one_is_one(text: str, expected: str) -> None:
    """Words that were hyphenated and lines that were wrapped, as they come out of PDFs."""
    normalized = normalize_text(text)
    assert normalized.text == expected
    assert normalized.changes["lines"] >= 1


@for_each("columns", [36, 60, 72, 80])
@for_each(
    "text",
    [
        "The Project was begun in March by Ada Lovelace and Charles Babbage, who had met in London "
        "the year before. Nobody knew how long the work would take, but all were sure of its end.",
        "Die Katze sitzt auf dem langen Tisch und sieht dem kleinen Hund zu, der im Garten liegt "
        "und schläft. Am Abend kommt die Familie nach Hause, und beide laufen schnell zur Tür.",
        "Мы долго шли по лесу и наконец увидели старый дом, в котором когда-то жил лесник. Двери "
        "были открыты, но внутри никого не было, и только ветер шумел в пустых комнатах.",
    ],
)
def test_a_wrapped_paragraph_is_one_line(text: str, columns: int) -> None:
    """Whatever the columns, with capital letters at the beginning of lines as well."""
    wrapped = textwrap.fill(text, columns, break_on_hyphens=False)
    assert normalize_text(wrapped).text == text
    assert normalize_text(textwrap.indent(wrapped, "> ")).text == text


@for_each(
    ("text", "expected", "kind"),
    [
        ("ﬁnd the ﬂow, oﬃce", "find the flow, office", "unicode"),
        ("Buchſtabe ⼈ 𝐁𝐨𝐥𝐝 𝟏", "Buchstabe 人 Bold 1", "unicode"),
        ("don\x92t \x93say\x94", "don’t “say”", "unicode"),
        ("a\ufffeb\uffff\ufdd0c\U0001ffff", "abc", "invisible"),
        ("non\x1ebreaking", "non-breaking", "invisible"),
        ("Name\x07Age", "Name\nAge", "invisible"),
        ("\uf0b7 one\n\uf0b7 two", "one\ntwo", "markup"),
        ("\ufeff# Title", "Title", "markup"),
        ("a\u2029b", "a\n\nb", "spaces"),
        ("\x1b]0;title\x07text", "text", "invisible"),
        ("Immo&shy;bilien", "Immobilien", "invisible"),
    ],
)
def test_characters_of_other_programs(text: str, expected: str, kind: str) -> None:
    """Of word processors, PDFs, old books, terminals."""
    normalized = normalize_text(text)
    assert normalized.text == expected
    assert kind in normalized.changes


@for_each(
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
    normalized = normalize_text(text)
    assert normalized.text == expected
    assert normalized.changes == {"emoji": num}


@for_each(
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
    normalized = normalize_text(text)
    assert kind in normalized.changes
    if kind != "repeats" or "algo" not in text:
        assert normalized.text == expected
    else:
        assert len(normalized.text) == len("Z1234algo")


@for_each("language", PROSE)
def test_noise_takes_no_letter_with_it(language: str) -> None:
    """Wherever it stands: unbalanced, nested, in the middle of a word."""
    noise = ["**", "*", "😀", "\u200b", "!!!!!", "# ", "`", "_", "|", "~~", "> ", "\r\n", "<", "["]
    source = random.Random(language)
    for _ in range(20):
        prose = text = paragraphs(source, language, 10)
        for _ in range(30):
            place = source.randrange(len(text))
            text = text[:place] + source.choice(noise) + text[place:]
        spoken = normalize_text(text).text
        assert [char for char in spoken if char.isalnum()] == [c for c in prose if c.isalnum()]
