"""OpenAI's own client, against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
import wave
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import soundfile
from openai import AsyncOpenAI, BaseModel, OpenAI, Stream

from bench.server import Server
from tests.conftest import Serve, assert_same, endings, wait_until
from tests.routes.apis.test_openai_voices import recording

LONG_TEXT = "The quick brown fox jumps over the lazy dog. " * 90


class Event(BaseModel):
    """What the client makes of an event; it has no class of its own for those of speech."""

    type: str
    audio: str = ""
    usage: dict[str, int] | None = None


class Attempts:
    """A client that counts the requests it sends."""

    def __init__(self, server: Server, **options: Any) -> None:
        self.count = 0
        self.client = OpenAI(
            base_url=f"{server.url}/v1",
            http_client=openai.DefaultHttpxClient(event_hooks={"request": [self._note]}),
            **{"api_key": "none", **options},
        )

    def _note(self, _: object) -> None:
        self.count += 1

    def speak(self, text: str = "Hi.", **fields: Any) -> bytes:
        """Return the audio of a text, by default WAV in the voice that every example names."""
        fields = {"model": "tts-1", "voice": "alloy", "response_format": "wav", **fields}
        content: bytes = self.client.audio.speech.create(input=text, **fields).content
        return content


Connect = Callable[..., Attempts]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return a function that makes clients of a server."""
    with contextlib.ExitStack() as stack:

        def connect(server: Server, **options: Any) -> Attempts:
            attempts = Attempts(server, **options)
            stack.enter_context(attempts.client)
            return attempts

        yield connect


@pytest.fixture
def attempts(server: Server, connect: Connect) -> Attempts:
    """Return a client with its own defaults: two retries."""
    return connect(server)


@pytest.fixture
def client(attempts: Attempts) -> OpenAI:
    """Return the client itself."""
    return attempts.client


def test_the_example_of_every_manual(client: OpenAI, tmp_path: Path) -> None:
    """No format is named: what is saved as .mp3 is MP3."""
    path = tmp_path / "speech.mp3"
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts",
        voice="coral",
        input="Today is a wonderful day to build something people love!",
        instructions="Speak in a cheerful and positive tone.",
    ) as response:
        assert response.headers["Content-Type"] == "audio/mpeg"
        response.stream_to_file(path)
    with soundfile.SoundFile(path) as file:
        assert file.format == "MP3"
        assert file.frames > 0


@pytest.mark.parametrize(
    ("name", "container"), [("mp3", "MP3"), ("opus", "OGG"), ("flac", "FLAC"), ("wav", "WAV")]
)
def test_every_format(attempts: Attempts, name: str, container: str) -> None:
    """The same audio in each, by another decoder than the encoder where there is one."""
    pcm = attempts.speak("Hello there.", response_format="pcm", extra_body={"seed": 1})
    data = attempts.speak("Hello there.", response_format=name, extra_body={"seed": 1})
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert file.format == container
        duration_s = file.frames / file.samplerate
    assert duration_s == pytest.approx(len(pcm) / 2 / 24_000, abs=0.1)


def test_aac_is_refused_with_what_to_use_instead(attempts: Attempts) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        attempts.speak(response_format="aac")
    assert (caught.value.code, caught.value.param) == ("unknown_format", "response_format")
    assert "opus" in str(caught.value)


def test_speed(attempts: Attempts) -> None:
    """Done, not ignored; refused outside of OpenAI's bounds."""
    fields: dict[str, Any] = {"response_format": "pcm", "extra_body": {"seed": 1}}
    text = "The quick brown fox jumps over the lazy dog."
    normal = attempts.speak(text, **fields)
    fast = attempts.speak(text, speed=2.0, **fields)
    assert len(fast) / len(normal) == pytest.approx(0.5, abs=0.05)
    with pytest.raises(openai.BadRequestError) as caught:
        attempts.speak(speed=4.5)
    assert caught.value.param == "speed"


