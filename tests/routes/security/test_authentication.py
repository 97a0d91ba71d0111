"""Keys and rate limits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from werkzeug.test import TestResponse as Response

from qwen_tts_api.config import reloaded_file
from qwen_tts_api.errors import ConfigError
from qwen_tts_api.routes.security.authentication import MAX_WRONG_KEYS, has_key, is_open
from qwen_tts_api.service.api_keys import ApiKeys
from tests.conftest import Bench
from tests.rows import for_each

MakeBench = Callable[..., Bench]
ALICE, BOB = "alice-0123456789abcdef", "Ym9iLTAxMjM0NTY3ODlhYg=="


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    """Return a file with two keys."""
    path = tmp_path / "keys"
    path.write_text(f"# API keys\nalice={ALICE}\n\n{BOB}\n")
    return path


def ask(bench: Bench, key: str = "", path: str = "/api/tts?text=Hi") -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return bench.client.get(path, headers=headers).status_code


def test_a_key_is_needed_where_there_are_keys(make_bench: MakeBench, keys_file: Path) -> None:
    """Any of them; before the request is looked at. Probes and metrics need none."""
    bench = make_bench(api_keys_file=keys_file)
    assert ask(bench, ALICE) == 200
    assert ask(bench, BOB) == 200
    assert ask(bench, path="/speakers") == 401
    assert ask(bench, path="/nowhere") == 401
    for wrong in ("alice", ALICE + "x", "ключ"):
        assert ask(bench, wrong.encode().decode("latin-1")) == 401
    response = bench.client.post("/api/tts", data=b"{", content_type="application/json")
    assert (response.status_code, response.get_json()["code"]) == (401, "unauthorized")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    for path in ("/healthz", "/readyz", "/metrics"):
        assert ask(bench, path=path) == 200
    basic = bench.client.get("/speakers", headers={"Authorization": f"Basic {ALICE}"})
    assert basic.status_code == 401


def test_keys_are_changed_without_a_restart(make_bench: MakeBench, keys_file: Path) -> None:
    """As a mounted Secret is: a new file under the old name. Only a missing one changes nothing."""
    bench = make_bench(api_keys_file=keys_file)
    new = keys_file.with_name("new")
    new.write_text("carol-0123456789abcdef\n")
    os.replace(new, keys_file)
    assert ask(bench, ALICE) == 401
    assert ask(bench, "carol-0123456789abcdef") == 200
    keys_file.unlink()
    assert ask(bench, "carol-0123456789abcdef") == 200
    keys_file.write_text("short\n")
    assert ask(bench, "carol-0123456789abcdef") == 401


def test_probes_and_metrics_tell_what_is_wrong_with_the_keys(
    make_bench: MakeBench, keys_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a request that shows a key: an operator looks there after changing the file."""
    bench = make_bench(api_keys_file=keys_file)

    monkeypatch.setattr(reloaded_file, "SETTLE_S", 3600)

    def told() -> tuple[str, str, str]:
        ready = bench.client.get("/readyz")
        assert ready.status_code == 200
        metrics = bench.client.get("/metrics").text.splitlines()
        lines = [line.split()[1] for line in metrics if line.startswith("qwen_tts_api_keys")]
        return ready.get_json()["api_keys"], lines[0], lines[1]

    assert told() == ("ok", "2.0", "1.0")
    keys_file.rename(keys_file.with_name("away"))
    assert told() == ("unreadable", "2.0", "0.0")
    keys_file.write_text(f"{ALICE}\nshort\n")
    assert told() == ("faulty", "1.0", "0.0")
    keys_file.write_text("")
    assert told() == ("unreadable", "1.0", "0.0")  # it may be being written
    os.utime(keys_file, (0, 0))
    assert told() == ("faulty", "0.0", "0.0")
    keys_file.write_text(f"{ALICE}\n")
    assert told() == ("ok", "1.0", "1.0")


