"""LiveKit's and Pipecat's own clients of ElevenLabs' sockets, with a real server.

They are in an environment of their own: `make test-voice-agents`.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import requests

from bench.server import Server
from tests.clients.agents.turns import Heard, Turn
from tests.conftest import Serve

pytestmark = [
    pytest.mark.agents,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # importing Pipecat gives several
]

KEY = "alice-0123456789abcdef"
TEXT = "Hello, I am here now."
LONG = Turn("This is a text of many words that somebody interrupts. " * 9, interrupted=True)

Speak = Callable[..., list[Heard]]


@pytest.fixture(scope="module")
def server(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Return a server that wants a key."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(KEY)
    return serve(QWEN_API_KEYS_FILE=str(keys))


AGENTS = ("livekit", "pipecat")


def module_of(agent: str) -> Any:
    """Return what has an agent speak; it imports packages that only this environment has."""
    return importlib.import_module(f"tests.clients.agents.{agent}_agent")


@pytest.fixture(params=AGENTS)
def speak(request: pytest.FixtureRequest) -> Speak:
    """Return what has an agent speak turns."""

    def speak(server: Server, *turns: Turn, api_key: str = KEY) -> list[Heard]:
        speaking = module_of(request.param).speak(server.url, api_key, turns)
        heard: list[Heard] = asyncio.run(speaking)
        return heard

    return speak


@pytest.fixture(scope="module")
def num_bytes(server: Server) -> int:
    """Return how many bytes `TEXT` has over HTTP: as many with any seed."""
    path = "/v1/text-to-speech/Serena?output_format=pcm_24000"
    headers = {"xi-api-key": KEY}
    return len(requests.post(server.url + path, json={"text": TEXT}, headers=headers).content)


def assert_is_whole(heard: Heard, num_bytes: int) -> None:
    assert not heard.error
    assert (len(heard.audio), heard.sample_rate_hz) == (num_bytes, 24_000)
    assert " ".join(word for word, _ in heard.words) == TEXT
    assert len({begin_s for _, begin_s in heard.words}) > 3


def test_words_and_their_times(speak: Speak, server: Server, num_bytes: int) -> None:
    (heard,) = speak(server, Turn(TEXT))
    assert_is_whole(heard, num_bytes)


def test_a_listener_who_interrupts(speak: Speak, server: Server, num_bytes: int) -> None:
    """What follows is all there, and nothing of what was interrupted is in it."""
    interrupted, after = speak(server, LONG, Turn(TEXT))
    assert not interrupted.error
    assert 0 < len(interrupted.audio) < 4 * num_bytes  # of twenty times as many
    # Pipecat's words would be mixed with those that were still on the way.
    assert (len(after.audio), after.error) == (num_bytes, "")


def test_nothing_to_say(speak: Speak, server: Server, num_bytes: int) -> None:
    """It ends, and hinders nothing that follows."""
    empty, emoji, after = speak(server, Turn(""), Turn("🙂"), Turn(TEXT))
    assert (len(empty.audio), empty.error, emoji.error) == (0, "", "")
    assert len(emoji.audio) < num_bytes / 2  # a short silence
    assert_is_whole(after, num_bytes)


def test_a_refused_key(speak: Speak, server: Server) -> None:
    (heard,) = speak(server, Turn(TEXT), api_key="wrong")
    assert not heard.audio
    assert "401" in heard.error


def test_a_server_that_is_gone(serve: Serve) -> None:
    """Both agents are told, and wait for nothing."""
    server = serve()
    worker = server.worker()
    listening: list[str] = []

    def listen(agent: str) -> None:
        listening.append(agent)
        if len(listening) == len(AGENTS):
            server.kill()
            os.kill(worker, signal.SIGKILL)

    async def speak_all() -> list[list[Heard]]:
        speaking = []
        for agent in AGENTS:
            turn = Turn(LONG.text, on_audio=partial(listen, agent))
            speaking.append(module_of(agent).speak(server.url, KEY, [turn]))
        heard: list[list[Heard]] = await asyncio.gather(*speaking)
        return heard

    for (heard,) in asyncio.run(speak_all()):
        assert heard.audio
        assert heard.error
