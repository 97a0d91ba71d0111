"""Qwen-TTS-Realtime, event by event, over a real socket."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from qwen_tts_api.routes.live.realtime import session as module
from qwen_tts_api.routes.live.realtime.session_config import FIELDS
from tests.conftest import wait_until
from tests.routes.live.conftest import ServePort
from tests.routes.live.raw import RawClient
from tests.routes.live.serving import Port, close_code_of
from tests.suites.routes.test_field_effects import PROMPT, assert_holds
from tests.suites.routes.test_script import silences

PATH = "/api-ws/v1/realtime"
Event = dict[str, Any]

RESPONSE = [
    "input_text_buffer.committed",
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.audio.delta",
    "response.audio.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
]


class Client:
    """A client that sends and reads events."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def send(self, kind: str, **fields: Any) -> None:
        """Send an event."""
        self.connection.send(json.dumps({"event_id": "mine", "type": kind, **fields}))

    def update(self, **session: Any) -> Event:
        """Update the session; return what is answered."""
        self.send("session.update", session=session)
        return self.next()

    def append(self, text: str) -> None:
        """Append text."""
        self.send("input_text_buffer.append", text=text)

    def next(self) -> Event:
        """Return the next event."""
        message = self.connection.recv(10)
        assert isinstance(message, str)
        event: Event = json.loads(message)
        return event

    def until(self, kind: str) -> list[Event]:
        """Return the events up to the first of a type."""
        events = [self.next()]
        while events[-1]["type"] != kind:
            events.append(self.next())
        return events

    def close_code(self) -> int:
        """Read to the end; return the code."""
        return close_code_of(self.connection)


@contextmanager
def session(port: Port, query: str = "") -> Iterator[Client]:
    """Open a session."""
    with connect(f"{port.url}{PATH}{query}") as connection:
        client = Client(connection)
        created = client.next()
        assert created["type"] == "session.created"
        assert created["session"]["object"] == "realtime.session"
        yield client


def types(events: list[Event]) -> list[str]:
    """Return the types of events, those of audio once."""
    return list(dict.fromkeys(event["type"] for event in events))


def audio(events: list[Event]) -> bytes:
    """Return the audio of all deltas."""
    return b"".join(
        base64.b64decode(event["delta"], validate=True)
        for event in events
        if event["type"] == "response.audio.delta"
    )


def test_a_commit_is_a_response_event_by_event(port: Port) -> None:
    """Twice in a session, with the same ids throughout; the server closes at the end."""
    with session(port) as client:
        assert client.update(voice="Ryan", mode="commit")["type"] == "session.updated"
        ids = set()
        for text in ("Hello there.", "And again."):
            client.append(text[:5])
            client.append(text[5:])
            client.send("input_text_buffer.commit")
            events = client.until("response.done")
            assert types(events) == RESPONSE
            done = events[-1]["response"]
            assert (done["status"], done["voice"]) == ("completed", "Ryan")
            assert done["usage"] == {"characters": len(text)}
            assert [item["id"] for item in done["output"]] == [events[0]["item_id"]]
            assert {e["response_id"] for e in events if "response_id" in e} == {done["id"]}
            assert {e["item_id"] for e in events if "item_id" in e} == {events[0]["item_id"]}
            ids |= {done["id"], *(event["event_id"] for event in events)}
            assert len(audio(events)) % 2 == 0
            assert audio(events)
        client.send("session.finish")
        assert client.next()["type"] == "session.finished"
        assert client.close_code() == 1000
        assert len(ids) > 2 * len(RESPONSE)


def test_the_server_commits_what_it_may_speak(port: Port) -> None:
    """A sentence is spoken before the text is finished; commit ends a response at once."""
    with session(port) as client:
        client.append("This is a sentence. And a ")
        events = client.until("response.audio.delta")
        assert types(events) == RESPONSE[:5]
        client.append("half")
        client.send("input_text_buffer.commit")
        assert client.until("response.done")[-1]["response"]["usage"]["characters"] == 30
        client.append("More")
        client.send("session.finish")
        assert types(client.until("session.finished")) == [*RESPONSE, "session.finished"]


def test_the_server_commits_where_the_client_pauses(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.1)
    with session(port) as client:
        for text in ("No mark here", "nor here"):
            client.append(text)
            events = client.until("response.done")
            assert events[-1]["response"]["usage"] == {"characters": len(text)}


def test_uncommitted_text_is_spoken_at_the_end(port: Port) -> None:
    with session(port) as client:
        client.update(voice="Ryan", mode="commit")
        client.append("Left over")
        client.send("session.finish")
        assert types(client.until("session.finished")) == [*RESPONSE, "session.finished"]


