"""What English readers say otherwise than the digits have it: names, codes, seasons, millions."""

from __future__ import annotations

from qwen_tts_api.service.text.sentences import find_sentences
from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.verbalizer import make_verbalizer
from tests.rows import for_each


@for_each(
    ("text", "said"),
    [
        # Names
        ("an i7-12700K with an RTX 4090",
         "an I seven twelve seven hundred K with an RTX forty ninety"),
        ("Ryzen 9 7950X, RX 7900 XTX",
         "Ryzen nine seventy-nine fifty X, RX seventy-nine hundred XTX"),
        ("10X, 5000X faster, V8, V1.2",
         "ten times, five thousand times faster, V eight, version one"
         " point two"),
        ("Boeing 747, a 787-9, 737 MAX",
         "Boeing seven forty-seven, a seven eighty-seven nine, seven"
         " thirty-seven MAX"),
        ("Room 404, Highway 101, ISO 9001",
         "Room four oh four, Highway one oh one, ISO nine thousand"
         " one"),
        ("WE HAVE 250 DOGS, the UN 250 troops", "WE HAVE two hundred fifty DOGS, the UN two hundred"
         " fifty troops"),
        ("Pages 737-800", "Pages seven hundred thirty-seven to eight hundred"),
        ("H.264, 401(k), 501(c)(3), 3(x+1)", "H dot two sixty-four, four oh one K, five oh one C"
         " three, three(x plus one)"),
        ("#100DaysOfCode, #5, ²³⁵U",
         "hashtag one hundred DaysOfCode, number five, two thirty-five U"),
        ("No 1, No 10 Downing Street", "number one, number ten Downing Street"),
        ("No 2 snowflakes, no 5 here", "No two snowflakes, no five here"),
        ("Eq. (5), Vol. I, §§ 5-7", "equation (five), volume one, sections five to seven"),
        ("B-17s, MP3s, A320s, 45s",
         "B seventeens, M P threes, A three twenties, forty-five seconds"),
        # Codes
        ("PIN 1234, your code is 4821", "PIN one two three four, your code is four eight two one"),
        ("order #12345, order 2500 pizzas",
         "order number one two three four five, order two thousand"
         " five hundred pizzas"),
        ("(020) 7946 0958", "zero two zero, seven nine four six, zero nine five eight"),
        ("GB29 NWBK 6016 1331 9268 19",
         "G B two nine, N W B K, six zero one six, one three three one,"
         " nine two six eight, one nine"),
        # Dates and times
        ("Q1'25, H2/2025", "Q one twenty twenty-five, H two twenty twenty-five"),
        ("Jan-Mar, Jan–Mar 2025, Jan.-Mar.",
         "January to March, January to March twenty twenty-five,"
         " January to March."),
        ("Open Jan-Mar only", "Open January to March only"),
        ("January - March, Mar-a-Lago", "January to March, Mar-a-Lago"),
        ("May 5th–7th, 5th-7th grade", "May fifth to seventh, fifth to seventh grade"),
        ("06:30h, UTC-5, GMT+05:30", "six thirty, U T C minus five, G M T plus five thirty"),
        ("a ratio of 1:10, at 1:10", "a ratio of one to ten, at one ten"),
        ("at 9am EST. est. 1990", "at nine A M EST. established nineteen ninety"),
        ("8:30-9, 9:30-10:15", "eight thirty to nine, nine thirty to ten fifteen"),
        ("05/12, 08/15, chapters IV-VI", "May twelfth, August fifteenth, chapters four to six"),
        # What is counted and measured
        ("$5 - 10, $10 - 5, 3x-5x, 1000:1",
         "five to ten dollars, ten dollars minus five, three times"
         " to five times, one thousand to one"),
        ("-10–-5, -5–-10 °C", "minus ten to minus five, minus five to minus ten degrees Celsius"),
        ("3×10⁸ m/s, x² m", "three times ten to the power of eight meters per second, x squared m"),
        ("1.5m people, 2m new users", "one point five million people, two million new users"),
        ("12m Americans, 5m high walls", "twelve million Americans, five meters high walls"),
        ("1,000s of ants, ₹5 lakh, Rs. 500",
         "thousands of ants, five lakh rupees, five hundred rupees"),
        ("1/10th, a 50-50 split", "one tenth, a fifty fifty split"),
        ('27" monitor, 3.5" disk', "twenty-seven inch monitor, three point five inch disk"),
        ('"I am 27" he said', '"I am twenty-seven" he said'),
        ("10'x12', 5'-10\", 5' 11½\"",
         "ten feet by twelve feet, five feet ten inches, five feet eleven"
         " and one half inches"),
        ("3'20\", 6 ft 2 in, 12 fl oz",
         "three minutes twenty seconds, six feet two inches, twelve fluid"
         " ounces"),
        ("(x−1), |−5|", "(x minus one), |minus five|"),
    ],
)  # fmt: skip
def test_english(text: str, said: str) -> None:
    assert make_verbalizer(LANGUAGES["english"]).verbalize(text) == said


def test_what_abbreviates_the_word_of_an_amount_does_not_end_a_sentence() -> None:
    text = "It is est. $5, or Rs. 5, in vol. I, too. Go on."
    assert next(text[:end] for end in find_sentences(text)) == text[:-7]
