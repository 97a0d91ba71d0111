"""Every line about a request has its id, whoever logs it, in both formats."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from qwen_tts_api.telemetry import logs
from qwen_tts_api.telemetry.context import bound_context
from tests.conftest import Bench, wait_until

MakeBench = Callable[..., Bench]


class OutOfMemoryError(RuntimeError):
    """Named as PyTorch's own."""


@contextmanager
def logged(log_format: str, level: str = "DEBUG") -> Iterator[io.StringIO]:
    """Log into a buffer as the process logs to standard error."""
    config = logging.config.DictConfigurator(logs.logging_config(level, log_format))
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(config.configure_formatter(config.config["formatters"][log_format]))
    for name in config.config["handlers"]["stderr"]["filters"]:
        handler.addFilter(config.configure_filter(config.config["filters"][name]))
    logger = logging.getLogger("qwen_tts_api")
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(level)
    try:
        yield handler.stream
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Return a function that returns what has been logged, in JSON, so far."""
    with logged("json") as buffer:
        yield lambda: [json.loads(line) for line in buffer.getvalue().splitlines()]


Lines = Callable[[], list[dict[str, Any]]]


def find(lines: Lines, word: str) -> dict[str, Any]:
    """Return the only line whose message has a word in it."""
    [line] = [line for line in lines() if word in line["message"]]
    return line


def say(bench: Bench, request_id: str, **body: Any) -> Any:
    return bench.client.post(
        "/api/tts", json={"text": "abc", **body}, headers={"X-Request-Id": request_id}
    )


def test_a_failing_call_of_the_model(bench: Bench, lines: Lines) -> None:
    """The engine's line with the cause, and the request's own."""
    bench.runner.error = RuntimeError("weights on fire")
    say(bench, "mine-1").close()
    line = find(lines, "synthesis failed")
    assert (line["request_id"], line["level"]) == ("mine-1", "ERROR")
    assert line["logger"] == "qwen_tts_api.engine.worker"
    assert "weights on fire" in line["exc_info"]
    assert find(lines, "/api/tts")["request_id"] == "mine-1"
    assert find(lines, "/api/tts")["code"] == "synthesis_failed"


@pytest.mark.parametrize("stage", ["error", "prefill_error"])
def test_out_of_memory(bench: Bench, lines: Lines, stage: str) -> None:
    """In a frame, which all rows share, and in a prefill."""
    setattr(bench.runner, stage, OutOfMemoryError("tried to allocate"))
    say(bench, "mine-2").close()
    assert find(lines, "out of memory")["request_id"] == "mine-2"


def test_a_frame_that_fails_is_about_all_who_were_in_it(
    make_bench: MakeBench, lines: Lines
) -> None:
    """One line for the cause, with every id; the self-test has a name."""
    bench = make_bench(rows=2)
    bench.runner.gate.clear()
    threads = [threading.Thread(target=lambda name=name: say(bench, name).close()) for name in "ab"]
    for thread in threads:
        thread.start()
    wait_until(lambda: bench.runner.batches and len(bench.runner.batches[-1]) == 2)
    bench.runner.error = RuntimeError("weights on fire")
    bench.runner.gate.set()  # after the error, and before the self-test's frames
    for thread in threads:
        thread.join()
    assert sorted(find(lines, "synthesis failed")["request_id"].split(",")) == ["a", "b"]
    wait_until(lambda: bench.service.status().ready)
    self_test = [line for line in lines() if line.get("request_id") == "self-test"]
    assert "slot 0: stop after 3 frames" in [line["message"] for line in self_test]


def test_a_client_that_leaves(bench: Bench, lines: Lines) -> None:
    """The engine tells at DEBUG how far it was; the request's line has a code."""
    bench.runner.gate.clear()
    response = bench.client.post(
        "/api/tts",
        json={"text": "x" * 3000, "stream": True},
        headers={"X-Request-Id": "left"},
        buffered=False,
    )
    response.close()
    wait_until(lambda: any("cancelled" in line["message"] for line in lines()))
    assert find(lines, "cancelled after")["request_id"] == "left"
    line = find(lines, "/api/tts")
    assert (line["request_id"], line["status"], line["code"]) == ("left", 200, "client_left")


