"""`bench.frame_cost`: what is counted, and how many kernels each part may take."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
import torch
from torch.nn import functional

from bench import frame_cost
from bench.launches import Launches

MOST = {"frame": 600, "chunk": 200, "prefill": 180}
"""Kernels of a fused part."""


@torch.inference_mode()
def test_kernels_are_counted_and_nothing_else() -> None:
    """No view, no allocation, nothing on the host; what is made of others, by those."""
    x = torch.empty(4, 8, dtype=torch.bfloat16, device="meta")
    table = torch.empty(1000, 8, dtype=torch.bfloat16, device="meta")
    with Launches().recording() as launches:
        view = x.view(2, 16).transpose(0, 1)[1:].unsqueeze(0)
        torch.empty_like(view)
        torch.ones(3).add(1)
        functional.silu(x)
        functional.rms_norm(x, (8,), None, 1e-6)
        functional.embedding(torch.empty(4, dtype=torch.int64, device="meta"), table)
        x.flatten(0, 1)
        x.t().flatten(0, 1)
    counted = Counter(launch.name for launch in launches.all)
    assert counted == {"silu": 1, "rms_norm": 1, "embedding": 1, "clone": 1}
    [embedding] = [each for each in launches.all if each.name == "embedding"]
    assert embedding.num_bytes == 4 * 8 + 2 * 4 * 8 * 2  # the indices, and rows read and written


@pytest.fixture(scope="module", params=["1.7b", "0.6b"])
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the figures of a published size."""
    return frame_cost.measure(request.param, 1, "h200")


@pytest.mark.bench
def test_a_published_size_takes_no_more_kernels_than_it_may(document: dict[str, Any]) -> None:
    """A plain frame launches three thousand; a fused one reads the same weights."""
    plain = document["plain"]
    assert 2500 < plain["frame_kernels"] < 3300
    for part in document["fused"]:
        assert document[f"{part}_kernels"] <= MOST[part]
        assert document[f"{part}_bytes"] <= plain[f"{part}_bytes"]
    smallest, largest = {"1.7b": (5.2e9, 5.4e9), "0.6b": (3.2e9, 3.5e9)}[document["model"]]
    assert smallest < document["frame_bytes"] < largest


@pytest.mark.bench
def test_predictions_are_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the GPU that was asked for."""
    assert frame_cost.main(["nano", "--slots=4", "--gpu=rtx4090", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["predicted"]["bandwidth_gb_s"] == 1008
    expected = document["frame_bytes"] / 1008e6
    assert document["predicted"]["frame"]["bandwidth_ms"] == pytest.approx(expected, abs=1e-3)
    assert "nothing is timed" in document["counted"]
    assert frame_cost.main(["nano"]) == 0
    assert "Predicted for h200 in ms, not measured" in capsys.readouterr().out
