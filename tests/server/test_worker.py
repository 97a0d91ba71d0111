"""How the worker's process ends; tests/suites/server/test_shutdown.py has real ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from qwen_tts_api.routes import EXTENSION, SOCKETS
from qwen_tts_api.server import worker as module
from qwen_tts_api.server.worker import QwenWorker


@pytest.mark.parametrize("is_answering", [False, True])
def test_only_what_is_still_answered_is_late(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, is_answering: bool
) -> None:
    """What has its answer may count as running for one more step of the engine."""
    monkeypatch.setattr(module, "_exit", lambda: None)
    service = Mock(status=lambda: SimpleNamespace(running=1))
    told_to_end: Any = SimpleNamespace(
        alive=False,
        wyoming=None,
        wsgi=Mock(extensions={EXTENSION: service, SOCKETS: Mock()}),
        _handler=Mock(),
        _loop=Mock(busy=[]),
        _config=Mock(graceful_timeout_s=0),
        _is_answering=lambda: is_answering,
    )
    QwenWorker.run(told_to_end)
    assert ("did not end within QWEN_GRACEFUL_TIMEOUT_S" in caplog.text) is is_answering
    service.close.assert_called_once()
