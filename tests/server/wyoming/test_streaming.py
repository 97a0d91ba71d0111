"""A text that comes in pieces: its audio begins before its end, and no client waits for ever."""

from __future__ import annotations

import socket
import threading

import pytest
from wyoming.error import Error
from wyoming.event import Event
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeVoice,
)

from qwen_tts_api.server.wyoming import connection
from tests.conftest import Bench, wait_until
from tests.server.wyoming.conftest import Start, outcomes
from tests.server.wyoming.home_assistant import (
    HANG_S,
    connected,
    exchange,
    read_until,
    run,
    stream,
)

START, STOP = SynthesizeStart().event(), SynthesizeStop().event()
WHOLE = ["audio-start", "audio-chunk", "audio-stop", "synthesize-stopped"]


def chunk(text: str) -> Event:
    return SynthesizeChunk(text=text).event()


def prompts(bench: Bench) -> list[str]:
    return [prompt.text for prompt in bench.runner.prompts]


def test_a_text_in_pieces(start: Start) -> None:
    """One `audio-start` for all; the text that comes once more as a whole is not spoken again."""
    bench, server = start()
    types, samples = stream(server.address, ["Hel", "lo. ", "How are", " you?"])
    assert types == WHOLE
    assert "".join(prompts(bench)).replace(" ", "") == "Hello.Howareyou?"
    assert samples
    wait_until(lambda: outcomes(bench) == {("synthesize-start", "ok"): 1})


def test_a_voice_for_all(start: Start) -> None:
    bench, server = start()
    stream(server.address, ["Hello. ", "How are you?"], SynthesizeVoice(name="Serena"))
    assert {prompt.speaker for prompt in bench.runner.prompts} == {"serena"}


def test_it_is_spoken_before_it_is_whole(start: Start) -> None:
    """The first sentence, while the client still writes."""
    _, server = start()

    async def talk() -> tuple[list[Event], list[Event]]:
        async with connected(server.address) as client:
            await client.write_event(START)
            await client.write_event(chunk("Hello there, how are you? And"))
            first = await read_until(client, "audio-chunk")
            await client.write_event(Event("ping"))
            await client.write_event(STOP)
            return first, await read_until(client, "synthesize-stopped")

    first, rest = run(talk())
    assert [event.type for event in first] == ["audio-start", "audio-chunk"]
    types = [event.type for event in rest]
    assert "pong" in types
    assert "audio-start" not in types
    assert types[-2:] == ["audio-stop", "synthesize-stopped"]


@pytest.mark.parametrize("texts", [[], [""], [" \n"]])
def test_no_text(start: Start, texts: list[str]) -> None:
    """Home Assistant waits for this alone."""
    _, server = start()
    assert stream(server.address, texts) == (["synthesize-stopped"], b"")


def test_the_connection_is_kept(start: Start) -> None:
    """For another text, of either kind."""
    _, server = start()

    async def talk() -> list[str]:
        async with connected(server.address) as client:
            types = []
            for _ in range(2):
                for event in (START, chunk("Hi."), Synthesize(text="Hi.").event(), STOP):
                    await client.write_event(event)
                types += [each.type for each in await read_until(client, "synthesize-stopped")]
            await client.write_event(Synthesize(text="Hi.").event())
            types += [each.type for each in await read_until(client, "audio-stop")]
        return types

    types = run(talk())
    assert types.count("audio-start") == types.count("audio-stop") == 3
    assert types.count("synthesize-stopped") == 2


def test_a_stop_without_a_start(start: Start) -> None:
    """Whoever waits for the answer gets it."""
    _, server = start()
    assert [each.type for each in exchange(server.address, STOP, last="synthesize-stopped")]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ([SynthesizeStart().event(), START], "invalid_request"),
        ([START, Event("synthesize-chunk", {"text": 1})], "invalid_request"),
        ([START, chunk("x" * 5000)], "text_too_long"),
        ([Event("synthesize-start", {"voice": {"language": "sv"}})], "unknown_language"),
    ],
)
def test_an_error_ends_the_connection(start: Start, sent: list[Event], code: str) -> None:
    bench, server = start()
    received = exchange(server.address, *sent)
    assert Error.from_event(received[-1]).code == code
    assert "synthesize-stopped" not in [event.type for event in received]
    wait_until(lambda: sum(outcomes(bench).values()) == 1)
    wait_until(lambda: server.num_busy == 0)


def test_a_failure_while_text_is_awaited(start: Start) -> None:
    """The client is told at once, not when it sends more."""
    bench, server = start()
    bench.runner.error = RuntimeError("a lost frame")
    received = exchange(server.address, START, chunk("Hello there. How are you?"))
    assert Error.from_event(received[-1]).code == "synthesis_failed"
    wait_until(lambda: outcomes(bench) == {("synthesize-start", "synthesis_failed"): 1})


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_client_that_leaves_is_cancelled(start: Start, is_stopped: bool) -> None:
    """Before the end of its text, and behind it."""
    bench, server = start()
    bench.runner.hang = threading.Event()  # no audio comes that could not be sent
    stop = b'{"type": "synthesize-stop"}\n' if is_stopped else b""
    with socket.create_connection(server.address, HANG_S) as client:
        client.sendall(
            b'{"type": "synthesize-start"}\n'
            b'{"type": "synthesize-chunk", "data": {"text": "Hello there. How are you?"}}\n' + stop
        )
        wait_until(lambda: bench.service.status().running == 1)
        assert server.num_busy == 1
    wait_until(lambda: outcomes(bench) == {("synthesize-start", "client_left"): 1})
    wait_until(lambda: server.num_busy == 0)
    bench.runner.hang.set()
    wait_until(lambda: bench.service.status().running == 0)


def test_shutdown(start: Start) -> None:
    """What has come is spoken to its end."""
    bench, server = start()
    bench.runner.gate.clear()
    with socket.create_connection(server.address, HANG_S) as client:
        client.sendall(
            b'{"type": "synthesize-start"}\n'
            b'{"type": "synthesize-chunk", "data": {"text": "Hello there. How are you?"}}\n'
        )
        wait_until(lambda: bench.service.status().running == 1)
        bench.service.drain()
        server.drain()
        bench.runner.gate.set()
        received = b""
        while b"synthesize-stopped" not in received:
            data = client.recv(65_536)
            assert data, received[-200:]
            received += data
    assert received.count(b"audio-start") == 1
    wait_until(lambda: server.num_busy == 0)


def test_a_client_that_says_nothing_more(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text ends, and then its connection."""
    monkeypatch.setattr(connection, "MIN_WAIT_S", 0.05)
    _, server = start(live_silence_s=0.1, keepalive_s=0)

    async def talk() -> list[Event]:
        async with connected(server.address) as client:
            await client.write_event(START)
            await client.write_event(chunk("Hello there"))
            return await read_until(client)

    assert run(talk())[-1].type == "synthesize-stopped"
