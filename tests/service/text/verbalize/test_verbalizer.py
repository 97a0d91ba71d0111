"""Numbers, dates, units, abbreviations and signs in words."""

from __future__ import annotations

import random
import time
import unicodedata

import pytest

from qwen_tts_api.service.text.normalize import SPOKEN_SIGNS
from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.guess import guess_language
from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.numerals import number_pattern
from qwen_tts_api.service.text.verbalize.verbalizer import make_verbalizer
from tests.rows import for_each

_GROUPED = compile_pattern(number_pattern(LANGUAGES["english"]))
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
    ("22/7, due 22/7", "twenty-two over seven, due July twenty-second"),
    (
        "file 20240503 of 20241503",
        "file May third, twenty twenty-four of twenty million two hundred"
        " forty-one thousand five hundred three",
    ),
    ("the 49ers", "the forty-niners"),
    ("4.5/5 stars", "four point five out of five stars"),
    ("20 - 30 people, 5 - 3 = 2", "twenty to thirty people, five minus three equals two"),
    ("5-10x, y=5-10x", "five to ten times, y equals five-ten X"),
    ("1...5", "one...five"),
    ("Apt. 5B, 5B people", "apartment five B, five billion people"),
    ("100K+ in 4K", "one hundred thousand plus in four K"),
    ("1m80", "one meter eighty"),
    ("fe80::1:a", "F E eight zero colon colon one colon A"),
    (
        "00:1A:2B:3C:4D:5E",
        "zero zero colon one A colon two B colon three C colon four D colon five E",
    ),
    (
        "12345678-e29b-41d4-a716-446655440000",
        "one two three four five six seven eight, E two nine"
        " B, four one D four, A seven one six, four four six six five five four four zero zero zero"
        " zero",
    ),
    # Money, percent, units
    ('"$20s" and 100s of $1s', '"twenties" and hundreds of ones'),
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
    ("Sr. Smith met Tom Smith Sr. He left", "Senior Smith met Tom Smith Senior. He left"),
    ("St. Mary's St.", "Saint Mary's Street"),
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
    # Neighbours of these: as a careful reader says them
    ("₹1,00,000, 1.000.000", "one hundred thousand rupees, one million"),
    (
        "€1.234,56, 1,50 €",
        "one thousand two hundred thirty-four euros and fifty-six cents, one euro and fifty cents",
    ),
    (
        "$5-$10, $5 - $10, $1-million",
        "five dollars to ten dollars, five dollars to ten dollars, one million dollars",
    ),
    (
        "a $5 bill, a 60W bulb, a 5-km run",
        "a five dollar bill, a sixty watt bulb, a five kilometer run",
    ),
    ("~$5, <$5, > 5", "about five dollars, less than five dollars, greater than five"),
    (
        "x >= 5, a != b, 10⁻³, 2^3",
        "x greater than or equal to five, a not equal to b, ten to the "
        "power of minus three, two cubed",
    ),
    ("5-3=2, –5", "five minus three equals two, minus five"),
    ("2x faster, y = 2x + 1", "two times faster, y equals two X plus one"),
    (
        "9.8 m/s², 5 kg/m³, 10 mg/dL",
        "nine point eight meters per second squared, five kilograms per "
        "cubic meter, ten milligrams per deciliter",
    ),
    (
        'a 15" laptop, 8" x 10" frame',
        "a fifteen inch laptop, eight inches by ten inches frame",
    ),
    (
        "10 cm x 20 cm, 10%-20%",
        "ten centimeters by twenty centimeters, ten percent to twenty percent",
    ),
    (
        "9am-5pm, 9:00-17:00, 7-8pm",
        "nine A M to five P M, nine o'clock to seventeen hundred, seven to eight P M",
    ),
    ("3:30 PM, 9.30am, 00:00", "three thirty P M, nine thirty A M, midnight"),
    (
        "2h30m, 2024-05-03T10:30:00Z",
        "two hours thirty minutes, May third, twenty twenty-four ten thirty U T C",
    ),
    (
        "mid-1990s, 1960s-1970s, the '00s",
        "mid-nineteen nineties, nineteen sixties to nineteen seventies, the two thousands",
    ),
    ("the 3rd of May, 3rd May 1984", "the third of May, May third, nineteen eighty-four"),
    (
        "3–5 May, 2024-05, May 3 - May 5",
        "May third to fifth, May twenty twenty-four, May third to May fifth",
    ),
    ("Mon-Fri, Mon, Jan 5", "Monday to Friday, Monday, January fifth"),
    (
        "about 1984 people, in 1984 people",
        "about one thousand nine hundred eighty-four people, in nineteen eighty-four people",
    ),
    (
        "10/10, 120/80, 50/50, 2023/24",
        "ten out of ten, one hundred twenty over eighty, fifty fifty, "
        "twenty twenty-three twenty-four",
    ),
    ("on 5/3, 5/13", "on May third, May thirteenth"),
    (
        "call 911, Beverly Hills, CA 90210",
        "call nine one one, Beverly Hills, CA nine zero two one zero",
    ),
    (
        "5551234567, 4111 1111 1111 1111",
        "five five five one two three four five six seven, four one "
        "one one, one one one one, one one one one, one one one one",
    ),
    (
        "A320, GPT-3.5, 1080p, 1-on-1",
        "A three twenty, G P T three point five, ten eighty P, one-on-one",
    ),
    (
        "XIV century, Scene ii, WWII, MMXXIV",
        "fourteenth century, Scene two, World War two, twenty twenty-four",
    ),
    ("Roe v. Wade, M&Ms, 5 Main St", "Roe versus Wade, M and Ms, five Main Street"),
    ("Gen 1:1-3, 9:30-10:15", "Genesis one, one to three, nine thirty to ten fifteen"),
    (
        "a Boeing 747-400, 112-108",
        "a Boeing seven forty-seven four hundred, one hundred twelve to one hundred eight",
    ),
    ("221B Baker Street", "two twenty-one B Baker Street"),
    (
        "SO₄²⁻, CO2, C6H12O6, Ca(OH)₂",
        "S O four two minus, C O two, C six H twelve O six, C A O H two",
    ),
    (
        "120/80 mmHg, 1½ tsp",
        "one hundred twenty over eighty millimeters of mercury, one and one half teaspoons",
    ),
    ("FY24/25, AB-123-CD", "F Y twenty-four twenty-five, A B one twenty-three C D"),
    (
        "52°31'12\"N, 74.5° W",
        "fifty-two degrees thirty-one minutes twelve seconds north, seventy-four"
        " point five degrees west",
    ),
    ("vol. II, pp. XVI-XVII", "volume two, pages sixteen to seventeen"),
    ("U.S. GDP at 9 a.m. PT", "U S GDP at nine A M PT"),
    (
        "10 kWh/100 km, 85/100",
        "ten kilowatt hours per one hundred kilometers, eighty-five out of one hundred",
    ),
    ("m/s^2, 12.25.24", "m/s squared, December twenty-fifth, twenty twenty-four"),
    (
        "localhost:8080, 10.0.0.0/8",
        "localhost colon eight zero eight zero, one zero dot zero dot zero dot zero slash eight",
    ),
]


