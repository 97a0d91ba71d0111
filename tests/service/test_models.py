"""Names of speakers are compared without case, and shown as they are spelled."""

from __future__ import annotations

import pytest

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.checkpoints.special_codes import SpecialCodes
from qwen_tts_api.config import Config
from qwen_tts_api.names import fold
from qwen_tts_api.service.models import default_speaker, display_name, find_speaker

CARD = ModelCard("custom_voice", "1b7", ("Test_Man", "uncle_fu", "JÜRGEN"), {}, ("english",))


@pytest.mark.parametrize("requested", ["Test_Man", "test_man", " TEST_MAN ", "Tester"])
def test_a_speaker_with_capitals(requested: str) -> None:
    """As upstream's fine-tuning writes it; also by an alias, whatever the case of either."""
    aliases = Config(speaker_aliases=(("tESTER", "test_MAN"),)).speakers_by_alias
    speaker = find_speaker(requested, CARD, aliases)
    assert speaker == "Test_Man"
    assert display_name(speaker) == "Test_Man"


def test_other_alphabets_and_codes_of_accents() -> None:
    """A letter and its accent may be one character or two."""
    assert find_speaker("ju\u0308rgen", CARD, {}) == "JÜRGEN"
    assert fold("STRASSE") == fold("straße")


def test_published_names_are_shown_as_published() -> None:
    assert display_name("uncle_fu") == "Uncle_Fu"


def test_the_first_speaker_stands_in() -> None:
    assert default_speaker("Ryan", CARD, {}) == "Test_Man"


def test_the_model_finds_the_speaker_and_the_dialect() -> None:
    """Whatever the case in config.json: of the speaker, in either place, and of the dialect."""
    talker = {
        "spk_id": {"Test_Man": 3000},
        "spk_is_dialect": {"test_MAN": "Beijing_Dialect"},
        "codec_language_id": {"Chinese": 2055, "beijing_dialect": 2074},
        **{f"codec_{name}_id": 2148 for name in ("pad", "bos", "think", "nothink")},
        **{f"codec_{name}_id": 2148 for name in ("think_bos", "think_eos", "eos_token")},
    }
    special = SpecialCodes.read(talker)
    assert special.speaker_id("test_man") == special.speaker_id("Test_Man") == 3000
    assert special.tag("chinese", "Test_Man")[2] == 2074
    assert special.tag("chinese", None)[2] == 2055