def test_voices_and_further_fields(attempts: Attempts) -> None:
    """A voice as an object; vLLM-Omni's fields in `extra_body`; the seed makes it repeatable."""
    extra = {"seed": 3, "language": "English", "task_type": "CustomVoice", "max_new_tokens": 20}
    first = attempts.speak(voice={"id": "Vivian"}, extra_body=extra)
    assert first == attempts.speak(voice="vivian", extra_body=extra)
    with wave.open(io.BytesIO(first)) as file:
        assert file.getframerate() == 24_000
        assert 0 < file.getnframes() <= 19 * 1920


def test_sample_rate(attempts: Attempts) -> None:
    with wave.open(io.BytesIO(attempts.speak(extra_body={"sample_rate": 16_000}))) as file:
        assert file.getframerate() == 16_000


def test_audio_is_streamed_when_asked(server: Server, client: OpenAI) -> None:
    """Either way of asking: the first bytes come while the rest is made; all are the file."""
    fields: dict[str, Any] = {
        "input": LONG_TEXT[:180],
        "model": "tts-1",
        "voice": "alloy",
        "response_format": "pcm",
    }
    whole = client.audio.speech.create(**fields, extra_body={"seed": 1})
    assert whole.response.headers["Content-Length"] == str(len(whole.content))
    asked: dict[str, Any]
    for asked in (
        {"extra_body": {"seed": 1, "stream": True}},
        {"extra_body": {"seed": 1}, "stream_format": "audio"},
    ):
        before = endings(server)
        with client.audio.speech.with_streaming_response.create(**fields, **asked) as response:
            assert response.headers["Transfer-Encoding"] == "chunked"
            parts = response.iter_bytes()
            data = next(parts)
            assert endings(server) == before
            data += b"".join(parts)
        assert_same(np.frombuffer(data, "<i2"), np.frombuffer(whole.content, "<i2"))


def events(client: OpenAI, text: str, **fields: Any) -> Stream[Event]:
    """Return the events of a text, decoded by the client."""
    body = {"input": text, "voice": "alloy", "response_format": "pcm", "stream_format": "sse"}
    return client.post(
        "/audio/speech", cast_to=Event, body=body | fields, stream=True, stream_cls=Stream[Event]
    )


def test_server_sent_events(client: OpenAI) -> None:
    *deltas, done = events(client, "Hello there, how are you?")
    assert deltas
    assert all(event.type == "speech.audio.delta" and event.audio for event in deltas)
    assert done.type == "speech.audio.done"
    assert done.usage is not None
    assert done.usage["input_tokens"] > 0
    assert done.usage["output_tokens"] > 0
    assert done.usage["total_tokens"] == done.usage["input_tokens"] + done.usage["output_tokens"]


def test_raw_streaming_gets_the_audio_as_it_is_made(server: Server, client: OpenAI) -> None:
    """As voice agents call it: the first bytes come while the model is at work on the rest."""
    before = endings(server)
    with client.audio.speech.with_streaming_response.create(
        input=LONG_TEXT, model="tts-1", voice="alloy", response_format="pcm"
    ) as response:
        assert response.headers["Transfer-Encoding"] == "chunked"
        parts = response.iter_bytes(1024)  # one that is not kept closes the connection
        assert len(next(parts)) == 1024
        assert server.get("/readyz").json()["running"] == 1
    wait_until(lambda: endings(server) - before == Counter(client_left=1))


@pytest.mark.parametrize("how", ["audio", "sse"])
def test_leaving_early_frees_the_model(server: Server, client: OpenAI, how: str) -> None:
    """The client closes the connection, and the work ends."""
    before = endings(server)
    if how == "sse":
        with events(client, LONG_TEXT) as stream:
            next(iter(stream))
    else:
        with client.audio.speech.with_streaming_response.create(
            input=LONG_TEXT,
            model="tts-1",
            voice="alloy",
            response_format="pcm",
            stream_format="audio",
        ) as response:
            next(response.iter_bytes(1024))
    wait_until(lambda: endings(server) - before == Counter(client_left=1))