def test_a_stream_that_breaks_off(bench: Bench, lines: Lines) -> None:
    """Its line tells why, although its status was 200."""
    response = bench.client.post(
        "/api/tts",
        json={"text": "x" * 3000, "stream": True},
        headers={"X-Request-Id": "broken"},
        buffered=False,
    )
    parts = response.iter_encoded()
    next(parts)
    bench.runner.error = RuntimeError("weights on fire")
    with pytest.raises(ConnectionResetError):
        list(parts)
    response.close()
    assert find(lines, "was broken off")["request_id"] == "broken"
    assert find(lines, "POST '/api/tts'")["code"] == "synthesis_failed"


def test_every_segment_of_a_long_text(make_bench: MakeBench, lines: Lines) -> None:
    """The same id, and which segment it is."""
    bench = make_bench(max_segment_chars=50)
    say(bench, "long", text="One sentence that is long enough. " * 4).close()
    ended = [line for line in lines() if "stop after" in line["message"]]
    assert {line["request_id"] for line in ended} == {"long"}
    assert [line["segment"] for line in ended] == [f"{n}/4" for n in (1, 2, 3, 4)]


def test_a_model_that_cannot_be_loaded(make_bench: MakeBench, lines: Lines) -> None:
    """All that is said of its loading is about the request that asked for it."""
    bench = make_bench()
    bench.hub.error = RuntimeError("no such weights")
    say(bench, "asks", model="small").close()
    for word in ("loading the weights", "loading small failed", "could not be loaded"):
        assert [line for line in lines() if word in line["message"]][-1]["request_id"] == "asks"


def test_what_the_service_says(
    make_bench: MakeBench, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a voice that cannot be deleted, say; and the last resort of all requests."""
    bench = make_bench()
    monkeypatch.setattr(bench.service.voices, "delete", lambda voice_id: 1 / 0)
    bench.client.delete("/speakers/x", headers={"X-Request-Id": "mine-3"}).close()
    assert find(lines, "unexpected error")["request_id"] == "mine-3"


def test_plain_lines_end_with_their_context(make_bench: MakeBench) -> None:
    """Before the traceback, if there is one; a made id where none is given."""
    bench = make_bench(max_segment_chars=50)
    with logged("text") as buffer:
        say(bench, "plain", text="One sentence that is long enough. " * 2).close()
        bench.runner.error = RuntimeError("weights on fire")
        response = bench.client.get("/api/tts?text=a")
        response.close()
        bench.client.get("/speakers").close()
    text = buffer.getvalue()
    assert "stop after 33 frames [request_id=plain segment=1/2]\n" in text
    request_id = response.headers["X-Request-Id"]
    assert f"voice: synthesis failed [request_id={request_id}]\nTraceback (most" in text
    assert re.search(
        r" ms \[request_id=plain characters=67 audio_s=5.53 model=voice voice=Ryan ", text
    )
    assert re.search(r"GET '/speakers' 200 in [\d.]+ ms \[request_id=\w+\]\n", text)


def test_lines_without_a_context_end_with_their_message() -> None:
    with logged("text") as buffer, bound_context():
        logging.getLogger("qwen_tts_api.x").info("started")
    assert buffer.getvalue().endswith("INFO     started\n")


@pytest.mark.parametrize("path", ["/api/tts", "/v1/audio/speech", "/process"])
def test_a_text_is_logged_only_where_that_is_asked_for(
    make_bench: MakeBench, lines: Lines, path: str
) -> None:
    """In one field of the request's line, its beginning only."""
    names = {"/api/tts": "text", "/v1/audio/speech": "input", "/process": "INPUT_TEXT"}
    fields = {names[path]: "secret" * 50}
    for log_text, expected in ((False, None), (True, ("secret" * 50)[:199] + "…")):
        bench = make_bench(log_text=log_text, max_segment_chars=100_000)
        send = {"data": fields} if path == "/process" else {"json": fields}
        response = bench.client.post(path, headers={"X-Request-Id": str(log_text)}, **send)
        assert response.status_code == 200
        response.close()
        mine = [line for line in lines() if line.get("request_id") == str(log_text)]
        assert [line["text"] for line in mine if "text" in line] == [expected] * log_text
        assert "secret" not in json.dumps([line | {"text": ""} for line in mine])


def test_a_text_cannot_break_a_line(make_bench: MakeBench) -> None:
    """Nor turn the terminal over."""
    bench = make_bench(log_text=True)
    text = "a\nERROR forged \x1b[2J\u202ez"
    with logged("text") as buffer:
        say(bench, "x", text=text, normalize=False).close()
    [line] = [line for line in buffer.getvalue().splitlines() if "text=" in line]
    assert "[request_id=x characters=21 " in line
    assert line.endswith(r" outcome=stop text='a\nERROR forged \x1b[2J\u202ez']")
