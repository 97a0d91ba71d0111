"""Keys, rate limit, origins."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from qwen_tts_api.errors import ConfigError
from qwen_tts_api.service.keys import ApiKeys
from tests.conftest import Bench

MakeBench = Callable[..., Bench]
ALICE, BOB = "alice-0123456789abcdef", "Ym9iLTAxMjM0NTY3ODlhYg=="


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    """Return a file with two keys."""
    path = tmp_path / "keys"
    path.write_text(f"# who may come in\nalice={ALICE}\n\n{BOB}\n")
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
    """As a mounted Secret is: a new file under the old name. A broken one changes nothing."""
    bench = make_bench(api_keys_file=keys_file)
    new = keys_file.with_name("new")
    new.write_text("carol-0123456789abcdef\n")
    os.replace(new, keys_file)
    assert ask(bench, ALICE) == 401
    assert ask(bench, "carol-0123456789abcdef") == 200
    keys_file.write_text("short\n")
    assert ask(bench, "carol-0123456789abcdef") == 200
    keys_file.unlink()
    assert ask(bench, "carol-0123456789abcdef") == 200


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


def test_origins(make_bench: MakeBench, keys_file: Path) -> None:
    """Only those that are listed; a preflight needs no key, and errors can be read, too."""
    bench = make_bench(cors_origins=("https://a.example",), api_keys_file=keys_file)
    preflight = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    allowed = bench.client.options("/api/tts", headers={"Origin": "https://a.example", **preflight})
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert "authorization" in allowed.headers["Access-Control-Allow-Headers"]
    refused = bench.client.options("/api/tts", headers={"Origin": "https://b.example", **preflight})
    assert "Access-Control-Allow-Origin" not in refused.headers
    error = bench.client.get("/api/tts", headers={"Origin": "https://a.example"})
    assert error.status_code == 401
    assert error.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert "X-Seed" in error.headers["Access-Control-Expose-Headers"]


def test_no_origin_is_allowed_by_default(bench: Bench) -> None:
    response = bench.client.get("/speakers", headers={"Origin": "https://a.example"})
    assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