def test_bad_requests(attempts: Attempts) -> None:
    """400 as BadRequestError, with code, param and a sentence; never retried."""
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"text": ""}, "text_required", "input"),
        ({"text": "x" * 5000}, "text_too_long", "input"),
        ({"voice": "Bob"}, "unknown_speaker", "voice"),
        ({"response_format": "midi"}, "unknown_format", "response_format"),
        ({"extra_body": {"language": "Klingon"}}, "unknown_language", "language"),
        ({"extra_body": {"seed": -1}}, "invalid_request", "seed"),
        ({"extra_body": {"speeds": 3}}, "invalid_request", "speeds"),
        ({"extra_body": {"task_type": "Base"}, "model": "nano"}, "not_supported", "task_type"),
        ({"extra_body": {"ref_audio": "http://x/a.wav"}}, "invalid_request", "ref_audio"),
    ]
    for count, (fields, code, param) in enumerate(cases, 1):
        with pytest.raises(openai.BadRequestError) as caught:
            attempts.speak(**fields)
        error = caught.value
        assert (error.code, error.param) == (code, param)
        assert error.type == "invalid_request_error"
        assert error.request_id == error.response.headers["X-Request-Id"]
        assert attempts.count == count


def test_what_is_not_there(attempts: Attempts) -> None:
    """404 as NotFoundError: a model, a path."""
    with pytest.raises(openai.NotFoundError) as caught:
        attempts.speak(model="gpt-9")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError) as caught:
        attempts.client.models.retrieve("gpt-9")
    with pytest.raises(openai.NotFoundError) as caught:
        attempts.client.chat.completions.create(model="gpt-9", messages=[])
    assert caught.value.code == "not_found"
    assert attempts.count == 3


def test_models(client: OpenAI) -> None:
    names = ["nano", "nano-design", "nano-base"]
    assert [model.id for model in client.models.list()] == names
    assert client.models.retrieve("nano-base").object == "model"
    assert client.models.retrieve("tts-1").id == "nano"


def test_voices_are_created_used_and_deleted(attempts: Attempts) -> None:
    """Cloning by the official multipart form; 409 and 404 by their classes, never retried."""
    voices = attempts.client.audio.voices
    voice = voices.create(name="Anna", audio_sample=("a.wav", recording()), consent="cons_1")
    assert (voice.id, voice.name, voice.type) == ("anna", "Anna", "audio_sample")
    attempts.count = 0
    with pytest.raises(openai.ConflictError) as caught:
        voices.create(name="Anna", audio_sample=("a.wav", recording()), consent="cons_1")
    assert caught.value.code == "voice_exists"
    assert attempts.count == 1
    assert attempts.speak(voice={"id": voice.id}).startswith(b"RIFF")
    assert voices.delete(voice.id).deleted
    with pytest.raises(openai.NotFoundError) as missing:
        voices.delete(voice.id)
    assert missing.value.code == "voice_not_found"


def test_a_voice_is_designed(client: OpenAI, attempts: Attempts) -> None:
    voice = client.audio.voices.create(
        name="Deep", type="prompt", prompt="A deep voice.", script_hint="Hello there."
    )
    assert voice.type == "prompt"
    assert attempts.speak(voice=voice.id).startswith(b"RIFF")
    client.audio.voices.delete(voice.id)


def test_many_at_once_by_the_asynchronous_client(server: Server) -> None:
    async def ask() -> list[bytes]:
        async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            answers = await asyncio.gather(
                *(
                    client.audio.speech.create(
                        input="Hi.",
                        model="nano",
                        voice="nova",
                        response_format="pcm",
                        extra_body={"seed": seed},
                    )
                    for seed in range(6)
                )
            )
            return [answer.content for answer in answers]

    assert len(set(asyncio.run(ask()))) == 6


