"""A browser plays audio that says who made it: whole files, and streams of unknown length."""

from __future__ import annotations

import pytest

from bench.server import Server
from qwen_tts_api.audio import FORMATS
from tests.browser.conftest import Browser

DECODE = """
const [path, done] = arguments;
fetch(path)
  .then((response) => response.arrayBuffer())
  .then((data) => new OfflineAudioContext(1, 1, 24000).decodeAudioData(data))
  .then((audio) => done(audio.duration), (error) => done(String(error)));
"""

# Chromium plays neither of the two.
PLAYED = [
    name for name, entry in FORMATS.items() if entry.has_header and name not in ("au", "aiff")
]


@pytest.mark.parametrize("stream", ["false", "true"])
def test_chromium_decodes_every_format(browser: Browser, server: Server, stream: str) -> None:
    """All of it: what is said of the audio is no part of it."""
    browser.get(server.url)
    path = "/api/tts?text=Hi%20there&seed=1"
    plain_s = float(server.get(path).headers["X-Audio-Duration"])
    heard_s = {
        name: browser.execute_async_script(DECODE, f"{path}&audio_format={name}&stream={stream}")
        for name in PLAYED
    }
    # MP3 has silence around it.
    assert heard_s == pytest.approx(dict.fromkeys(PLAYED, plain_s), abs=0.12)
