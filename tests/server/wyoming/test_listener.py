"""The port over a fake model: what Home Assistant asks for, and what must not hang it."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from typing import Any

import numpy as np
import pytest
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeVoice,
)

from qwen_tts_api.server.wyoming import listener
from qwen_tts_api.server.wyoming.listener import is_loopback
from tests.conftest import wait_until
from tests.fakes import SAMPLES_PER_FRAME
from tests.rows import for_each
from tests.server.wyoming.conftest import Start, outcomes
from tests.server.wyoming.home_assistant import (
    HANG_S,
    connected,
    describe,
    exchange,
    read_until,
    run,
    say,
)


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def test_one_shot(start: Start) -> None:
    """The voice that is asked for; the audio is that of HTTP."""
    bench, server = start()
    samples = say(server.address, "Hello.", SynthesizeVoice(name="Serena"))
    assert samples is not None
    assert len(samples) == 2 * SAMPLES_PER_FRAME * len("Hello.")
    assert bench.runner.prompts[-1].speaker == "serena"
    assert bench.runner.prompts[-1].language == "auto"
    pcm = bench.client.post("/api/tts", json={"text": "Hello.", "audio_format": "pcm"})
    assert pcm.data == samples
    wait_until(lambda: outcomes(bench) == {("synthesize", "ok"): 1})


def test_the_events_of_an_answer(start: Start) -> None:
    """One start; timestamps are positions; a client may ask again on its connection, and ping."""
    _, server = start()
    sent = [Ping(text="x").event(), Synthesize(text="Hello.").event(), Event("unknown")]
    pong, begin, *chunks, stop = exchange(server.address, *sent, last="audio-stop")
    assert Pong.from_event(pong).text == "x"
    first = AudioStart.from_event(begin)
    assert (first.rate, first.width, first.channels, first.timestamp) == (24_000, 2, 1, 0)
    position = 0
    for event in chunks:
        chunk = AudioChunk.from_event(event)
        assert (chunk.rate, chunk.width, chunk.channels) == (24_000, 2, 1)
        assert chunk.timestamp == position
        position += chunk.milliseconds
    assert position == 80 * len("Hello.")
    assert AudioStop.from_event(stop).timestamp == position


def test_a_connection_is_kept(start: Start) -> None:
    """Several requests on it, also such that do not wait for each other's answers."""
    _, server = start()

    async def talk() -> list[list[Event]]:
        async with connected(server.address) as client:
            for _ in range(2):
                await client.write_event(Synthesize(text="Hi").event())
            answers = [await read_until(client, "audio-stop") for _ in range(2)]
            await client.write_event(Event("describe"))
            return [*answers, await read_until(client, "info")]

    first, second, info = run(talk())
    assert types(first)[0] == types(second)[0] == "audio-start"
    assert types(info) == ["info"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"text": ""}, "text_required"),
        ({}, "text_required"),
        ({"text": 5}, "invalid_request"),
        ({"text": "x" * 5000}, "text_too_long"),
        ({"text": "Hi.", "voice": "Ryan"}, "invalid_request"),
        ({"text": "Hi.", "voice": {"name": ["Ryan"]}}, "invalid_request"),
        ({"text": "Hi.", "voice": {"language": "sv"}}, "unknown_language"),
    ],
)
def test_an_error_ends_the_connection(start: Start, data: dict[str, Any], code: str) -> None:
    """Home Assistant does not know the event, and would wait for the end of the audio."""
    bench, server = start()
    [event] = exchange(server.address, Event("synthesize", data), Event("ping"))
    assert event.type == "error"
    error = Error.from_event(event)
    assert error.code == code
    assert error.text
    wait_until(lambda: outcomes(bench) == {("synthesize", code): 1})
    assert say(server.address, "x" * 5000) is None


def test_a_failure_in_the_middle(start: Start) -> None:
    """What was made is sent, but no end of it."""
    bench, server = start()
    bench.runner.error = RuntimeError("a lost frame")
    *begun, last = exchange(server.address, Synthesize(text="Hello.").event())
    assert "audio-stop" not in types(begun)
    assert Error.from_event(last).code == "synthesis_failed"