def test_while_the_model_loads_the_client_waits(
    serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    """503 with Retry-After, which it obeys: the caller notices nothing but the time."""
    may_load = tmp_path / "file"
    server = serve(until=Server.is_up, app="tests.slow_load:app", LOAD_WHEN=str(may_load))
    with pytest.raises(openai.InternalServerError) as caught:
        connect(server, max_retries=0).speak()
    assert caught.value.code == "model_loading"
    threading.Timer(1, may_load.touch).start()
    patient = connect(server, max_retries=20)
    assert patient.speak().startswith(b"RIFF")
    assert patient.count >= 2


def test_a_full_queue_and_a_deadline(serve: Serve, connect: Connect) -> None:
    """429 as RateLimitError, retried; 504 and a broken stream as errors, not retried."""
    server = serve(
        QWEN_MAX_STREAMS="1",
        QWEN_MAX_QUEUE="1",
        QWEN_REQUEST_TIMEOUT_S="3",  # for each segment, of which there is one then
        QWEN_MAX_SEGMENT_CHARS="100000",
    )
    attempts = connect(server, max_retries=0)
    failures: list[openai.APIError] = []

    def ask() -> None:
        try:
            attempts.speak(LONG_TEXT)
        except openai.APIError as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread, busy in zip(threads, ("running", "waiting"), strict=True):
        thread.start()
        wait_until(lambda busy=busy: server.get("/readyz").json()[busy] == 1)  # type: ignore[misc]
    with pytest.raises(openai.RateLimitError) as caught:
        attempts.speak()
    assert (caught.value.code, caught.value.type) == ("queue_full", "rate_limit_error")
    assert 1 <= int(caught.value.response.headers["Retry-After"]) <= 120
    for thread in threads:
        thread.join()
    assert [type(error) for error in failures] == [openai.InternalServerError] * 2
    assert {error.code for error in failures} == {"deadline_exceeded"}

    attempts = connect(server)
    with pytest.raises(openai.InternalServerError):
        attempts.speak(LONG_TEXT)
    assert attempts.count == 1
    with pytest.raises(openai.APIError) as broken:
        list(events(attempts.client, LONG_TEXT))
    assert broken.value.code == "deadline_exceeded"
    assert attempts.count == 2
    with (
        pytest.raises(Exception, match="incomplete chunked read"),
        attempts.client.audio.speech.with_streaming_response.create(
            input=LONG_TEXT,
            model="tts-1",
            voice="alloy",
            response_format="pcm",
            extra_body={"stream": True},
        ) as response,
    ):
        list(response.iter_bytes())
    assert server.log.count("was broken off") == 2
    assert "Traceback" not in server.log


def test_what_is_not_allowed(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    """401 as AuthenticationError without the right key; 403 as PermissionDeniedError."""
    keys = tmp_path / "keys"
    keys.write_text("the-only-key-there-is\n")
    server = serve(QWEN_API_KEYS_FILE=str(keys), QWEN_VOICE_UPLOADS="0")
    wrong = connect(server, api_key="another-key-altogether")
    with pytest.raises(openai.AuthenticationError) as caught:
        wrong.client.models.list()
    assert caught.value.code == "invalid_api_key"
    assert wrong.count == 1
    client = connect(server, api_key="the-only-key-there-is").client
    assert [model.id for model in client.models.list()] == ["nano"]
    with pytest.raises(openai.PermissionDeniedError) as denied:
        client.audio.voices.create(name="a", audio_sample=("a.wav", recording()), consent="c")
    assert denied.value.code == "registry_read_only"


def test_a_client_that_waits_no_longer(server: Server, connect: Connect) -> None:
    """It gives up and closes the connection, and the work ends."""
    before = endings(server)
    attempts = connect(server, max_retries=0, timeout=0.3)
    with pytest.raises(openai.APITimeoutError):
        attempts.speak(LONG_TEXT)
    wait_until(lambda: endings(server) - before == Counter(client_left=1))
