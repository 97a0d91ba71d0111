"""What has to be there before the start is told of in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_tts_api.errors import ConfigError
from qwen_tts_api.server.starting import check_heartbeat_folder


def test_a_folder_for_the_heartbeat_that_cannot_be_written(tmp_path: Path) -> None:
    """As `/dev/shm` where the root is read-only and no tmpfs is mounted there."""
    check_heartbeat_folder(tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", Path("/proc/self"), tmp_path / "missing"):
        with pytest.raises(ConfigError, match=f"^{folder} cannot be written: .*tmpfs"):
            check_heartbeat_folder(folder)
