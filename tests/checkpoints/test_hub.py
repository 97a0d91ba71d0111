"""A hub that does not answer."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from huggingface_hub import constants

from qwen_tts_api.checkpoints import hub
from qwen_tts_api.errors import LoadError


def test_a_hub_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts the connection and is silent; huggingface_hub would wait for ever."""
    monkeypatch.setattr(hub, "TIMEOUT_S", 0.1)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", url)
        with pytest.raises(LoadError, match="The hub cannot be reached"):
            hub.fetch("Qwen/speaks")
