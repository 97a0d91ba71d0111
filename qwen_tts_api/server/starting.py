"""Checks before the start: the address is free, the heartbeat file can be written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from qwen_tts_api.config import Config
from qwen_tts_api.errors import ConfigError
from qwen_tts_api.server.listening import listen

WORKER_CLASS = "qwen_tts_api.server.worker.QwenWorker"


def check_start(config: Config, cfg: Any) -> None:
    """Check what gunicorn would retry, or fail over with a traceback.

    Args:
        cfg: gunicorn's settings.

    Raises:
        ConfigError: The address cannot be listened on, there is no place for the heartbeat, or
            gunicorn was given other workers than the one that has the model.
    """
    _check_worker(cfg)
    # Under socket activation (systemd), the sockets are open already.
    if "LISTEN_FDS" not in os.environ and cfg.bind == [config.bind]:
        listen("QWEN_BIND", config.bind).close()
    check_heartbeat_folder(Path(cfg.worker_tmp_dir or tempfile.gettempdir()))


def _check_worker(cfg: Any) -> None:
    """Check what options of gunicorn replace (`--workers`, GUNICORN_CMD_ARGS)."""
    if cfg.workers != 1:
        raise ConfigError(
            f"gunicorn was given workers={cfg.workers}: each would load the model. One serves many "
            "requests at once (QWEN_MAX_STREAMS)."
        )
    if cfg.worker_class_str != WORKER_CLASS or cfg.preload_app or cfg.reload:
        raise ConfigError(
            "gunicorn was given worker_class, preload_app or reload: leave them as they are."
        )


def check_heartbeat_folder(folder: Path) -> None:
    """Check that the worker's heartbeat file can be created.

    Raises:
        ConfigError: The folder cannot be written.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written: {error.strerror}. The worker's heartbeat is a file "
            "there: mount it as a tmpfs (docker: --shm-size; Kubernetes: an emptyDir in memory)."
        ) from error
