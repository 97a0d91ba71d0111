"""A real server for real clients: gunicorn, the real model code, nano checkpoints."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.server import Server, free_port
from tests.conftest import Serve


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, serve_shared: Serve) -> Iterator[Server]:
    """Return a ready server with a model of each kind, that the tests of this folder share."""
    server = serve_shared(
        QWEN_MODELS="nano-design,nano-base",
        QWEN_MAX_LOADED_MODELS="3",
        QWEN_VOICES_DIR=str(tmp_path_factory.mktemp("voices")),
        QWEN_CORS_ORIGINS="http://localhost:3000",  # Amica's
        QWEN_SPEAKER_ALIASES="p376=Ryan,p225=Serena",
        QWEN_MAX_STREAMS="4",
        QWEN_WYOMING_BIND=f"127.0.0.1:{free_port()}",
        # A long text is one long job then, which goes on whether or not its audio is read.
        QWEN_MAX_SEGMENT_CHARS="100000",
    )
    yield server
    assert server.stop() == 0