def test_a_bug_is_told_and_logged(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench, server = start()
    monkeypatch.setattr(bench.service, "stream", lambda *_: 1 / 0)
    [event] = exchange(server.address, Synthesize(text="Hello.").event())
    assert Error.from_event(event).code == "internal_error"
    assert "ZeroDivisionError" in caplog.text
    assert outcomes(bench) == {("synthesize", "internal_error"): 1}


def test_nothing_to_say(start: Start) -> None:
    """A short silence: a client takes no audio for a failure."""
    _, server = start()
    samples = say(server.address, "***")
    assert samples
    assert not any(samples)


def test_ssml_is_not_read_aloud(start: Start) -> None:
    """Its tags, that is, even where texts are spoken as they are."""
    bench, server = start(normalize_text=False)
    event = Synthesize(text="<speak>Hello.</speak>", text_format="ssml").event()
    exchange(server.address, event, last="audio-stop")
    exchange(server.address, Synthesize(text="*Hello.*").event(), last="audio-stop")
    assert [prompt.text for prompt in bench.runner.prompts] == ["Hello.", "*Hello.*"]


SSML = '<speak>Hi <break time="1.5s"/> you.</speak>'
SECOND = np.zeros(24_000, "<i2").tobytes()


def test_ssml_is_honoured(start: Start) -> None:
    """And refused where it is not understood, which ends the connection."""
    bench, server = start()
    event = Synthesize(text=SSML, text_format="ssml").event()
    events = exchange(server.address, event, last="audio-stop")
    assert [prompt.text for prompt in bench.runner.prompts] == ["Hi", "you."]
    assert SECOND in b"".join(event.payload or b"" for event in events)
    for text, text_format, code in (
        ("<emphasis>Hi</emphasis>", "ssml", "invalid_ssml"),
        ("Hi", "markdown", "invalid_request"),
    ):
        [answer] = exchange(server.address, Synthesize(text=text, text_format=text_format).event())
        assert Error.from_event(answer).code == code


@pytest.mark.parametrize("size", [1, 7, 100])
def test_ssml_in_pieces_is_spoken_when_it_is_whole(start: Start, size: int) -> None:
    """Cut in its tags, too; the whole of it before the stop is passed over."""
    bench, server = start()
    pieces = [SSML[begin : begin + size] for begin in range(0, len(SSML), size)]
    begin = Event("synthesize-start", {"text_format": "ssml"})
    chunks = [Event("synthesize-chunk", {"text": piece}) for piece in pieces]
    rest = [Synthesize(text=SSML).event(), Event("synthesize-stop")]
    events = exchange(server.address, begin, *chunks, *rest, last="synthesize-stopped")
    assert types(events)[0] == "audio-start"
    assert types(events)[-2:] == ["audio-stop", "synthesize-stopped"]
    assert SECOND in b"".join(event.payload or b"" for event in events)
    assert [prompt.text for prompt in bench.runner.prompts] == ["Hi", "you."]
    wait_until(lambda: outcomes(bench) == {("synthesize-start", "ok"): 1})


def test_ssml_in_pieces_is_bounded_and_forgotten(start: Start) -> None:
    """An empty one is the end alone; one that is too long, or left behind, ends."""
    bench, server = start()
    begin = Event("synthesize-start", {"text_format": "ssml"})
    stop = Event("synthesize-stop")
    answer = exchange(server.address, begin, stop, last="synthesize-stopped")
    assert types(answer) == ["synthesize-stopped"]
    chunk = Event("synthesize-chunk", {"text": "x" * 3000})
    [error] = exchange(server.address, begin, chunk, chunk)
    assert Error.from_event(error).code == "text_too_long"
    with socket.create_connection(server.address, HANG_S) as client:
        client.sendall(b'{"type": "synthesize-start", "data": {"text_format": "ssml"}}\n')
    wait_until(lambda: sum(outcomes(bench).values()) == 3)
    assert {code for _, code in outcomes(bench)} == {"ok", "text_too_long", "client_left"}
    assert bench.runner.prompts == []


def test_garbage_ends_the_connection(start: Start) -> None:
    """With an error that says what the port is; HTTP is garbage, too."""
    _, server = start()
    with socket.create_connection(server.address, HANG_S) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b"".join(iter(lambda: client.recv(1000), b""))
    assert b"is it Wyoming?" in received


def test_a_client_that_leaves_is_cancelled(start: Start) -> None:
    """Home Assistant closes the connection when it is interrupted."""
    bench, server = start()
    bench.runner.hang = threading.Event()  # no audio comes that could not be sent
    with socket.create_connection(server.address, HANG_S) as client:
        # What came after the request is not waited for.
        client.sendall(b'{"type": "synthesize", "data": {"text": "Hi"}}\n{"type"')
        wait_until(lambda: bench.service.status().running == 1)
        assert server.num_busy == 1
    wait_until(lambda: outcomes(bench) == {("synthesize", "client_left"): 1})
    wait_until(lambda: server.num_busy == 0)
    bench.runner.hang.set()
    wait_until(lambda: bench.service.status().running == 0)


@pytest.mark.parametrize("sent", [b"", b'{"type"', b'{"type": "x", "data_length": 9}\n{'])
def test_a_client_that_sends_nothing_more(start: Start, sent: bytes) -> None:
    """Neither an event nor its rest is waited for longer than QWEN_CLIENT_TIMEOUT_S."""
    _, server = start(client_timeout_s=0.1)
    with socket.create_connection(server.address, HANG_S) as client:
        client.sendall(sent)
        assert client.recv(1000) == b""


def test_the_time_between_requests_is_the_keep_alive_timeout(start: Start) -> None:
    """0: a connection is closed after its answer."""
    _, server = start(keepalive_s=0)
    assert types(exchange(server.address, Event("describe"))) == ["info"]


def test_a_client_that_reads_nothing(start: Start) -> None:
    """It is cut off, and its work cancelled."""
    bench, server = start(client_timeout_s=0.1)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(server.address)
        client.sendall(b'{"type": "synthesize", "data": {"text": "%s"}}\n' % (b"x" * 2000))
        wait_until(lambda: outcomes(bench) == {("synthesize", "client_left"): 1})
    wait_until(lambda: bench.service.status().running == 0)


def test_an_idle_connection_makes_room(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that has been idle for longest; one that is answered is not closed."""
    monkeypatch.setattr(listener, "WYOMING_CONNECTIONS", 2)
    bench, server = start()
    bench.runner.gate.clear()
    with contextlib.ExitStack() as stack:
        busy, idle = (
            stack.enter_context(socket.create_connection(server.address, HANG_S)) for _ in range(2)
        )
        busy.sendall(b'{"type": "synthesize", "data": {"text": "Hi"}}\n')
        wait_until(lambda: server.num_busy == 1)
        assert describe(server.address) is not None
        assert idle.recv(1000) == b""
        bench.runner.gate.set()
        assert busy.recv(1000).startswith(b'{"type": "audio-start"')


def test_shutdown(start: Start) -> None:
    """What is answered goes on to its end; idle connections are closed, new ones refused."""
    bench, server = start()
    bench.runner.gate.clear()
    with contextlib.ExitStack() as stack:
        busy, idle = (
            stack.enter_context(socket.create_connection(server.address, HANG_S)) for _ in range(2)
        )
        busy.sendall(b'{"type": "synthesize", "data": {"text": "Hi"}}\n' * 2)
        wait_until(lambda: bench.service.status().running == 1)
        bench.service.drain()
        server.drain()
        assert idle.recv(1000) == b""
        wait_until(lambda: refuses(server.address))
        assert server.num_busy == 1
        bench.runner.gate.set()
        received = b"".join(iter(lambda: busy.recv(65_536), b""))
        assert received.count(b"audio-stop") == 1  # the second request is not begun
    wait_until(lambda: server.num_busy == 0)


def refuses(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, HANG_S).close()
    except ConnectionRefusedError:
        return True
    return False


def test_the_rate_limit_counts_addresses(start: Start) -> None:
    """Of requests for speech alone."""
    _, server = start(rate_limit=1)
    assert say(server.address, "Hi")
    assert describe(server.address) is not None
    [event] = exchange(server.address, Synthesize(text="Hi").event())
    assert Error.from_event(event).code == "rate_limited"


@pytest.mark.parametrize("log_text", [True, False])
def test_each_request_is_a_line_in_the_log(
    start: Start, caplog: pytest.LogCaptureFixture, log_text: bool
) -> None:
    caplog.set_level("INFO", "qwen_tts_api")
    bench, server = start(log_text=log_text)
    exchange(server.address, Synthesize(text="x" * 5000).event())
    wait_until(lambda: outcomes(bench))
    [line] = [each for each in caplog.records if each.getMessage().startswith("Wyoming synth")]
    assert re.fullmatch(r"Wyoming synthesize text_too_long in [\d.]+ ms", line.getMessage())
    assert getattr(line, "text", "") == ("x" * 199 + "…" if log_text else "")


def test_what_was_spoken_is_in_that_line_and_in_the_metrics(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """For no key: the port has none. The same of a text that arrives while it is spoken."""
    caplog.set_level("INFO", "qwen_tts_api")
    bench, server = start()
    say(server.address, "Hello.", SynthesizeVoice(name="Serena"))
    pieces = [SynthesizeStart(), SynthesizeChunk(text="Hello."), SynthesizeStop()]
    exchange(server.address, *(each.event() for each in pieces), last="synthesize-stopped")
    wait_until(lambda: len(outcomes(bench)) == 2)
    lines = [each for each in caplog.records if each.getMessage().startswith("Wyoming synth")]
    used = [(vars(each)["characters"], vars(each)["audio_s"]) for each in lines]
    assert used == [(6, 0.48), (6, 0.48)]
    assert [vars(each)["outcome"] for each in lines] == ["stop", "stop"]
    counted = bench.service.metrics.registry.get_sample_value(
        "qwen_tts_key_characters_total", {"key": ""}
    )
    assert counted == 12


@for_each(
    ("address", "expected"),
    [
        ("127.0.0.1:10200", True),
        ("[::1]:10200", True),
        ("localhost:10200", True),
        ("0.0.0.0:10200", False),
        ("[::]:10200", False),
        ("tts.example.com:10200", False),
    ],
)
def test_addresses_that_only_this_machine_reaches(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


def test_an_address_that_others_reach_is_warned_of(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """There are no keys: whoever binds it should know."""
    start()
    assert "QWEN_WYOMING_BIND" not in caplog.text
    start(wyoming_bind="0.0.0.0:0")
    assert "QWEN_WYOMING_BIND=0.0.0.0:0: the Wyoming protocol has no API keys" in caplog.text