@for_each(("text", "said"), ENGLISH)
def test_english(text: str, said: str) -> None:
    assert SAID.verbalize(text) == said.strip()


def test_no_digit_and_no_sign_with_a_name_is_left() -> None:
    """In random mixtures of what texts have, in every language."""
    mixed = random.Random(7)
    parts = [part for text, _ in ENGLISH for part in text.split(" ")]
    parts += [*"0123456789½²₂⁻⁺①Ⅳ٣５%‰&@#§°+=±×÷≤≥≠≈√∞∑©®™€£¥₹₱₴¢ABxaé.,:/-–'() 年℃№％＄＋"] * 4
    for name in LANGUAGES:
        verbalizer = make_verbalizer(LANGUAGES[name])
        for _ in range(60):
            text = "".join(mixed.choices(parts, k=7))
            said = verbalizer.verbalize(text)
            left = [char for char in said if char in SPOKEN_SIGNS or is_number_or_currency(char)]
            assert not left, (name, text, said)


def is_number_or_currency(char: str) -> bool:
    return unicodedata.category(char) in ("Nd", "Nl", "No", "Sc")


@for_each(
    ("text", "said"),
    [
        ("$5-10info@example.com", "dollars five dash ten info at example dot com"),
        ("№21www.example.com", "number twenty-one www dot example dot com"),
    ],
)
def test_a_sign_before_what_belongs_to_an_address_is_said(text: str, said: str) -> None:
    assert SAID.verbalize(text) == said


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


def test_a_row_of_groups_of_digits_is_looked_at_once() -> None:
    assert max(len(match[0]) for match in _GROUPED.finditer("111," * 1000)) < 80


@pytest.mark.parametrize("char", ["9", "１", "٣"])
def test_a_long_run_of_digits_is_said_digit_by_digit(char: str) -> None:
    said = SAID.verbalize(char * 100_000)
    assert len(said.split()) == 100_000


@for_each(
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
