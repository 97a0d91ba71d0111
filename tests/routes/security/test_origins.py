"""Which pages of the web may use the server, and by which names it may be called."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from qwen_tts_api.config import Config
from qwen_tts_api.errors import ConfigError
from tests.conftest import Bench
from tests.recordings import recording
from tests.rows import for_each

MakeBench = Callable[..., Bench]
EVIL = "https://evil.example"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


def add_voice(bench: Bench, **headers: str) -> TestResponse:
    """Send what a form of any page can send without asking."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    form = {"name": "Anna", "ref_text": "Hi.", "audio": (io.BytesIO(recording()), "a.wav")}
    return bench.client.post("/speakers", data=form, headers=names)


REFUSED = [
    {"Origin": EVIL},
    {"Origin": EVIL, "Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site", "Origin": "http://localhost:3000"},
    {"Origin": "null"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "http://localhost:8888", "Host": "localhost:9999"},
    {"Origin": "http://"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "chrome-extension://abcdefgh"},
    {"Origin": "a" * 8000},
]


@for_each("headers", REFUSED)
def test_a_page_of_another_site_cannot_write(bench: Bench, headers: dict[str, str]) -> None:
    """Neither add nor delete nor have speech made, in any dialect; what it says is short."""
    response = add_voice(bench, **headers)
    assert (response.status_code, response.get_json()["code"]) == (403, "cross_site")
    assert "QWEN_CORS_ORIGINS" in response.text
    assert len(response.text) < 1000
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    for method, path in (
        ("DELETE", "/speakers/anna"),
        ("DELETE", "/v1/audio/voices/anna"),
        ("POST", "/v1/audio/voices"),
        ("POST", "/v1/audio/speech"),
        ("POST", "/api/tts"),
        ("POST", "/process"),
        ("POST", "/nowhere"),
    ):
        assert bench.client.open(path, method=method, headers=names).status_code == 403, path
    assert bench.service.voices.list("clone") == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "tts.example.com"},  # no browser
        {"Origin": "http://localhost"},
        {"Origin": "http://localhost:8888", "Host": "localhost:8888"},
        {"Origin": "http://LOCALHOST:8888", "Host": "localhost:8888"},
        {"Origin": "http://192.168.1.5:8888", "Host": "192.168.1.5:8888"},
        {"Origin": "http://[::1]:8888", "Host": "[::1]:8888"},
        {"Origin": "http://tts:8888", "Host": "tts:8888"},
        {"Origin": "http://tts.local", "Host": "tts.local:80"},
        {"Origin": "http://tts.lan:8080", "Host": "tts.lan"},  # a proxy that leaves the port out
        {"Origin": "https://tts.example.com", "Host": "tts.example.com"},
        {
            "Origin": "https://tts.example.com",
            "Host": "backend:8888",  # a proxy that puts its own name there
            "Sec_Fetch_Site": "same-origin",
        },
        {"Sec_Fetch_Site": "none"},  # an extension that its user let do it
        {"Sec_Fetch_Mode": "cors"},  # Node's fetch
    ],
)
def test_the_own_page_and_clients_that_are_no_browser_write(
    bench: Bench, headers: dict[str, str]
) -> None:
    assert add_voice(bench, **headers).status_code == 201


@pytest.mark.parametrize(
    "origin",
    [
        "https://a.example",
        "http://localhost:3000",
        "app://obsidian.md",
        "capacitor://localhost",
        "tauri://localhost",
        "chrome-extension://cjpalhdlnbpafiamejdnhcphjbkeiagm",
        "file://",
        "null",
    ],
)
def test_a_listed_origin_is_let_in(make_bench: MakeBench, origin: str) -> None:
    """Whatever its scheme: it may ask, write and read; from the web into a private network, too."""
    origins = Config.from_env(
        {"QWEN_CORS_ORIGINS": f"https://other.example, {origin}"}
    ).cors_origins
    bench = make_bench(cors_origins=origins)
    asked = bench.client.options("/speakers", headers={"Origin": origin, **PREFLIGHT})
    assert asked.headers["Access-Control-Allow-Origin"] == origin
    assert asked.headers["Access-Control-Allow-Private-Network"] == "true"
    assert asked.headers["Access-Control-Allow-Headers"] == "authorization,content-type"
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    added = add_voice(bench, Origin=origin, Sec_Fetch_Site="cross-site")
    assert added.status_code == 201
    assert added.headers["Access-Control-Allow-Origin"] == origin
    assert "X-Seed" in added.headers["Access-Control-Expose-Headers"]
    assert "Origin" in added.vary
    assert add_voice(bench, Origin=EVIL).status_code == 403


