"""Numbers, dates, units, abbreviations and signs in words."""

from __future__ import annotations

import time

import pytest

from qwen_tts_api.service.text.verbalize.guess import guess_language
from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.verbalizer import make_verbalizer

SAID = make_verbalizer(LANGUAGES["english"])

ENGLISH = [
    # Whole numbers and decimals
    ("0", "zero"),
    ("3 apples", "three apples"),
    ("1,000,000 or 1 000", "one million or one thousand"),
    ("007", "zero zero seven"),
    ("-5", "minus five"),
    ("1e6", "one times ten to the power of six"),
    ("3.14, .5", "three point one four, point five"),
    ("12345678901234567890", "one two three four five six seven eight nine zero " * 2),
    ("1,5 and a_7", "one,five and a_seven"),
    ("I have 5.", "I have five."),
    # Years
    ("1984, 2026, 1066", "nineteen eighty-four, twenty twenty-six, ten sixty-six"),
    ("1905, 2000, 2005", "nineteen oh five, two thousand, two thousand five"),
    ("1900s, '90s, the 1980s", "nineteen hundreds, nineties, the nineteen eighties"),
    ("44 BC", "forty-four BC"),
    # Dates and times
    ("2026-11-28", "November twenty-eighth, twenty twenty-six"),
    ("28.11.2026", "November twenty-eighth, twenty twenty-six"),
    ("11/28/2026", "November twenty-eighth, twenty twenty-six"),
    ("Nov 28, 2026", "November twenty-eighth, twenty twenty-six"),
    ("On Nov. 3rd we met", "On November third we met"),
    ("5 May 1999", "May fifth, nineteen ninety-nine"),
    ("3:05 pm", "three oh five P M"),
    ("14:30 or 7:00", "fourteen thirty or seven o'clock"),
    ("at 3 p.m. The end", "at three P M. The end"),
    ("7 o'clock", "seven o'clock"),
    # Ordinals, fractions, ranges, scores, sizes
    ("1st, 22nd, 103rd", "first, twenty-second, one hundred third"),
    ("1/2, ½, 3 3/4", "one half, one half, three and three quarters"),
    ("24/7", "twenty-four seven"),
    ("5-10 pages", "five to ten pages"),
    ("1914–1918", "nineteen fourteen to nineteen eighteen"),
    ("3:2", "three to two"),
    ("4x4", "four by four"),
    # Money, percent, units
    ("$5", "five dollars"),
    ("$1, $3.50, $0.99", "one dollar, three dollars and fifty cents, ninety-nine cents"),
    ("€1,200", "one thousand two hundred euros"),
    ("£2m", "two million pounds"),
    ("5 USD, ¥500", "five U S dollars, five hundred yen"),
    ("-$5, $5-10", "minus five dollars, five to ten dollars"),
    ("$1.5 billion", "one point five billion dollars"),
    ("50%, 5-10 %", "fifty percent, five to ten percent"),
    ("5 km, 20°C, 60 mph", "five kilometers, twenty degrees Celsius, sixty miles per hour"),
    ("3GB/s, 5'11\"", "three gigabytes per second, five feet eleven inches"),
    ("1 kg of it, 5 in all", "one kilogram of it, five in all"),
    # Numbers of telephones, versions, addresses
    ("(555) 123-4567", "five five five, one two three, four five six seven"),
    ("v2.0.1", "version two point zero point one"),
    ("192.168.0.1", "one nine two dot one six eight dot zero dot one"),
    ("info@example.com.", "info at example dot com."),
    ("https://www.example.com/docs", "W W W dot example dot com slash docs"),
    # Roman numbers
    ("Chapter IV, World War II", "Chapter four, World War two"),
    ("Henry VIII, Super Bowl XXX", "Henry the eighth, Super Bowl thirty"),
    ("Charles I think, an IV drip", "Charles I think, an IV drip"),
    # Abbreviations
    ("Dr. Smith met Mr. Jones", "Doctor Smith met Mister Jones"),
    ("St. Paul, 5 Main St.", "Saint Paul, five Main Street"),
    ("apples, e.g. red ones, etc.", "apples, for example red ones, et cetera."),
    ("No. 5 vs. No", "number five versus No"),
    ("approx. 5 U.S. troops", "approximately five U S troops"),
    # Signs
    ("2 + 2 = 4, 3 × 4", "two plus two equals four, three times four"),
    ("R&D, #5, @bob, C++", "R and D, number five, at bob, C plus plus"),
    ("5 - 3, 2*3, x²", "five minus three, two times three, x squared"),
    ("a-b, state-of-the-art", "a-b, state-of-the-art"),
    # Letters and digits
    ("B2B, 3D, H2O", "B two B, three D, H two O"),
    ("COVID-19, MP3", "COVID nineteen, M P three"),
    ("7-year-old", "seven-year-old"),
    ("A1B2C3D4", "A one B two C three D four"),
    ("①, Ⅳ, ٣", "one, four, three"),
]


@pytest.mark.parametrize(("text", "said"), ENGLISH)
def test_english(text: str, said: str) -> None:
    assert SAID.verbalize(text) == said.strip()


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog.",
        "May I come in? No. I am ill; it is a well-known fact.",
        "He said: “Wait...” — and left!",
        "",
    ],
)
def test_what_has_no_numbers_stays(text: str) -> None:
    assert list(SAID.find_edits(text)) == []


@pytest.mark.parametrize("char", ["9", "１", "٣"])
def test_a_long_run_of_digits_is_said_digit_by_digit(char: str) -> None:
    said = SAID.verbalize(char * 100_000)
    assert len(said.split()) == 100_000


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("5 apples", "english"),
        ("The price is 5", "english"),
        ("Это 5", None),
        ("りんごが5つ", None),
        ("questo è il 5", None),
    ],
)
def test_guessed_languages(text: str, name: str | None) -> None:
    guessed = guess_language(text)
    assert (guessed.name if guessed else None) == name


def test_marks_without_a_letter_take_time_by_their_number() -> None:
    """Which a text of a `say-as` may have."""
    began_at = time.process_time()
    assert SAID.verbalize("\u0301" * 20_000) == "\u0301" * 20_000
    assert time.process_time() - began_at < 5