def test_what_is_cleared_is_not_spoken(port: Port) -> None:
    with session(port) as client:
        client.update(voice="Ryan", mode="commit")
        client.append("Never")
        client.send("input_text_buffer.clear")
        assert client.next()["type"] == "input_text_buffer.cleared"
        client.send("input_text_buffer.commit")
        error = client.next()["error"]
        assert (error["code"], error["event_id"]) == ("invalid_value", "mine")
        client.send("session.finish")
        assert client.next()["type"] == "session.finished"


def test_an_interrupted_response_tells_what_was_spoken(serve_port: ServePort) -> None:
    """And the session goes on."""
    port, bench = serve_port()
    bench.runner.gate.clear()
    with session(port) as client:
        client.update(voice="Ryan", mode="commit")
        client.append("word " * 400)
        client.send("input_text_buffer.commit")
        client.until("response.audio.delta")
        client.send("response.cancel")
        done = client.until("response.done")[-1]["response"]
        details = done["status_details"]
        assert done["status"] == "cancelled"
        assert 0 < details["spoken_characters"] <= 2000
        assert details["spoken_ms"] > 0
        wait_until(lambda: not bench.service.status().running)
        bench.runner.gate.set()
        client.send("response.cancel")
        assert client.next()["type"] == "error"
        client.append("Next.")
        client.send("input_text_buffer.commit")
        assert client.until("response.done")[-1]["response"]["status"] == "completed"


def test_every_value_of_the_session_is_told(port: Port) -> None:
    asked = {
        "voice": "Serena",
        "mode": "commit",
        "language_type": "German",
        "response_format": "mp3",
        "sample_rate": 48_000.0,
        "speech_rate": 1.5,
        "bit_rate": 96,
        "enable_tn": False,
        "optimize_instructions": True,
        "volume": 50,
        "pitch_rate": 1,
    }
    with session(port) as client:
        updated = client.update(**asked)["session"]
        assert {name: updated[name] for name in asked} == asked
        client.append("Hello.")
        assert client.update(voice="Ryan")["error"]["message"].startswith("Session update error:")
        client.send("input_text_buffer.commit")
        assert audio(client.until("response.done"))[:3] == b"ID3"


def test_a_session_takes_our_fields_too(port: Port) -> None:
    """The same seed, the same audio; the mode that is told is the one that the model can do."""
    asked = {"voice": "Ryan", "mode": "commit", "seed": 7, "temperature": 0.5}

    def speak(**fields: Any) -> tuple[Event, bytes]:
        with session(port) as client:
            updated = client.update(**asked, **fields)["session"]
            assert {name: updated[name] for name in asked} == asked
            client.append("Hello there.")
            client.send("input_text_buffer.commit")
            return updated, audio(client.until("response.done"))

    updated, first = speak()
    assert "live_mode" not in updated
    assert speak()[1] == first
    assert speak(live_mode="continuous")[0]["live_mode"] == "continuous"
    assert speak(live_mode="segments")[0]["live_mode"] == "segments"


def test_a_session_holds_for_all_of_every_response(serve_port: ServePort) -> None:
    """Also in a segment that is not the first; what has no effect is told."""
    port, bench = serve_port(max_segment_chars=9)
    asked = {FIELDS.get(name, name): value for name, value in PROMPT.items()}
    idle = {"bit_rate": 96, "timestamps": True, "x": 1, "speed": 2}
    with session(port) as client:
        updated = client.update(**asked, **idle, seed=7, mode="commit")["session"]
        assert updated["ignored"] == list(idle)
        assert "ignored" not in client.update(speech_rate=2)["session"]
        for _ in range(2):
            bench.runner.prompts.clear()
            client.append("One two. Three four.")
            client.send("input_text_buffer.commit")
            client.until("response.done")
            assert_holds(bench.runner.prompts)
    with session(port, "?model=small") as client:
        assert client.update(instructions="Slowly.")["session"]["ignored"] == ["instructions"]


@pytest.mark.parametrize("mode", ["commit", "server_commit"])
def test_a_pause_of_the_text_is_exact(port: Port, mode: str) -> None:
    """Whose mark comes in pieces; a wrong one is an error, and the session goes on."""
    with session(port) as client:
        client.update(mode=mode, pause_marks=True, speech_rate=2)
        for piece in ("Hello [pau", "se 1", "s] you"):
            client.append(piece)
        client.send("input_text_buffer.commit")
        samples = np.frombuffer(audio(client.until("response.done")), "<i2")
        assert silences(samples, 1000) == [24_000]
        client.append("[pause 1m]")
        client.send("input_text_buffer.commit")
        errors = [each["error"] for each in client.until("error") if each["type"] == "error"]
        assert "'1m' is no time" in errors[0]["message"]
        client.send("session.finish")
        client.until("session.finished")


