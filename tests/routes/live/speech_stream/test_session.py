"""`/v1/audio/speech/stream`, message by message, over a real socket."""

from __future__ import annotations

import base64
import io
import json
import random
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from qwen_tts_api.routes.apis.openai.names import FIELDS
from qwen_tts_api.routes.live.speech_stream import session as module
from tests.conftest import wait_until
from tests.routes.live.conftest import ServePort
from tests.routes.live.raw import RawClient
from tests.routes.live.serving import Port, close_code_of
from tests.suites.routes.test_field_effects import PROMPT, assert_holds
from tests.suites.routes.test_script import silences

PATH = "/v1/audio/speech/stream"
Document = dict[str, Any]


class Client:
    """A client that sends and reads messages."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def send(self, kind: str, **fields: Any) -> None:
        """Send a message."""
        self.connection.send(json.dumps({"type": kind, **fields}))

    def next(self) -> Document | bytes:
        """Return the next message."""
        message = self.connection.recv(10)
        return json.loads(message) if isinstance(message, str) else message

    def document(self) -> Document:
        """Return the next message, which has to be JSON."""
        message = self.next()
        assert isinstance(message, dict)
        return message

    def until(self, kind: str) -> list[Document | bytes]:
        """Return the messages up to the first of a type."""
        messages = [self.next()]
        while not isinstance(last := messages[-1], dict) or last["type"] != kind:
            messages.append(self.next())
        return messages

    def close_code(self) -> int:
        """Read to the end; return the code."""
        return close_code_of(self.connection)


@contextmanager
def session(port: Port, **config: Any) -> Iterator[Client]:
    """Open a session."""
    with connect(port.url + PATH) as connection:
        client = Client(connection)
        client.send("session.config", **config)
        configured = client.document()
        assert configured["type"] == "session.configured", configured
        yield client


def units(messages: list[Document | bytes]) -> list[tuple[Document, bytes, Document]]:
    """Return the start, the audio and the end of each unit."""
    found: list[tuple[Document, bytes, Document]] = []
    for message in messages:
        if isinstance(message, bytes):
            start, audio, end = found[-1]
            found[-1] = (start, audio + message, end)
        elif message["type"] == "audio.start":
            found.append((message, b"", {}))
        elif message["type"] == "audio.done":
            found[-1] = (*found[-1][:2], message)
    return found


def test_a_text_is_one_file_for_all_that_was_sent(port: Port) -> None:
    """Two utterances on one socket; their numbers go on, those of sentences begin anew."""
    with session(port, voice="Ryan") as client:
        for index in range(2):
            client.send("input.text", text="Hello the")
            client.send("input.text", text="re. And more.")
            client.send("input.done")
            messages = client.until("session.done")
            assert messages[-1] == {
                "type": "session.done",
                "utterance_index": index,
                "total_sentences": 1,
            }
            [(start, audio, end)] = units(messages)
            assert start == {
                "type": "audio.start",
                "utterance_index": index,
                "sentence_index": 0,
                "sentence_text": "Hello there. And more.",
                "format": "wav",
            }
            assert (end["total_bytes"], end["error"]) == (len(audio), False)
            assert len([message for message in messages if isinstance(message, bytes)]) == 1
            with wave.open(io.BytesIO(audio)) as file:
                assert file.getnframes() > 1000
        client.send("session.close")
        assert client.close_code() == 1000


def test_where_text_is_heard_is_a_field(serve_port: ServePort) -> None:
    """Of vLLM-Omni's clients; what it contradicts is said at once."""
    port, bench = serve_port()
    with session(port, voice="Ryan", non_streaming_mode=False) as client:
        client.send("input.text", text="Hello.")
        client.send("input.done")
        client.until("session.done")
    assert bench.runner.prompts[-1].text_in_frames
    with connect(port.url + PATH) as connection:
        client = Client(connection)
        client.send("session.config", live_mode="continuous", non_streaming_mode=True)
        assert client.document()["param"] == "non_streaming_mode"


@pytest.mark.parametrize("stream_audio", [False, True])
@pytest.mark.parametrize("granularity", ["none", "sentence"])
def test_a_configuration_holds_for_all_of_every_utterance(
    serve_port: ServePort, stream_audio: bool, granularity: str
) -> None:
    """Also in a segment that is not the first; what has no effect is told."""
    port, bench = serve_port(max_segment_chars=9)
    config = {FIELDS.get(name, name): value for name, value in PROMPT.items()}
    config |= {"voice": None, "speaker": "dylan", "seed": 7, "split_granularity": granularity}
    idle = {"stream": True, "input": "Hello.", "user": "anna", "initial_codec_chunk_frames": 1}
    with connect(port.url + PATH) as connection:
        client = Client(connection)
        client.send("session.config", stream_audio=stream_audio, **config, **idle)
        assert sorted(client.document()["ignored"]) == sorted(idle)
        for _ in range(2):
            bench.runner.prompts.clear()
            client.send("input.text", text="One two. Three four.")
            client.send("input.done")
            client.until("session.done")
            assert_holds(bench.runner.prompts)
        client.send("session.config", model="small", voice="ryan", speaker="anna", instructions="a")
        assert client.document()["ignored"] == ["speaker", "instructions"]


