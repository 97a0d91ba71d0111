"""Who used what: the line of each request, and the metrics by API key."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from qwen_tts_api.service.metrics import RequestMetrics
from qwen_tts_api.telemetry import context
from qwen_tts_api.telemetry.context import MAX_LISTED, USAGE_FIELDS, Usage, UtteranceUsage
from qwen_tts_api.telemetry.metrics import MAX_KEYS, OTHER_KEYS, KeyLabels
from tests.conftest import Bench, wait_until
from tests.routes.live.conftest import ServePort, serve_port
from tests.telemetry.test_logs import Lines, find, lines

__all__ = ["lines", "serve_port"]  # fixtures

ALICE, BOB = "alice-0123456789abcdef", "bob-0123456789abcdef"


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    """Return a file with two keys that have names."""
    path = tmp_path / "keys"
    path.write_text(f"alice={ALICE}\nbob={BOB}\n")
    return path


def used(bench: Bench, key: str) -> tuple[float, float]:
    """Return the characters and seconds that the metrics have for a key."""
    registry = bench.service.metrics.registry
    names = ("characters", "audio_seconds")
    counts = [
        registry.get_sample_value(f"qwen_tts_key_{name}_total", {"key": key}) for name in names
    ]
    return counts[0] or 0.0, round(counts[1] or 0.0, 6)


def say(bench: Bench, key: str, **fields: Any) -> Any:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return bench.client.post("/api/tts", json=fields, headers=headers)


def test_a_request_is_told_and_counted(
    make_bench: Callable[..., Bench], keys_file: Path, lines: Lines
) -> None:
    """Whole: all of the text, and the audio that was made of it; by the name, never the key."""
    bench = make_bench(api_keys_file=keys_file)
    say(bench, ALICE, text="Hello", speaker="Serena", seed=7).close()
    say(bench, BOB, text="Hello there", stream=True).close()
    line = lines()[[each["message"][:4] for each in lines()].index("POST")]
    assert {name: line.get(name) for name in USAGE_FIELDS} == {
        "key": "alice",
        "characters": 5,
        "audio_s": 0.4,
        "model": "voice",
        "voice": "Serena",
        "seed": "7",
        "outcome": "stop",
    }
    assert used(bench, "alice") == (5, 0.4)
    assert used(bench, "bob")[0] == 11
    assert used(bench, "") == (0, 0)
    assert not any(ALICE in json.dumps(each) for each in lines())


def test_without_keys_all_counts_under_no_name(bench: Bench, lines: Lines) -> None:
    say(bench, "", text="Hello").close()
    assert used(bench, "") == (5, 0.4)
    assert "key" not in find(lines, "POST")


def test_what_is_no_speech_uses_nothing(
    make_bench: Callable[..., Bench], keys_file: Path, lines: Lines
) -> None:
    """But its line has the key."""
    bench = make_bench(api_keys_file=keys_file)
    bench.client.get("/speakers", headers={"Authorization": f"Bearer {BOB}"}).close()
    line = find(lines, "GET")
    assert line["key"] == "bob"
    assert not set(USAGE_FIELDS[1:]) & set(line)


def test_a_stream_that_is_left_counts_what_was_made(
    make_bench: Callable[..., Bench], lines: Lines
) -> None:
    """The segments that were begun, and the audio that was taken; not what was never spoken."""
    bench = make_bench(max_segment_chars=50)
    sentence = "A sentence of forty characters, and so. "
    response = say(bench, "", text=sentence * 3, stream=True)
    next(response.iter_encoded())
    bench.runner.gate.clear()
    response.close()
    line = find(lines, "POST")
    assert line["outcome"] == line["code"] == "client_left"
    assert line["characters"] in (len(sentence) - 1, 2 * (len(sentence) - 1))
    assert used(bench, "")[0] == line["characters"]
    assert used(bench, "")[1] == pytest.approx(line["audio_s"], abs=1e-3)
    assert 0 < line["audio_s"] < 3 * 0.08 * len(sentence)


def test_what_fails_before_its_first_audio_costs_nothing(bench: Bench, lines: Lines) -> None:
    bench.runner.error = RuntimeError("broken")
    say(bench, "", text="Hello").close()
    line = find(lines, "POST")
    assert (line["characters"], line["audio_s"], line["outcome"]) == (0, 0, "synthesis_failed")
    assert used(bench, "") == (0, 0)


def test_a_socket_is_one_line_with_the_sum(
    serve_port: ServePort, keys_file: Path, lines: Lines
) -> None:
    """Of all that was spoken on it, whichever thread spoke it; the metrics grow meanwhile."""
    port, bench = serve_port(api_keys_file=keys_file)
    headers = {"Authorization": f"Bearer {ALICE}"}
    with closing(connect(f"{port.url}/v1/audio/speech/stream", additional_headers=headers)) as one:
        one.send(json.dumps({"type": "session.config", "voice": "Serena", "seed": 3}))
        for text in ("Hello.", "Goodbye."):
            one.send(json.dumps({"type": "input.text", "text": text}))
            one.send(json.dumps({"type": "input.done"}))
        wait_until(lambda: used(bench, "alice")[0] == len("Hello.Goodbye."))
    wait_until(lambda: any(each.get("status") == 101 for each in lines()))
    [line] = [each for each in lines() if each.get("status") == 101]
    assert (line["key"], line["characters"], line["voice"]) == ("alice", 14, "Serena")
    assert line["audio_s"] == pytest.approx(used(bench, "alice")[1], abs=1e-3)
    assert line["outcome"] == "stop"


def test_the_labels_are_bounded() -> None:
    """However many keys come and go in the file; those that have a label keep it."""
    labels = KeyLabels()
    given = [labels.of(f"key {number}") for number in range(3 * MAX_KEYS)]
    assert given[:MAX_KEYS] == [f"key {number}" for number in range(MAX_KEYS)]
    assert set(given[MAX_KEYS:]) == {OTHER_KEYS}
    assert labels.of("key 0") == "key 0"


def test_a_long_session_s_line_is_short() -> None:
    used = Usage()
    for number in range(100):
        used.add(UtteranceUsage("nano", "", number, "stop", 10, 1.0))
    fields = used.fields()
    assert (fields["characters"], fields["audio_s"], fields["model"]) == (1000, 100.0, "nano")
    assert len(fields["seed"].split(",")) == MAX_LISTED
    assert "voice" not in fields


def test_who_speaks_without_a_request_is_not_counted(bench: Bench) -> None:
    """As the command line does."""
    context.end()
    assert RequestMetrics(bench.service.metrics, delivery="whole")._usage is None