def test_the_mode_that_is_told_is_what_the_model_can(
    serve_port: ServePort, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, bench = serve_port()
    card = replace(bench.pool.cards.get("voice"), streaming_text=False)
    monkeypatch.setattr(bench.pool.cards, "get", lambda name: card)
    with session(port) as client:
        assert client.update(live_mode="continuous")["session"]["live_mode"] == "segments"


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"voice": "nobody"}, "unknown_speaker", "voice"),
        ({"language_type": "Klingon"}, "unknown_language", "language_type"),
        ({"mode": "both"}, "invalid_value", "mode"),
        ({"response_format": "flac"}, "invalid_value", "response_format"),
        ({"sample_rate": 44}, "invalid_value", "sample_rate"),
        ({"speech_rate": 3}, "invalid_value", "speech_rate"),
        ({"volume": 80}, "not_supported", "volume"),
        ({"pitch_rate": 1.2}, "not_supported", "pitch_rate"),
        ({"live_mode": "words"}, "invalid_value", "live_mode"),
        ({"temperature": 11}, "invalid_value", "temperature"),
    ],
)
def test_what_a_session_cannot_have_is_refused(
    port: Port, fields: Event, code: str, param: str
) -> None:
    """The session stays as it was."""
    with session(port) as client:
        error = client.update(**fields)["error"]
        assert (error["code"], error["param"]) == (code, param)
        assert client.update(voice="Ryan")["type"] == "session.updated"


def test_models_are_named_as_the_cloud_names_them(port: Port) -> None:
    for model in ("qwen3-tts-flash-realtime", "qwen-tts-realtime-2025-07-15", "small"):
        with session(port, f"?model={model}") as client:
            assert client.update(voice="")["session"]["model"] == model
    with connect(f"{port.url}{PATH}?model=gpt") as connection:
        client = Client(connection)
        assert client.next()["error"]["code"] == "unknown_model"
        assert client.close_code() == 1008


def test_messages_that_are_none_are_answered_by_errors(port: Port) -> None:
    """A session survives them all, and speaks afterwards."""
    chance = random.Random(2)
    values: list[Any] = [None, True, 7, -1e9, "", "x" * 100, [], {}, ["a"], {"voice": 1}, "\ud800"]
    kinds = ["session.update", "input_text_buffer.append", "input_text_buffer.clear", "nonsense"]
    with session(port) as client:
        for message in ("", "null", "[]", "{", '{"type": 1}', "{}", '{"type": NaN}', "[" * 9999):
            client.connection.send(message)
            assert client.next()["type"] == "error"
        client.connection.send(b"\0")
        assert client.next()["type"] == "error"
        for _ in range(200):
            fields = {
                name: chance.choice(values)
                for name in ("text", "session", "event_id", "voice")
                if chance.random() < 0.5
            }
            client.send(chance.choice(kinds), **{"event_id": None, **fields})
        client.append("Still here.")
        client.send("session.finish")
        assert "session.finished" in types(client.until("session.finished"))
        assert client.close_code() == 1000


def test_a_client_that_leaves_frees_its_slot(serve_port: ServePort) -> None:
    """With a goodbye or without."""
    port, bench = serve_port()
    bench.runner.gate.clear()  # so that it takes its time
    for says_goodbye in (True, False):
        client = RawClient.connect(port.address, PATH)
        update = {"type": "session.update", "session": {"voice": "Ryan", "mode": "commit"}}
        client.send(json.dumps(update))
        client.send(json.dumps({"type": "input_text_buffer.append", "text": "word " * 300}))
        client.send(json.dumps({"type": "input_text_buffer.commit"}))
        wait_until(lambda: bench.service.status().running)
        if says_goodbye:
            client.protocol.send_close(1000)
            client.flush()
        client.connection.close()
        wait_until(lambda: not bench.service.status().running)
        wait_until(lambda: port.num_connections == 0)


def test_a_socket_s_responses_count_as_requests(serve_port: ServePort) -> None:
    port, _ = serve_port(rate_limit=2)
    with session(port) as client:
        client.update(voice="Ryan", mode="commit")
        client.append("One.")
        client.send("input_text_buffer.commit")
        client.until("response.done")
        client.append("Two.")
        client.send("input_text_buffer.commit")
        error = client.next()["error"]
        assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limited")
