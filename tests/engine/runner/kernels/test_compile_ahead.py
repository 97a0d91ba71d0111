"""A first start compiles on all cores: in a process of its own, as kernels are interpreted here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tools.test_check_kernels import run_compiling


@pytest.mark.slow
def test_what_a_start_launches_is_compiled_before(tmp_path: Path) -> None:
    """Once for equal arguments, and again for a number that is 1; meanwhile nothing is launched."""
    pytest.importorskip("triton")
    said = run_compiling("tests.engine.runner.kernels.without_gpu", tmp_path)
    result = json.loads(said)
    assert result["found"] == ["double", "double"]
    assert result["parsing at once"] == 1
    assert result["found when they are compiled"] == 0
    # It goes as far as without a GPU it can.
    assert result["launched elsewhere"] == "0 collected, ['AttributeError']"
    assert "_attend_kernel" in result["ahead"]
    assert result["not ahead"] == []