def test_wrong_keys_are_limited_and_right_ones_are_not(
    make_bench: MakeBench, keys_file: Path
) -> None:
    """By address: who guesses is told to wait, who shares the address behind a proxy is served."""
    client = make_bench(api_keys_file=keys_file).client

    def ask_from(address: str, key: str) -> Response:
        headers = {"Authorization": f"Bearer {key}"}
        return client.get("/speakers", headers=headers, environ_overrides={"REMOTE_ADDR": address})

    for number in range(MAX_WRONG_KEYS):
        address = f"2001:db8::{number + 1:x}"  # a host has all addresses of its network
        assert ask_from(address, f"wrong-0123456789-{number}").status_code == 401
    refused = ask_from("2001:db8::1", "wrong-0123456789")
    assert (refused.status_code, refused.get_json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert ask_from("2001:db8::1", ALICE).status_code == 200
    assert ask_from("2001:db8:0:1::1", "wrong-0123456789").status_code == 401


@pytest.mark.parametrize("content", ["", "# none\n", "short\n"])
def test_a_file_without_usable_keys_is_refused(tmp_path: Path, content: str) -> None:
    """At start: an empty file is a mistake, and would lock everybody out or in."""
    path = tmp_path / "keys"
    with pytest.raises(ConfigError, match="QWEN_API_KEYS_FILE"):
        ApiKeys(path)
    path.write_text(content)
    with pytest.raises(ConfigError, match="QWEN_API_KEYS_FILE"):
        ApiKeys(path)


def test_a_rate_limit_is_each_key_s_own(make_bench: MakeBench, keys_file: Path) -> None:
    """429 with the seconds until there is room; whoever has another key is not touched."""
    bench = make_bench(api_keys_file=keys_file, rate_limit=3)
    assert [ask(bench, ALICE) for _ in range(4)] == [200, 200, 200, 429]
    assert ask(bench, BOB) == 200
    response = bench.client.get("/speakers", headers={"Authorization": f"Bearer {ALICE}"})
    assert response.get_json()["code"] == "rate_limited"
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert ask(bench, path="/healthz") == 200


def test_a_clock_that_is_set_back_keeps_nobody_out(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait that is asked for is that of a minute, whatever the machine's time says."""
    client = make_bench(rate_limit=1).client
    assert client.get("/speakers").status_code == 200
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    assert 1 <= int(client.get("/speakers").headers["Retry-After"]) <= 60


def test_a_rate_limit_without_keys_is_each_address_s(make_bench: MakeBench) -> None:
    """The peer's, which a client cannot choose by a header."""
    bench = make_bench(rate_limit=1)
    statuses = [
        bench.client.get(
            "/speakers",
            environ_overrides={"REMOTE_ADDR": address},
            headers={"X-Forwarded-For": "1.2.3.4"},
        ).status_code
        for address in ("10.0.0.1", "10.0.0.2", "10.0.0.1")
    ]
    assert statuses == [200, 200, 429]


@for_each(
    ("line", "field", "expected"),
    [
        (b"POST /api/tts HTTP/1.1", b"Authorization: Bearer " + ALICE.encode(), True),
        (b"POST /api/tts HTTP/1.1", b"authorization:bearer " + BOB.encode() + b" ", True),
        (b"POST /api/tts?text=a HTTP/1.1", b"xi-api-key: " + ALICE.encode(), True),
        (b"POST /api/tts HTTP/1.1", b"Authorization: Bearer alice-0123456789abcde", False),
        (b"POST /api/tts HTTP/1.1", b"Authorization: Basic " + ALICE.encode(), False),
        (b"POST /api/tts HTTP/1.1", b"Host: x", False),
        (b"OPTIONS /api/tts HTTP/1.1", b"Host: x", True),
        (b"POST /readyz HTTP/1.1", b"Host: x", True),
        (b"nonsense", b"Host: x", True),
    ],
)
def test_a_body_is_received_for_a_key_alone(
    keys_file: Path, line: bytes, field: bytes, expected: bool
) -> None:
    """What the head says is enough to refuse it; what is no request is refused by the parser."""
    head = b"%s\r\n%s\r\n\r\n" % (line, field)
    assert has_key(head, ApiKeys(keys_file)) is expected
    assert has_key(head, None)


@for_each(
    ("path", "expected"),
    [
        *((path, True) for path in ("/", "/healthz", "/docs", "/docs/x.js", "/static/page.js")),
        *((path, False) for path in ("/docsx", "/static", "/api/tts", "/healthz/", "/v1/models")),
    ],
)
def test_no_path_is_open_but_those_that_need_to_be(path: str, expected: bool) -> None:
    assert is_open(path) is expected
