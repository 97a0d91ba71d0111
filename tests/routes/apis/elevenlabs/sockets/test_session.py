"""Sockets of ElevenLabs' protocol, message by message, over a real connection."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.conftest import wait_until
from tests.routes.live.conftest import ServePort
from tests.routes.live.serving import Port
from tests.suites.routes.test_field_effects import PROMPT, as_parameters, assert_holds
from tests.suites.routes.test_script import silences

Document = dict[str, Any]
TEXT = "This is the first sentence of all. And here comes the second one."


@contextmanager
def session(
    port: Port, kind: str = "stream-input", voice: str = "Serena", query: str = ""
) -> Iterator[Connection]:
    """Open a socket; PCM where the query says nothing."""
    query = query or "output_format=pcm_24000&model_id=eleven_flash_v2_5"
    path = f"/v1/text-to-speech/{voice}/{kind}?{query}"
    with connect(port.url + path) as connection:
        yield connection


def multi(port: Port) -> Any:
    """Open a socket of several contexts."""
    return session(port, "multi-stream-input", query="output_format=pcm_24000")


def send(connection: Connection, **fields: Any) -> None:
    """Send a message."""
    connection.send(json.dumps(fields))


def read(connection: Connection, num_finals: int = 10**9) -> list[Document]:
    """Return the messages until so many texts have ended, or the socket is closed."""
    messages: list[Document] = []
    try:
        while sum(bool(each.get("isFinal")) for each in messages) < num_finals:
            messages.append(json.loads(connection.recv(10)))
    except ConnectionClosed:
        pass
    return messages


def audio_of(messages: list[Document]) -> bytes:
    """Return the audio of messages."""
    return b"".join(base64.b64decode(m["audio"], validate=True) for m in messages if m.get("audio"))


def text_of(messages: list[Document]) -> str:
    """Return the characters that were aligned."""
    told = [m["alignment"] for m in messages if m.get("alignment")]
    return "".join(char for each in told for char in each["chars"])


def of_context(messages: list[Document], name: str) -> list[Document]:
    """Return the messages of one context."""
    return [message for message in messages if message.get("contextId") == name]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_text_in_pieces_is_one_file(serve_port: ServePort, size: int) -> None:
    port, _ = serve_port()
    with session(port) as connection:
        send(connection, text=" ", voice_settings={"stability": 0.5}, xi_api_key="k")
        for start in range(0, len(TEXT), size):
            send(connection, text=TEXT[start : start + size], try_trigger_generation=True)
        send(connection, text="")
        messages = read(connection)
        assert connection.close_code == 1000
    *parts, last = messages
    assert last == {"audio": None, "isFinal": True}
    assert all(
        set(part) == {"audio", "isFinal", "alignment", "normalizedAlignment"} for part in parts
    )
    assert text_of(parts) == TEXT
    audio = audio_of(parts)
    told = [part["alignment"] for part in parts if part["alignment"]]
    assert all(each["charStartTimesMs"][0] == 0 for each in told)
    length_ms = sum(each["charStartTimesMs"][-1] + each["charDurationsMs"][-1] for each in told)
    assert length_ms == pytest.approx(len(audio) / 48, abs=2 * len(told))


def test_a_break_is_a_pause(serve_port: ServePort) -> None:
    """Exact, in any cut, with its characters and time in the alignment; a wrong one is refused."""
    port, _ = serve_port()
    text = 'Hello. <break time="1.5s" /> Here I am.'
    with session(port) as connection:
        for start in range(0, len(text), 7):
            send(connection, text=text[start : start + 7])
        send(connection, text="")
        messages = read(connection)
    samples = np.frombuffer(audio_of(messages), "<i2")
    assert silences(samples, 1000) == [36_000]
    assert text_of(messages) == text
    told = [m["alignment"] for m in messages if m.get("alignment")]
    durations = [ms for each in told for ms in each["charDurationsMs"]]
    before, after = text.index(".") + 1, text.index("Here")
    assert sum(durations[before:after]) == pytest.approx(1500, abs=100)
    assert sum(durations) == pytest.approx(len(samples) / 24, abs=len(told))
    with session(port) as connection:
        send(connection, text="Hello. <break time='1")
        send(connection, text="1s'/>")
        error = read(connection)[-1]
        assert "'11s' is longer than 10s" in error["message"]
        assert connection.close_code == 1008


def test_the_address_has_a_seed_and_a_switch_of_pauses(serve_port: ServePort) -> None:
    port, bench = serve_port()
    query = "output_format=pcm_24000&seed=7&pause_marks=true&auto_mode=true"
    with session(port, query=query) as connection:
        send(connection, text="Hello. [pause 1s] You.")
        send(connection, text="")
        samples = np.frombuffer(audio_of(read(connection)), "<i2")
    assert silences(samples, 1000) == [24_000]
    assert bench.runner.prompts[0].sampling.seed == 7
    with pytest.raises(InvalidStatus), session(port, query="seed=x"):
        pass


def test_the_fields_of_the_address_hold_for_all_of_every_text(serve_port: ServePort) -> None:
    """Ours, too; the answer names what has no effect, and what is misspelt is refused."""
    port, bench = serve_port()
    fields = {"language_code" if name == "language" else name: PROMPT[name] for name in PROMPT}
    del fields["speaker"]
    fields |= {"seed": 7, "speed": 2, "output_format": "pcm_24000", "auto_mode": True, "x": 1}
    query = urlencode(as_parameters(fields))
    with session(port, "multi-stream-input", voice="Dylan", query=query) as connection:
        assert connection.response is not None
        assert connection.response.headers["X-Ignored-Parameters"] == "auto_mode, x"
        for name in "ab":
            bench.runner.prompts.clear()
            send(connection, context_id=name, text="One. ", flush=True)
            send(connection, context_id=name, text="Two.", flush=True, close_context=True)
            audio = audio_of(read(connection, 1))
            assert_holds(bench.runner.prompts)
            assert len(audio) / 2 == pytest.approx((8 * 1920 + 14_400) / 2, abs=500)
    with pytest.raises(InvalidStatus), session(port, query="temprature=0.5"):
        pass
    with session(port, voice="x" * 20) as connection:
        assert connection.response is not None
        assert connection.response.headers["X-Ignored-Parameters"] == "voice_id"


def test_another_speed_amid_a_text_is_refused(serve_port: ServePort) -> None:
    """What is as in the first message is not."""
    port, _ = serve_port()
    with session(port) as connection:
        send(connection, text=" ", voice_settings={"speed": 2})
        send(connection, text="Hello ", voice_settings={"speed": 2.0, "stability": 1})
        send(connection, text="there.", voice_settings={"speed": 1.5})
        error = read(connection)[-1]
        assert error["error"] == "invalid_request"
        assert "another speed" in error["message"]
        assert connection.close_code == 1008


def test_a_flush_speaks_what_is_no_sentence_yet(serve_port: ServePort) -> None:
    port, _ = serve_port()
    with session(port) as connection:
        send(connection, text="No end of a sentence ", flush=True)
        first = json.loads(connection.recv(10))
        assert first["audio"]
        send(connection, text="")
        assert read(connection)[-1]["isFinal"] is True


def test_nothing_to_say_ends_well(serve_port: ServePort) -> None:
    port, _ = serve_port()
    with session(port) as connection:
        send(connection, text=" ")
        send(connection, text="")
        assert read(connection) == [{"audio": None, "isFinal": True}]
        assert connection.close_code == 1000


def test_speed_is_a_setting_of_the_first_message(serve_port: ServePort) -> None:
    port, _ = serve_port()
    sizes = []
    for speed in (1.0, 2.0):
        with session(port) as connection:
            send(connection, text="Hello there.", voice_settings={"speed": speed})
            send(connection, text="")
            sizes.append(len(audio_of(read(connection))))
    assert sizes[0] == 2 * sizes[1]


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        (b"\0", "binary"),
        ('{"text": 1}', "'text'"),
        ("{}", "'text'"),
        ('{"text": "a", "flush": 1}', "'flush'"),
        ('{"text": "a", "voice_settings": {"speed": 9}}', "speed"),
        ('{"text": "a", "voice_settings": 5}', "voice_settings"),
    ],
)
def test_a_wrong_message_closes_with_what_was_wrong(
    serve_port: ServePort, message: str | bytes, word: str
) -> None:
    port, _ = serve_port()
    with session(port) as connection:
        connection.send(message)
        messages = read(connection)
        told = [each for each in messages if "error" in each]
        assert len(told) == 1
        assert word in told[0]["message"]
        assert connection.close_code == 1008


@pytest.mark.parametrize(
    ("voice", "query", "status"),
    [
        ("nobody", "output_format=pcm_24000", 400),
        ("Serena", "output_format=pcm_1", 400),
        ("Serena", "model_id=nothing", 400),
        ("Serena", "language_code=xx", 400),
        ("Serena", "live_mode=words", 400),
    ],
)
def test_what_cannot_be_spoken_is_refused_before_the_upgrade(
    serve_port: ServePort, voice: str, query: str, status: int
) -> None:
    port, _ = serve_port()
    with pytest.raises(InvalidStatus) as raised, session(port, voice=voice, query=query):
        pass
    assert raised.value.response.status_code == status
    assert set(json.loads(raised.value.response.body)) == {"detail"}


def test_word_by_word_is_asked_for_in_the_address(serve_port: ServePort) -> None:
    """Audio comes before the sentence has ended."""
    port, _ = serve_port()
    query = "output_format=pcm_24000&live_mode=continuous"
    with session(port, query=query) as connection:
        send(connection, text="One word and ")
        assert json.loads(connection.recv(10))["audio"]
        send(connection, text="")
        assert read(connection)[-1]["isFinal"]


def test_contexts_are_told_apart(serve_port: ServePort) -> None:
    """Each ends once, with its own text, also one that is empty or was never opened."""
    port, _ = serve_port(max_streams=2, rows=2)
    with multi(port) as connection:
        send(connection, text="The first one. ", context_id="a", voice_settings={"stability": 1})
        send(connection, text="The second one. ", context_id="b")
        send(connection, text="", context_id="c")
        send(connection, text="More of it.", context_id="a")
        send(connection, context_id="a", close_context=True)
        send(connection, text="", context_id="a")  # Pipecat's keep-alive, while it still speaks
        send(connection, text="", context_id="b", flush=True)
        send(connection, context_id="b", close_context=True)
        send(connection, context_id="c", close_context=True)
        messages = read(connection, 3)
        assert text_of(of_context(messages, "a")) == "The first one. More of it."
        assert text_of(of_context(messages, "b")) == "The second one. "
        assert of_context(messages, "c") == [{"contextId": "c", "audio": None, "isFinal": True}]
        send(connection, text="Again.", context_id="a")
        send(connection, close_socket=True)
        assert text_of(of_context(read(connection), "a")) == "Again."
        assert connection.close_code == 1000


def test_a_context_that_is_closed_twice_is_stopped(serve_port: ServePort) -> None:
    """As Pipecat closes it: when its text is whole, and when somebody interrupts."""
    port, bench = serve_port()
    bench.runner.hang, bench.runner.hang_from = threading.Event(), 60
    text = "A long sentence that is spoken for quite a while. " * 5
    with multi(port) as connection:
        send(connection, text=text, context_id="a")
        send(connection, context_id="a", close_context=True)
        assert json.loads(connection.recv(10))["audio"]
        send(connection, context_id="a", close_context=True)
        messages = read(connection, 1)
        assert messages[-1] == {"contextId": "a", "audio": None, "isFinal": True}
        assert len(text_of(messages)) < len(text) / 2
        bench.runner.hang.set()
        wait_until(lambda: bench.pool.status().running == 0)
        send(connection, text="Again.", context_id="a")
        send(connection, close_socket=True)
        assert text_of(read(connection)) == "Again."


def test_a_socket_without_texts_is_closed_at_once(serve_port: ServePort) -> None:
    port, _ = serve_port()
    with multi(port) as connection:
        send(connection, text="")
        send(connection, close_socket=True)
        assert read(connection) == []
        assert connection.close_code == 1000


def test_a_second_beginning_of_a_context_is_refused(serve_port: ServePort) -> None:
    port, _ = serve_port()
    with multi(port) as connection:
        send(connection, text="Hello ", context_id="a", voice_settings={"speed": 1.0})
        send(connection, text="there.", context_id="a", voice_settings={"speed": 1.0})
        error = next(each for each in read(connection) if "error" in each)
        assert (error["contextId"], error["error"]) == ("a", "invalid_request")
        assert connection.close_code == 1008


def test_too_many_contexts_are_refused(serve_port: ServePort) -> None:
    port, _ = serve_port()
    with multi(port) as connection:
        for number in range(6):
            send(connection, text="Hello ", context_id=str(number))
        error = next(each for each in read(connection) if "error" in each)
        assert error["contextId"] == "5"
        assert "5 contexts" in error["message"]


def test_a_client_that_leaves_frees_the_model(serve_port: ServePort) -> None:
    port, bench = serve_port()
    bench.runner.hang, bench.runner.hang_from = threading.Event(), 60
    with session(port) as connection:
        send(connection, text="A long sentence that is spoken for quite a while. " * 5)
        assert json.loads(connection.recv(10))["audio"]
        assert bench.pool.status().running == 1
    bench.runner.hang.set()
    wait_until(lambda: bench.pool.status().running == 0)
    assert len(bench.runner.batches) < 120


def test_who_says_nothing_is_told_and_closed(serve_port: ServePort) -> None:
    port, _ = serve_port()
    with session(port, query="inactivity_timeout=1") as connection:
        (error,) = read(connection)
        assert "too long" in error["message"]
        assert connection.close_code == 1008
