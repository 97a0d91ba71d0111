"""Options that stand for settings are handed on as values."""

from __future__ import annotations

import os

import click
import pytest
from click.testing import CliRunner

from qwen_tts_api.cli.settings import read_settings, setting_options


def test_options_are_an_argument_and_not_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those that were given; the process's own environment stays as it is."""
    monkeypatch.setenv("QWEN_DTYPE", "float16")
    before = dict(os.environ)
    given: list[dict[str, str]] = []

    @click.command()
    @setting_options("device", "dtype", "model_id")
    def command(options: dict[str, str]) -> None:
        given.append(options)

    for arguments in ([], ["--model", "nano", "--device", "cuda"]):
        result = CliRunner().invoke(command, arguments)
        assert result.exit_code == 0, result.output
    assert given == [{}, {"QWEN_DEVICE": "cuda", "QWEN_MODEL_ID": "nano"}]
    assert dict(os.environ) == before


def test_options_go_before_the_environment_and_that_before_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QWEN_DTYPE", "float16")
    monkeypatch.setenv("QWEN_DEVICE", "cpu")
    options = {"QWEN_DEVICE": "cuda:1"}
    defaults = {"QWEN_DEVICE": "cuda:2", "QWEN_DTYPE": "float32", "QWEN_MAX_STREAMS": "4"}
    config = read_settings(options, defaults)
    assert (config.device, config.dtype, config.max_streams) == ("cuda:1", "float16", 4)
    with pytest.raises(click.ClickException, match="QWEN_DTYPE='int8' is not allowed"):
        read_settings({"QWEN_DTYPE": "int8"})
