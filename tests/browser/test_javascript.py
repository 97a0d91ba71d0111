"""The JavaScript of `docs/api/javascript.md`, word for word, on a page of another site."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bench.server import ROOT, Server
from tests.browser.conftest import Browser
from tests.conftest import Serve

SNIPPETS = re.findall(
    r"^```js\n(.+?)^```", (ROOT / "docs" / "api" / "javascript.md").read_text(), re.M | re.S
)
KEY = "a-key-öf-some-length"
TEXT = "The quick brown fox jumps over the lazy dog. " * 3


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><link rel=icon href=data:,><title>A site</title>")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Return the origin of a site that is not the server's."""
    site = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{site.server_address[1]}"
    site.shutdown()
    site.server_close()


@pytest.fixture(scope="module")
def open_server(serve: Serve, origin: str) -> Server:
    return serve(QWEN_CORS_ORIGINS=origin)


def run(browser: Browser, origin: str, server: Server, call: str) -> Any:
    """Define what the document defines, evaluate an expression, and return its result."""
    browser.get(origin)
    code = "".join(SNIPPETS)
    result = browser.execute_async_script(
        f"""const done = arguments[0], server = {server.url!r};
        {code}
        (async () => {call})().then(done, (error) => done("failed: " + error))"""
    )
    assert not str(result).startswith("failed: "), result
    return result


def test_the_document_has_its_snippets() -> None:
    assert len(SNIPPETS) == 5


def test_an_audio_element_plays(browser: Browser, origin: str, open_server: Server) -> None:
    run(browser, origin, open_server, 'await play("Hello.")')


def test_a_file_and_a_socket_are_had_with_a_key(
    browser: Browser, origin: str, tmp_path: Path, serve: Serve
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(KEY)
    settings = {"QWEN_API_KEYS_FILE": str(keys), "QWEN_CORS_ORIGINS": origin}
    server = serve(**settings)
    run(browser, origin, server, f'await playWithKey("Hello.", "{KEY}")')
    call = (
        f'{{ let n = 0; await speakWhileWritten(["Hello."], () => (n += 1), "{KEY}"); return n }}'
    )
    assert run(browser, origin, server, call) > 0


def test_a_text_is_spoken_while_it_is_written(
    browser: Browser, origin: str, open_server: Server
) -> None:
    """The first sentence is heard before the second is there."""
    call = """{
        let num = 0, first;
        const heard = new Promise((resolve) => (first = resolve));
        async function* pieces() {
            yield "This is the first sen";
            yield "tence. And here";
            await heard;
            yield " comes the second.";
        }
        await speakWhileWritten(pieces(), (samples) => (num += samples.length) && first());
        return num / 24000;
    }"""
    assert run(browser, origin, open_server, call) > 1


def test_a_stream_is_played_to_its_last_sample(
    browser: Browser, origin: str, open_server: Server
) -> None:
    """It lasts longer than it takes to say a word."""
    call = f"""{{
        const context = new AudioContext();
        const began = context.currentTime;
        return await speak("{TEXT}", context) - began;
    }}"""
    played_s = run(browser, origin, open_server, call)
    assert played_s > 1


def test_events_are_read(browser: Browser, origin: str, open_server: Server) -> None:
    call = """{
        const types = [];
        for await (const event of events("Hello.")) types.push(event.type);
        return types;
    }"""
    types = run(browser, origin, open_server, call)
    assert types[-1] == "speech.audio.done"
    assert set(types[:-1]) == {"speech.audio.delta"}
