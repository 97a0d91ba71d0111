"""SSML becomes passages; what is not understood is refused, with its place and what would be."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import Any

import pytest

from qwen_tts_api.errors import InvalidRequest, InvalidSsml
from qwen_tts_api.service.text.script import ssml
from qwen_tts_api.service.text.script.passage import Script
from qwen_tts_api.service.text.script.ssml import MAX_DEPTH
from tests.rows import for_each


def read_ssml(document: str, language: str = "Auto") -> Script:
    return ssml.read_ssml(document, language)


def said(document: str) -> list[Any]:
    """Return text, pause and boundary of each passage."""
    return [(each.text, each.pause_s, each.boundary.name) for each in read_ssml(document).passages]


def styles(document: str) -> list[Any]:
    """Return text, speaker, language and speed of each passage."""
    return [
        (each.text, each.style.speaker, each.style.language, round(each.style.speed, 3))
        for each in read_ssml(document).passages
    ]


def test_an_entity_is_all_of_what_is_written() -> None:
    """At the beginning, in and at the end of a word, and of a passage."""
    text = "<s>x R&amp;</s> &quot;c&#33; AT&amp;T<prosody rate='fast'>&lt;</prosody>"
    places = []
    for passage in ssml.read_ssml(text, "Auto", timed=True).passages:
        assert passage.written is not None
        for word in re.finditer(r"\S+", passage.written.text):
            start, end = passage.written.place(*word.span())
            places.append((word[0], text[start:end]))
    assert places == [
        ("x", "x"),
        ("R&", "R&amp;"),
        ('"c!', "&quot;c&#33;"),
        ("AT&T", "AT&amp;T"),
        ("<", "&lt;"),
    ]


@for_each(
    "document",
    [
        "Hello, you.",
        "<speak>Hello, you.</speak>",
        "\ufeff<speak>Hello, you.</speak>",
        '\ufeff\n<?xml version="1.0"?><speak>Hello, you.</speak>',
        "<speak>\n  Hello,\n  you.\n</speak>",
        '<?xml version="1.0"?>\n<speak>Hello, you.</speak>',
        '<?xml version="1.0" encoding="utf-16" standalone="yes"?><speak>Hello, you.</speak>',
        "<!-- a <speak> --><speak>Hello, <!-- dear --> you.</speak>",
        "<!-- alone --> Hello, you.",
        '<speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xml:base="x" '
        'xsi:schemaLocation="a b">Hello, you.</speak>',
        "<speak>Hello<![CDATA[, you]]>.</speak>",
        "<speak>Hello&#44; &#x79;ou.</speak>",
        '<speak><p><s>Hello, <sub alias="you">U</sub>.</s></p></speak>',
        '<speak xml:lang=""><p/>Hello, you.<s></s></speak>',
    ],
)
def test_all_of_them_are_one_text(document: str) -> None:
    """With or without root, declaration, namespaces, comments; white space is a space."""
    assert [text for text, _, _ in said(document)] == ["Hello, you."]
    assert read_ssml(document).passages[0].has_markup is False


def test_entities_are_what_they_stand_for() -> None:
    assert said("R&amp;D: a &lt; b &gt; c &quot;d&quot; &apos;e&apos;") == [
        ("R&D: a < b > c \"d\" 'e'", None, "PARAGRAPH")
    ]


def test_lines_of_chinese_have_no_space_between() -> None:
    assert said("<speak>今天\n  天气 好，\n我们</speak>") == [
        ("今天天气 好，我们", None, "PARAGRAPH")
    ]


@for_each(
    ("tag", "seconds"),
    [
        ('<break time="1.5s"/>', 1.5),
        ("<break time='300ms'></break>", 0.3),
        ('<break time=" +.5s "/>', 0.5),
        ('<break time="10s"/>', 10),
        ('<break time="0s"/>', 0),
        ("<break/>", 0.75),
        ('<break strength="none"/>', 0),
        ('<break strength="x-weak"/>', 0.25),
        ('<break strength="weak"/>', 0.5),
        ('<break strength="medium"/>', 0.75),
        ('<break strength="strong"/>', 1),
        ('<break strength="x-strong"/>', 1.25),
        ('<break strength="x-strong" time="2s"/>', 2),
    ],
)
def test_a_break_is_a_pause(tag: str, seconds: float) -> None:
    """By its time, else by its strength."""
    assert said(f"Hello {tag} you.") == [
        ("Hello", seconds, "WORD"),
        ("you.", None, "PARAGRAPH"),
    ]


def test_pauses_in_a_row_are_one() -> None:
    """Also across elements, at the beginning, and at the end."""
    script = read_ssml(
        '<speak><break time="1s"/><p><break time="2s"/>Hello<break time="1s"/></p> '
        '<break time="250ms"/><p><break time="1s"/>you.</p><break time="3s"/></speak>'
    )
    assert script.lead_s == 3
    assert [passage.pause_s for passage in script.passages] == [2.25, 3]


def test_a_text_of_pauses_alone_has_no_passage() -> None:
    assert read_ssml('<break time="1s"/> <break time="1s"/>') == Script([], 2.0)


def test_paragraphs_and_sentences_end_where_they_say() -> None:
    assert said("Zero <p>One.<s>Two</s> <s>Three</s>Four</p><s>Five</s>Six") == [
        ("Zero", None, "PARAGRAPH"),
        ("One.", None, "SENTENCE"),
        ("Two", None, "SENTENCE"),
        ("Three", None, "SENTENCE"),
        ("Four", None, "PARAGRAPH"),
        ("Five", None, "SENTENCE"),
        ("Six", None, "PARAGRAPH"),
    ]


def test_where_the_style_changes_the_punctuation_tells_the_pause() -> None:
    document = "One. {}two{}, three {}four{}.".format(
        '<voice name="a">', "</voice>", '<voice name="b">', "</voice>"
    )
    assert said(document) == [
        ("One.", None, "SENTENCE"),
        ("two", None, "WORD"),
        (", three", None, "WORD"),
        ("four", None, "WORD"),
        (".", None, "PARAGRAPH"),
    ]
    assert said('Well, <lang xml:lang="de">ja</lang>')[0] == ("Well,", None, "CLAUSE")


def test_voices_and_languages_are_nested() -> None:
    assert styles(
        '<speak xml:lang="en-US">a <voice name="Ryan">b <lang xml:lang="de-DE">c</lang> d'
        '<p xml:lang="fr">e</p></voice> f <voice name=" x " xml:lang="ja">g</voice></speak>'
    ) == [
        ("a", "", "en-US", 1),
        ("b", "Ryan", "en-US", 1),
        ("c", "Ryan", "de-DE", 1),
        ("d", "Ryan", "en-US", 1),
        ("e", "Ryan", "fr", 1),
        ("f", "", "en-US", 1),
        ("g", "x", "ja", 1),
    ]


@for_each(
    ("rate", "speed"),
    [
        *[("x-slow", 0.5), ("slow", 0.64), ("medium", 1), ("default", 1), ("fast", 1.55)],
        *[("x-fast", 2), ("50%", 0.5), ("150%", 1.5), ("+20%", 1.2), ("-20%", 0.8), ("1.5", 1.5)],
        *[("+0%", 1), ("400%", 4), ("0.25", 0.25), (" 80% ", 0.8)],
    ],
)
def test_a_rate_is_a_speed(rate: str, speed: float) -> None:
    assert styles(f'<prosody rate="{rate}">a</prosody>') == [("a", "", "", speed)]


def test_rates_multiply() -> None:
    document = '<prosody rate="50%">a <prosody rate="+50%">b</prosody> c</prosody>'
    assert styles(document) == [("a", "", "", 0.5), ("b", "", "", 0.75), ("c", "", "", 0.5)]


@for_each(
    ("tag", "text", "words"),
    [
        ("interpret-as='cardinal'", "12", "twelve"),
        ("interpret-as='ordinal'", "12", "twelfth"),
        ("interpret-as='characters'", "FBI", "F B I"),
        ("interpret-as='spell-out'", "<![CDATA[a]]>b", "A B"),
        ("interpret-as=' Digits '", "127", "one two seven"),
        ("interpret-as='telephone'", "555 0100", "five five five, zero one zero zero"),
        ("interpret-as='fraction'", "1/2", "one half"),
        ("interpret-as='date' format='mdy'", "1/2/2026", "January second, twenty twenty-six"),
        ("interpret-as='date' format='dmy'", "1/2/2026", "February first, twenty twenty-six"),
        ("interpret-as='time'", "5:30", "five thirty"),
        ("interpret-as='currency'", "$5", "five dollars"),
        ("interpret-as='unit'", "3 kg", "three kilograms"),
    ],
)
def test_what_a_text_says_of_itself(tag: str, text: str, words: str) -> None:
    """In the language that it is spoken in: the document's, the request's, or the text's own."""
    document = f"So <say-as {tag}>{text}</say-as>."
    assert said(document)[0][0] == f"So {words}."
    assert [each.text for each in read_ssml(document, "en-US").passages] == [f"So {words}."]
    english = f"<lang xml:lang='en'>{document}</lang>"
    assert [each.text for each in read_ssml(english, "Japanese").passages] == [f"So {words}."]
    for other in ("ja", "Japanese"):
        with pytest.raises(InvalidSsml, match="there are words for it in Chinese, English"):
            read_ssml(document, other)
    with pytest.raises(InvalidSsml, match="the text is in another language"):
        read_ssml(f"それは {document}")