@pytest.mark.parametrize("stream_audio", [False, True])
@pytest.mark.parametrize("granularity", ["none", "sentence"])
def test_a_pause_of_the_text_is_exact(port: Port, stream_audio: bool, granularity: str) -> None:
    """Whose mark comes in pieces, whether all is one unit or each sentence."""
    options = {"stream_audio": stream_audio, "split_granularity": granularity}
    with session(port, response_format="pcm", pause_marks=True, speed=2, **options) as client:
        for piece in ("Hello [pau", "se 1", "s] you. Yes."):
            client.send("input.text", text=piece)
        client.send("input.done")
        heard = [audio for _, audio, _ in units(client.until("session.done"))]
    assert len(heard) == (1 if granularity == "none" else 3)
    silent = [silences(np.frombuffer(audio, "<i2"), 4000) for audio in heard]
    assert [length for each in silent for length in each if length > 20_000] == [24_000]


def test_audio_is_streamed_where_that_is_asked_for(port: Port) -> None:
    with session(port, voice="Ryan", stream_audio=True, response_format="pcm") as client:
        client.send("input.text", text="word " * 60)
        client.send("input.done")
        messages = client.until("session.done")
        [(start, audio, end)] = units(messages)
        assert start["sample_rate"] == 24_000
        assert end["total_bytes"] == len(audio)
        assert len([message for message in messages if isinstance(message, bytes)]) > 1


@pytest.mark.parametrize("granularity", ["none", "sentence"])
@pytest.mark.parametrize("stream_audio", [False, True])
def test_words_have_their_times(port: Port, granularity: str, stream_audio: bool) -> None:
    """Audio is in JSON then, and each unit ends with its words, from its own beginning on."""
    name = "timestamps" if stream_audio else "word_timestamps"  # both mean the same
    options = {"split_granularity": granularity, "stream_audio": stream_audio, name: True}
    with session(port, response_format="pcm", seed=1, **options) as client:
        client.send("input.text", text="Hello there. And this is another one.")
        client.send("input.done")
        messages = client.until("session.done")
    chunks = [each for each in messages if isinstance(each, dict) and each["type"] == "audio.chunk"]
    assert not any(isinstance(message, bytes) for message in messages)
    words, audio_ms = [], 0.0
    for chunk in chunks:
        assert chunk["chunk_start_ms"] <= chunk["chunk_end_ms"]
        audio_ms += len(base64.b64decode(chunk["audio_b64"])) / 48
        if chunk["timestamps"] is not None:
            assert chunk["audio_b64"] == ""
            assert chunk["chunk_end_ms"] == pytest.approx(audio_ms, abs=1)
            marks = [each[name] for each in chunk["timestamps"] for name in ("start_ms", "end_ms")]
            assert marks == sorted(marks)
            assert marks[-1] <= audio_ms + 1
            words += [each["word"] for each in chunk["timestamps"]]
            audio_ms = 0
    assert " ".join(words) == "Hello there. And this is another one."


def test_each_sentence_is_a_unit_and_is_spoken_before_the_end(port: Port) -> None:
    with session(port, voice="Ryan", split_granularity="sentence") as client:
        client.send("input.text", text="It costs 3.14 now. And")
        messages = client.until("audio.done")
        client.send("input.text", text=" Dr. Who came. Rest")
        client.send("input.done")
        messages += client.until("session.done")
        told = units(messages)
        assert [start["sentence_text"] for start, _, _ in told] == [
            "It costs 3.14 now.",
            "And Dr. Who came.",
            "Rest",
        ]
        assert [start["sentence_index"] for start, _, _ in told] == [0, 1, 2]
        assert all(audio.startswith(b"RIFF") for _, audio, _ in told)
        assert messages[-1] == {
            "type": "session.done",
            "utterance_index": 0,
            "total_sentences": 3,
        }


def test_word_by_word_text_is_heard_before_its_unit_ends(port: Port) -> None:
    """A unit is an utterance then, which begins with its first words."""
    config = {"stream_audio": True, "response_format": "pcm", "live_mode": "continuous"}
    with session(port, voice="Ryan", **config) as client:
        client.send("input.text", text="One word and ")
        messages = client.until("audio.start")
        assert isinstance(client.next(), bytes)
        client.send("input.text", text="another.")
        client.send("input.done")
        [(start, _, end)] = units([*messages, *client.until("session.done")])
        assert start["sentence_text"].startswith("One word")
        assert not end["error"]


def test_sglang_s_clients_are_told_what_they_wait_for(port: Port) -> None:
    """A config in `session`, a commit, and the end of the socket behind `session.done`."""
    config = {"voice": "Ryan", "split_granularity": "sentence", "response_format": "pcm"}
    with session(port, session={**config, "stream_audio": True}) as client:
        client.send("input.text", text="First. Sec")
        client.send("input.commit")
        messages = client.until("input.committed")
        assert [start["sentence_text"] for start, _, _ in units(messages)] == ["First.", "Sec"]
        committed = messages[-1]
        assert isinstance(committed, dict)
        assert committed["total_sentences"] == 2
        client.send("input.text", text="Third.")
        client.send("input.done")
        assert len(units(client.until("session.done"))) == 1
        assert client.close_code() == 1000