def test_a_cache_is_told_that_answers_depend_on_the_origin(make_bench: MakeBench) -> None:
    """Those to others and to nobody in particular as well."""
    bench = make_bench(cors_origins=("https://a.example",))
    for headers in ({}, {"Origin": EVIL}, {"Origin": "https://a.example"}):
        assert "Origin" in bench.client.get("/speakers", headers=headers).vary
    refused = bench.client.options("/speakers", headers={"Origin": EVIL, **PREFLIGHT})
    assert not [name for name, _ in refused.headers if name.startswith("Access-Control")]


def test_errors_can_be_read_too(make_bench: MakeBench) -> None:
    bench = make_bench(cors_origins=("https://a.example",))
    error = bench.client.get("/api/tts", headers={"Origin": "https://a.example"})
    assert error.status_code == 400
    assert error.headers["Access-Control-Allow-Origin"] == "https://a.example"


def test_every_origin_may_be_let_in(make_bench: MakeBench) -> None:
    bench = make_bench(cors_origins=("*",))
    assert add_voice(bench, Origin=EVIL, Sec_Fetch_Site="cross-site").status_code == 201
    assert bench.client.get("/speakers").headers["Access-Control-Allow-Origin"] == "*"


def test_no_origin_is_allowed_by_default(bench: Bench) -> None:
    """Reading stays open, as an `<audio src>` needs it, but no script sees the answer."""
    for path in ("/speakers", "/api/tts?text=Hi"):
        response = bench.client.get(path, headers={"Origin": EVIL, "Sec-Fetch-Site": "cross-site"})
        assert response.status_code == 200
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("https://A.example/", ("https://a.example",)),
        ("https://a.example:443,http://b.example:80", ("https://a.example", "http://b.example")),
        ("http://[::1]:3000", ("http://[::1]:3000",)),
        ("*", ("*",)),
    ],
)
def test_origins_are_read_as_browsers_write_them(written: str, read: tuple[str, ...]) -> None:
    assert Config.from_env({"QWEN_CORS_ORIGINS": written}).cors_origins == read


@pytest.mark.parametrize(
    "written", ["a.example", "https://", "https://a.example/path", "https://*"]
)
def test_what_is_no_origin_is_refused(written: str) -> None:
    with pytest.raises(ConfigError, match="QWEN_CORS_ORIGINS"):
        Config.from_env({"QWEN_CORS_ORIGINS": written})


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8888", "10.0.0.1.evil.example"])
def test_dns_rebinding_is_refused(bench: Bench, host: str) -> None:
    """To the browser page and server have one origin; HTTPS excludes it."""
    response = add_voice(bench, Host=host, Origin=f"http://{host}")
    assert (response.status_code, response.get_json()["code"]) == (403, "host_not_allowed")
    assert "QWEN_ALLOWED_HOSTS" in response.text
    listed = bench.client.get("/speakers", headers={"Host": host})
    assert listed.status_code == 200
    assert "evil" not in listed.text


ALLOWED = "tts.example.com, *.cluster.example"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("tts.example.com", 200),
        ("TTS.example.com.:8888", 200),
        ("a.cluster.example", 200),
        ("localhost:8888", 200),
        ("10.1.2.3:8888", 200),
        ("[::1]:8888", 200),
        ("evil.example", 403),
        ("tts.example.com.evil.example", 403),
        ("cluster.example", 403),
        ("notts.example.com", 403),
        ("tts", 403),
        ("x" * 60, 403),
    ],
)
def test_where_names_are_listed_others_are_refused(
    make_bench: MakeBench, host: str, status: int
) -> None:
    """Addresses cannot be rebound; probes are asked by any name."""
    names = Config.from_env({"QWEN_ALLOWED_HOSTS": ALLOWED}).allowed_hosts
    bench = make_bench(allowed_hosts=names)
    headers = {"Host": host}
    for path in ("/speakers", "/", "/v1/models"):
        response = bench.client.get(path, headers=headers)
        assert response.status_code == status
        assert len(response.headers.get("X-Request-Id", "")) == 32
    deleted = bench.client.delete("/speakers/anna", headers=headers)
    assert deleted.status_code == (404 if status == 200 else 403)
    for path in ("/healthz", "/readyz", "/metrics"):
        assert bench.client.get(path, headers=headers).status_code == 200


def test_a_listed_name_has_a_page(make_bench: MakeBench) -> None:
    """Without HTTPS, too; and links may have the name."""
    bench = make_bench(allowed_hosts=("tts.example.com",))
    headers = {"Host": "tts.example.com", "Origin": "http://tts.example.com"}
    assert add_voice(bench, **headers).status_code == 201
    listed = bench.client.get("/speakers", headers=headers).get_json()
    assert listed[0]["preview_url"].startswith("http://tts.example.com/api/tts?")


@for_each("written", ["a b", "https://a.example", "a.example:80", "*.", "a*"])
def test_what_is_no_host_is_refused(written: str) -> None:
    with pytest.raises(ConfigError, match="QWEN_ALLOWED_HOSTS"):
        Config.from_env({"QWEN_ALLOWED_HOSTS": written})
