"""What has to be there before the start is told of in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from gunicorn.config import Config as GunicornConfig

from qwen_tts_api.config import Config
from qwen_tts_api.errors import ConfigError
from qwen_tts_api.server.starting import WORKER_CLASS, check_heartbeat_folder, check_start


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, ""),
        ({"timeout": 30, "certfile": "a.pem"}, ""),
        ({"workers": 4}, "workers=4: each would load the model"),
        ({"worker_class": "sync"}, "worker_class"),
        ({"preload_app": True}, "preload_app"),
        ({"reload": True}, "reload"),
    ],
)
def test_one_worker_has_the_model(given: dict[str, object], told: str) -> None:
    """Whatever habit, or a variable of the environment, says to gunicorn."""
    cfg = GunicornConfig()
    for name, value in {"workers": 1, "worker_class": WORKER_CLASS, **given}.items():
        cfg.set(name, value)
    if not told:
        check_start(Config(), cfg)
        return
    with pytest.raises(ConfigError, match=told):
        check_start(Config(), cfg)


def test_a_folder_for_the_heartbeat_that_cannot_be_written(tmp_path: Path) -> None:
    """As `/dev/shm` where the root is read-only and no tmpfs is mounted there."""
    check_heartbeat_folder(tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", Path("/proc/self"), tmp_path / "missing"):
        with pytest.raises(ConfigError, match=f"^{folder} cannot be written: .*tmpfs"):
            check_heartbeat_folder(folder)