def test_an_utterance_without_text_has_no_unit(port: Port) -> None:
    with session(port, voice="Ryan") as client:
        for text in (None, "", "  \n"):
            if text is not None:
                client.send("input.text", text=text)
            client.send("input.done")
            assert client.document()["total_sentences"] == 0


def test_the_first_message_configures(port: Port) -> None:
    """Anything else ends the socket, with 1008 and an error that says why."""
    for message in (
        '{"type": "input.text", "text": "x"}',
        "nonsense",
        b"\0",
        '{"type": "session.config", "voice": "nobody"}',
        '{"type": "session.config", "voice": "Ryan", "speaker_embedding": [1]}',
        '{"type": "session.config", "voice": "Ryan", "split_granularity": "word"}',
        '{"type": "session.config", "voice": "Ryan", "response_format": "wma"}',
        '{"type": "session.config", "voice": "Ryan", "live_mode": "words"}',
        '{"type": "session.config", "voice": "Ryan", "speed": 9}',
        '{"type": "session.config", "voice": "Ryan", "model": "gpt"}',
    ):
        with connect(port.url + PATH) as connection:
            client = Client(connection)
            connection.send(message)
            error = client.document()
            assert error["type"] == "error"
            assert error["message"]
            assert client.close_code() == 1008


def test_who_sends_nothing_is_not_waited_for(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, "CONFIG_S", 0.1)
        with connect(port.url + PATH) as connection:
            client = Client(connection)
            assert client.document()["type"] == "error"
            assert client.close_code() == 1001
    monkeypatch.setattr(module, "IDLE_S", 0.1)
    with session(port, voice="Ryan") as client:
        assert client.document()["type"] == "error"
        assert client.close_code() == 1001


def test_messages_that_are_none_are_answered_by_errors(port: Port) -> None:
    """A session survives them all, and speaks afterwards."""
    chance = random.Random(3)
    values: list[Any] = [None, True, 7, "", [], {}, {"voice": 1}, "\ud800", "x" * 200_000]
    kinds = ["session.config", "input.text", "input.commit", "nonsense"]
    with session(port, voice="Ryan", split_granularity="clause") as client:
        for message in ("", "[]", "{", '{"type": 1}', "[" * 9999, b"\0"):
            client.connection.send(message)
            assert client.document()["type"] == "error"
        for _ in range(150):
            fields = {
                name: chance.choice(values)
                for name in ("text", "session", "voice", "speed", "stream_audio")
                if chance.random() < 0.5
            }
            client.send(chance.choice(kinds), **fields)
        client.send("input.text", text="Still here.")
        client.send("input.done")
        client.until("session.done")
        client.send("session.close")
        assert client.close_code() == 1000


def test_more_text_than_may_wait_is_refused(serve_port: ServePort) -> None:
    port, _ = serve_port(max_text_chars=50)
    with session(port, voice="Ryan") as client:
        client.send("input.text", text="a" * 40)
        client.send("input.text", text="b" * 20)
        assert client.document()["code"] == "text_too_long"
        client.send("input.done")
        [(start, _, _)] = units(client.until("session.done"))
        assert start["sentence_text"] == "a" * 40


def test_each_utterance_counts_as_a_request(serve_port: ServePort) -> None:
    """The error is of the kind that it has over HTTP, which clients take for worth another try."""
    port, _ = serve_port(rate_limit=2)
    with session(port, voice="Ryan") as client:
        client.send("input.text", text="One.")
        client.send("input.done")
        client.until("session.done")
        client.send("input.text", text="Two.")
        error = client.document()
        assert (error["error_type"], error["code"]) == ("rate_limit_error", "rate_limited")


def test_a_client_that_leaves_frees_its_slot(serve_port: ServePort) -> None:
    port, bench = serve_port()
    bench.runner.gate.clear()  # so that it takes its time
    client = RawClient.connect(port.address, PATH)
    client.send(json.dumps({"type": "session.config", "voice": "Ryan"}))
    client.send(json.dumps({"type": "input.text", "text": "word " * 300}))
    client.send(json.dumps({"type": "input.done"}))
    wait_until(lambda: bench.service.status().running)
    client.connection.close()
    wait_until(lambda: not bench.service.status().running)
    wait_until(lambda: port.num_connections == 0)


def test_a_unit_that_fails_is_told_and_the_session_goes_on(serve_port: ServePort) -> None:
    port, bench = serve_port()
    with session(port, voice="Ryan") as client:
        bench.runner.error = RuntimeError("asked to")
        client.send("input.text", text="Will fail.")
        client.send("input.done")
        messages = client.until("session.done")
        [(_, audio, end)] = units(messages)
        assert (audio, end["error"]) == (b"", True)
        client.send("input.text", text="Will not.")
        client.send("input.done")
        [(_, audio, end)] = units(client.until("session.done"))
        assert (bool(audio), end["error"]) == (True, False)
