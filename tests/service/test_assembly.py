"""The default model is held to the settings' defaults before its weights are loaded."""

from __future__ import annotations

import dataclasses
import logging

import pytest

from qwen_tts_api.config import Config
from qwen_tts_api.errors import ConfigError
from qwen_tts_api.service.assembly import build_service, check_defaults
from tests.fakes import CUSTOM_VOICE, VOICE_DESIGN


def test_building_loads_nothing() -> None:
    """Not before `start`."""
    status = build_service(Config()).status()
    assert not status.ready
    assert set(status.models.values()) == {"not loaded"}


def test_defaults_that_the_model_has_are_accepted(caplog: pytest.LogCaptureFixture) -> None:
    """By name or alias; a model without speakers has no default one."""
    check_defaults(Config(), CUSTOM_VOICE)
    check_defaults(Config(default_speaker="Uncle_fu", default_language="DE"), CUSTOM_VOICE)
    aliased = Config(default_speaker="x", speaker_aliases=(("X", "Serena"),))
    check_defaults(aliased, CUSTOM_VOICE)
    check_defaults(Config(), VOICE_DESIGN)
    assert not caplog.records


def test_a_wrong_default_is_refused() -> None:
    """With the setting's name, its value and what is allowed."""
    with pytest.raises(ConfigError, match=r"QWEN_DEFAULT_SPEAKER='Bob' .* Serena, Uncle_Fu, Ryan"):
        check_defaults(Config(default_speaker="Bob"), CUSTOM_VOICE)
    with pytest.raises(ConfigError, match=r"QWEN_DEFAULT_LANGUAGE: .*'ja'.*German"):
        check_defaults(Config(default_language="ja"), CUSTOM_VOICE)


def test_the_shipped_default_is_no_promise(caplog: pytest.LogCaptureFixture) -> None:
    """A fine-tuned checkpoint speaks with its own voice, and a warning says so."""
    caplog.set_level(logging.WARNING)
    check_defaults(Config(), dataclasses.replace(CUSTOM_VOICE, speakers=("narrator",)))
    assert "Narrator" in caplog.text