KNOWN = "understood are break, lang, p, prosody, s, say-as, speak, sub, voice"


@for_each(
    ("document", "place", "message"),
    [
        ("üx <emphasis>a</emphasis>", (1, 4), f"the element 'emphasis' is not understood; {KNOWN}"),
        ("<speak>\nüx <mark name='a'/></speak>", (2, 4), "the element 'mark' is not understood"),
        ("<audio src='http://x/y.wav'/>", (1, 1), "the element 'audio' is not understood"),
        ("<phoneme ph='a'>b</phoneme>", (1, 1), "the element 'phoneme' is not understood"),
        ("<mstts:express-as style='a'/>", (1, 1), "the element 'mstts:express-as' is not"),
        ("<BREAK/>", (1, 1), "the element 'BREAK' is not understood"),
        ("<p id='a'>b</p>", (1, 1), "<p>: 'id' is not understood; understood are xml:lang"),
        ("<break time='1,5s'/>", (1, 1), "time is '1,5s', which is no time, which is written 1.5s"),
        ("<break time='1'/>", (1, 1), "time is '1', which is no time"),
        ("<break time='-1s'/>", (1, 1), "time is '-1s', which is no time"),
        ("<break time='10.001s'/>", (1, 1), "is longer than 10s"),
        ("<break time='11000ms'/>", (1, 1), "is longer than 10s"),
        ("<break strength='huge'/>", (1, 1), "allowed are none, x-weak, weak, medium, strong"),
        ("<break>a</break>", (1, 9), "<break> has text in it; it is written <break/>"),
        ("<break><s/></break>", (1, 8), "no element may be in <break>, but there is <s>"),
        ("<sub alias='a'><s>b</s></sub>", (1, 16), "no element may be in <sub>"),
        ("<sub>a</sub>", (1, 1), "<sub>: alias is missing or empty"),
        ("<voice>a</voice>", (1, 1), "<voice>: name is missing or empty"),
        ("<voice gender='female'>a</voice>", (1, 1), "'gender' is not understood; understood are"),
        ("<say-as>a</say-as>", (1, 1), "<say-as>: interpret-as is missing or empty"),
        (
            "<say-as interpret-as='x'>a</say-as>",
            (1, 27),
            "interpret-as is 'x'; understood are card",
        ),
        (
            "<say-as interpret-as='date' format='xyz'>1</say-as>",
            (1, 43),
            "format is 'xyz'; it is that of a date, such as mdy",
        ),
        ("<lang>a</lang>", (1, 1), "<lang>: xml:lang is missing or empty"),
        (
            "<prosody pitch='high'>a</prosody>",
            (1, 1),
            "'pitch' is not understood; understood are r",
        ),
        ("<prosody rate='9'>a</prosody>", (1, 1), "rate is '9'; allowed are x-slow"),
        ("<prosody rate='+2'>a</prosody>", (1, 1), "rate is '+2'; allowed are x-slow"),
        ("<prosody rate='brisk'>a</prosody>", (1, 1), "25% to 400%, and changes such as +20%"),
        ("<speak>a<speak>b</speak></speak>", (1, 9), "<speak> is the root"),
        ("a<speak>b</speak>", (1, 2), "<speak> is the root"),
        ("<speak>a</speak>b", (1, 17), "nothing may follow the end of <speak>"),
        ("<speak><p>a</speak>", None, "</p> has to come before another element ends"),
        ("<p>a", (1, 1), "<p> is not closed"),
        ("<speak>a", (1, 1), "<speak> is not closed"),
        ("R&D", (1, 2), "in a text & is written &amp; and < is written &lt;"),
        ("a < b", None, "in a text & is written &amp; and < is written &lt;"),
        ("a&nbsp;b", None, "there is no such entity; there are &amp;"),
        ("<s a='1' a='2'/>", None, "duplicate attribute"),
        ("a\x0bb", (1, 2), "this is no XML"),
        ("a\n <p>b", (2, 2), "<p> is not closed"),
        ("<speak>a<s>b", (1, 9), "<s> is not closed"),
        ("<p>a<s>b</p>", (1, 9), "</s> has to come before another element ends"),
        ("<speak>a<?php echo ?></speak>", (1, 9), "an instruction is not understood"),
        ("<p>" * (MAX_DEPTH + 1), None, f"elements are more than {MAX_DEPTH} deep in each other"),
    ],
)
def test_what_is_not_understood_is_refused(
    document: str, place: tuple[int, int] | None, message: str
) -> None:
    """By its line and column, with what would be right."""
    with pytest.raises(InvalidSsml) as raised:
        read_ssml(document)
    assert message in raised.value.message
    assert raised.value.message.startswith("SSML, line ")
    if place is not None:
        assert raised.value.message.startswith("SSML, line {}, column {}: ".format(*place))
    assert list(raised.value.fields or {}) == ["text"]


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE speak PUBLIC "-//W3C//DTD SYNTHESIS 1.0//EN" "http://x/y.dtd"><speak>a</speak>',
        '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><speak>&b;</speak>',
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
        "<speak>&a;</speak>",
        '<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1/"> %a;]><speak>a</speak>',
    ],
)
def test_nothing_grows_or_is_fetched(document: str) -> None:
    """A document type is refused before any of it is read."""
    with pytest.raises(InvalidSsml, match=r"a document type is not allowed"):
        read_ssml(document)


@for_each(
    "document",
    [
        '<break time="1ms"/>' * 20_000,
        "a<s>b</s>" * 40_000,
        'a<voice name="x">b</voice>' * 12_000,
        "<p>" * 100_000,
        "<speak>" + "<!-- -->" * 40_000,
        "&#65;" * 60_000,
        "\n中" * 150_000,
        "<a " + " ".join(f'a{number}="1"' for number in range(30_000)) + "/>",
        '<?xml version="1.0"?>' + "<!-- -->" * 40_000,
        "<?xml " + "a" * 300_000,
        "<!--" * 70_000,
    ],
)
def test_long_documents_take_bounded_time(document: str) -> None:
    """A third of a million characters of whatever costs most."""
    began_at = time.process_time()
    with suppress(InvalidRequest):
        read_ssml(document)
    assert time.process_time() - began_at < 5
