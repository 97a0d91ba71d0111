"""The default model is held to the settings' defaults before its weights are loaded."""

from __future__ import annotations

import dataclasses
import logging

import pytest

from qwen_tts_api.config import Config
from qwen_tts_api.errors import ConfigError
from qwen_tts_api.service.assembly import (
    build_service,
    check_default_model,
    check_defaults,
    prepare_wording,
)
from qwen_tts_api.service.text.verbalize.verbalizer import make_verbalizer
from tests.fakes import CUSTOM_VOICE, VOICE_DESIGN


def test_building_loads_nothing() -> None:
    """Not before `start`."""
    status = build_service(Config()).status()
    assert not status.ready
    assert set(status.models.values()) == {"not loaded"}


def test_defaults_that_the_model_has_are_accepted() -> None:
    """By name or alias; a model without speakers has no default one."""
    by_name = Config(default_speaker="Uncle_fu", default_language="DE")
    aliased = Config(default_speaker="x", speaker_aliases=(("X", "Serena"),))
    for config, card in (
        (Config(), CUSTOM_VOICE),
        (by_name, CUSTOM_VOICE),
        (aliased, CUSTOM_VOICE),
        (Config(), VOICE_DESIGN),
    ):
        assert check_defaults(config, card) is None


def test_a_wrong_default_is_refused() -> None:
    """With the setting's name, its value and what is allowed."""
    with pytest.raises(ConfigError, match=r"QWEN_DEFAULT_SPEAKER='Bob' .* Serena, Uncle_Fu, Ryan"):
        check_defaults(Config(default_speaker="Bob"), CUSTOM_VOICE)
    with pytest.raises(ConfigError, match=r"QWEN_DEFAULT_LANGUAGE: .*'ja'.*German"):
        check_defaults(Config(default_language="ja"), CUSTOM_VOICE)


def test_the_shipped_default_is_no_promise(caplog: pytest.LogCaptureFixture) -> None:
    """A fine-tuned checkpoint speaks with its own voice, and a warning says so."""
    caplog.set_level(logging.WARNING)
    own = dataclasses.replace(CUSTOM_VOICE, speakers=("narrator",))
    assert check_defaults(Config(), own) == "Narrator"
    check_default_model(Config(), own)
    assert caplog.messages == ["the model has no speaker Ryan; the default is Narrator"]


def test_patterns_are_compiled_before_the_first_text() -> None:
    """Of the languages that may be spoken, if each text needs them."""
    letters = dataclasses.replace(CUSTOM_VOICE, letters_only=True, languages=("english",))
    for config, card, count in (
        (Config(), CUSTOM_VOICE, 0),
        (Config(normalize_text=False), letters, 0),
        (Config(), letters, 1),
        (Config(default_language="de"), letters, 0),  # another model's
        (Config(normalize_text="full"), CUSTOM_VOICE, 4),
        (Config(normalize_text="full", default_language="de"), CUSTOM_VOICE, 1),
    ):
        make_verbalizer.cache_clear()
        thread = prepare_wording(config, card)
        assert (thread is not None) == bool(count)
        if thread is not None:
            thread.join()
        assert make_verbalizer.cache_info().currsize == count
