"""What is counted: which of several readings of digits and signs holds."""

from __future__ import annotations

from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.verbalizer import make_verbalizer
from tests.rows import for_each


@for_each(
    ("text", "said"),
    [
        ("39°54'", "thirty-nine degrees fifty-four minutes"),
        ("rent per m², in km²", "rent per square meter, in square kilometers"),
        ("E = mc², 2 = m² + 1", "E equals mc squared, two equals m squared plus one"),
        ("30° angle", "thirty degrees angle"),
    ],
)
def test_angles_and_areas(text: str, said: str) -> None:
    assert make_verbalizer(LANGUAGES["english"]).verbalize(text) == said
