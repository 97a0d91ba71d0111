"""What is counted: which of several readings of digits and signs holds."""

from __future__ import annotations

from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.rules.counts import verse_rule
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
    rule = verse_rule()
    match = rule.pattern.match(text)
    assert bool(match and rule.say(match, LANGUAGES["english"])) == is_verses


@for_each(
    ("text", "said"),
    [
        ("39°54'", "thirty-nine degrees fifty-four minutes"),
        ("30° angle", "thirty degrees angle"),
        ("3/100, 85/100", "three one hundredths, eighty-five out of one hundred"),
        ("1/2 kg, 1½ kg", "one half kilogram, one and one half kilograms"),
    ],
)
def test_angles_and_fractions(text: str, said: str) -> None:
    assert make_verbalizer(LANGUAGES["english"]).verbalize(text) == said
