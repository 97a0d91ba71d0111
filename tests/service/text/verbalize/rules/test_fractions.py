"""What has a slash between two numbers: fractions, ratings, dates."""

from __future__ import annotations

from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.verbalizer import make_verbalizer
from tests.rows import for_each


@for_each(
    ("text", "said"),
    [
        ("3/100, 85/100", "three one hundredths, eighty-five out of one hundred"),
        ("1/2 kg, 1½ kg", "one half kilogram, one and one half kilograms"),
    ],
)
def test_fractions(text: str, said: str) -> None:
    assert make_verbalizer(LANGUAGES["english"]).verbalize(text) == said
