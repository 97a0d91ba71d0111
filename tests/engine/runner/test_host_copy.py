"""Results come to the host in copies of their own, for which it sleeps."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor

from qwen_tts_api.engine.runner.host_copy import HostCopy
from tests.engine.fake_cuda import Stream


def test_a_copy_is_waited_for_asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA's default looks again and again, on a core that others could have."""
    events: list[dict[str, bool]] = []

    class Event(Stream):
        def __init__(self, **options: bool) -> None:
            events.append(options)

    empty: Any = torch.empty
    monkeypatch.setattr(
        torch, "empty", lambda shape, *, dtype, pin_memory: empty(shape, dtype=dtype)
    )
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(Tensor, "record_stream", lambda tensor, stream: None)
    static, stream = torch.arange(3), Stream()
    copy = HostCopy(static, stream)  # type: ignore[arg-type]
    static.fill_(7)  # as the next replay does
    assert copy.wait().tolist() == [0, 1, 2]
    assert events == [{"blocking": True}]
