"""A real server for real clients: gunicorn, the real model code, nano checkpoints."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.server import Server
from tests.conftest import wait_until


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a ready server with a model of each kind, that the tests of this folder share."""
    folder = tmp_path_factory.mktemp("server")
    server = Server(
        folder / "log",
        QWEN_MODELS="nano-design,nano-base",
        QWEN_MAX_LOADED_MODELS="3",
        QWEN_VOICES_DIR=str(folder / "voices"),
        QWEN_CORS_ORIGINS="http://localhost:3000",  # Amica's
        QWEN_SPEAKER_ALIASES="p376=Ryan,p225=Serena",
        QWEN_MAX_STREAMS="4",
        # A long text is one long job then, which goes on whether or not its audio is read.
        QWEN_MAX_SEGMENT_CHARS="100000",
    )
    try:
        wait_until(server.is_ready, 120)
        yield server
        assert server.stop() == 0
    finally:
        server.kill()
