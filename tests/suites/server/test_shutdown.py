"""How the process ends: told to, told to at once, and by itself."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading

import pytest
import requests

from bench.server import Server
from tests.conftest import Serve, wait_until
from tests.suites.server.sockets import connect_with_small_buffers, held_stream

TEXT = "The quick brown fox jumps over the lazy dog. " * 16  # two segments


def say(server: Server, text: str = TEXT) -> requests.Response:
    """Ask for a stream, and return it when its first audio is there."""
    fields = {"text": text, "seed": 1, "audio_format": "pcm", "stream": True}
    response = requests.post(f"{server.url}/api/tts", json=fields, stream=True, timeout=60)
    response.raise_for_status()
    return response


def utterances(server: Server) -> tuple[int, int]:
    """Return how many utterances are running, and how many wait."""
    state = server.get("/readyz").json()
    return state["running"], state["waiting"]


def refuses_connections(server: Server) -> bool:
    """Whether nobody listens any more: a server that is only slow does not."""
    try:
        socket.create_connection(server.address, 10).close()
    except ConnectionRefusedError:
        return True
    return False


def test_sigterm_finishes_what_runs_and_refuses_the_rest(serve: Serve) -> None:
    """The running request is answered whole, a waiting one 503, a new one not at all; exit 0.

    The running one's second segment waits, too; it follows all the same.
    """
    server = serve(QWEN_MAX_STREAMS="1", QWEN_MAX_SEGMENT_CHARS="100")
    text = TEXT[: 4 * 45]  # two segments of two sentences
    answers: dict[str, requests.Response] = {}

    def ask(name: str) -> None:
        answers[name] = server.say(text, seed=1)

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("running", "waiting")]
    threads[0].start()
    wait_until(lambda: utterances(server) == (1, 0))
    threads[1].start()
    wait_until(lambda: utterances(server) == (1, 1))
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: refuses_connections(server))
    assert threads[0].is_alive(), "the request was over before the signal"
    for thread in threads:
        thread.join()
    assert answers["waiting"].status_code == 503
    assert answers["waiting"].json()["code"] == "shutting_down"
    assert answers["running"].status_code == 200
    assert answers["running"].headers["X-Segments"] == "2"
    assert answers["running"].headers["X-Finish-Reason"]
    assert server.process.wait(30) == 0
    assert "Traceback" not in server.log


def test_sigterm_in_a_stream(serve: Serve) -> None:
    """It goes on to its end, second segment included."""
    server = serve(QWEN_MAX_SEGMENT_CHARS="50")
    text = TEXT[: 2 * 45]  # a sentence each
    whole = say(server, text)
    assert whole.headers["X-Segments"] == "2"
    expected = whole.content
    with held_stream(server, text=text, seed=1, audio_format="pcm", stream=True) as stream:
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses_connections(server))
        assert stream.read() == expected
    assert server.process.wait(30) == 0
    assert "did not end within" not in server.log


def test_sigterm_with_a_reader_that_stopped(serve: Serve) -> None:
    """It is cut off when its time is over, and holds the end no longer."""
    server = serve(QWEN_CLIENT_TIMEOUT_S="1", QWEN_GRACEFUL_TIMEOUT_S="600")
    body = json.dumps({"text": TEXT * 4, "audio_format": "pcm", "stream": True}).encode()
    head = "POST /api/tts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with connect_with_small_buffers(server.address) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
    assert "closing its connection" in server.log


def test_sigterm_and_work_without_an_end(serve: Serve) -> None:
    """QWEN_GRACEFUL_TIMEOUT_S breaks it off: the client sees it, and the log says whose it was."""
    server = serve(QWEN_GRACEFUL_TIMEOUT_S="1")
    answer = say(server, TEXT * 5)
    parts = answer.iter_content(None)
    next(parts)
    server.process.send_signal(signal.SIGTERM)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        list(parts)
    assert server.process.wait(30) == 0
    [line] = [line for line in server.log.splitlines() if "did not end within" in line]
    assert "QWEN_GRACEFUL_TIMEOUT_S" in line
    assert json.loads(line)["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_ctrl_c_does_not_wait_for_anybody(serve: Serve, number: signal.Signals) -> None:
    """Not for a request that would take a minute, of which the log tells; the exit code is 0."""
    server = serve()
    answer = say(server, TEXT * 5)
    parts = answer.iter_content(None)
    next(parts)
    server.process.send_signal(number)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        list(parts)
    assert server.process.wait(30) == 0
    [line] = [json.loads(line) for line in server.log.splitlines() if "are cut off" in line]
    assert line["message"] == "exiting at once: 1 requests are cut off"
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert "Traceback" not in server.log


def test_sigterm_during_the_load(serve: Serve) -> None:
    """The end does not wait for the model."""
    server = serve(until=Server.is_up, app="tests.slow_load:app", LOAD_WHEN="/never")
    assert server.stop() == 0
    assert "ready in" not in server.log


def test_a_crash_of_the_worker_ends_the_master(serve: Serve) -> None:
    """The orchestrator sees it and counts it, instead of a silent new worker."""
    server = serve()
    os.kill(server.worker(), signal.SIGKILL)
    assert server.process.wait(30) == 70
