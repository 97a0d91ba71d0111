"""What the page shows while the server loads, when it dies, and where it wants a key."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from selenium.webdriver.common.keys import Keys
from websockets.sync.client import connect

from bench.server import Server
from tests.browser.conftest import Browser
from tests.browser.page import Page, read_wav
from tests.conftest import Serve

KEY = "alice-日本-0123456789"
OTHER_KEY = "bob-0123456789abcdef"
LONG_TEXT = "The quick brown fox jumps over the lazy dog. " * 20


def test_while_the_model_loads_the_page_says_so(
    browser: Browser, serve: Serve, tmp_path: Path
) -> None:
    """And can be used as soon as it is there, without a reload."""
    may_load = tmp_path / "file"
    server = serve(until=Server.is_up, app="tests.slow_load:app", LOAD_WHEN=str(may_load))
    page = Page(browser, server.url)
    page.until(lambda: page["status"].text.startswith("Loading: "))
    assert not page["speak"].is_enabled()
    may_load.touch()
    page.until_ready()
    assert page["status"].text == "Ready: nano on cpu"
    assert all("503" in complaint for complaint in browser.complaints())


def test_a_server_that_dies_is_not_taken_for_an_end(browser: Browser, serve: Serve) -> None:
    """What came of the audio stays, and is said to be only a part."""
    server = serve()
    page = Page(browser, server.url).until_ready()
    page.type(LONG_TEXT)
    page["speak"].click()
    page.until(lambda: page["state"].text == "speaking")
    os.kill(server.worker(), signal.SIGKILL)
    page.until(lambda: page["state"].text.startswith("broken off"))
    assert "the audio is not whole" in page["error"].text
    assert page["download"].is_enabled()
    server.process.wait(30)
    page.until(lambda: not page["speak"].is_enabled())
    page["text"].send_keys(Keys.CONTROL, Keys.ENTER)
    page.until(lambda: page["error"].text == "The server cannot be reached.")
    browser.complaints()


def test_a_server_with_keys_asks_for_one(browser: Browser, serve: Serve, tmp_path: Path) -> None:
    """It is typed once, and the command names it without showing it. Sockets are opened with it."""
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY}\n{OTHER_KEY}")
    server = serve(QWEN_API_KEYS_FILE=str(keys), QWEN_MAX_SOCKETS="1")
    page = Page(browser, server.url)
    page.until(lambda: "key" in page["error"].text)
    assert browser.switch_to.active_element.get_attribute("id") == "key"
    assert "401" in browser.complaints()[0]
    page["key"].send_keys(KEY, Keys.TAB)
    page.until_ready()
    assert not page["error"].text
    page.say("Hello.")
    assert KEY not in page["curl"].text
    environ = {**os.environ, "TTS_API_KEY": KEY}
    command = ["sh", "-euc", page["curl"].text]
    subprocess.run(command, cwd=tmp_path, env=environ, check=True, stderr=subprocess.DEVNULL)
    assert len(read_wav(tmp_path / "speech.wav")) > 0
    type_live(page, server)


def type_live(page: Page, server: Server) -> None:
    """Type in the live mode, at first while somebody else has the only socket: it is off then."""
    headers = {"Authorization": f"Bearer {OTHER_KEY}"}
    url = f"{server.url.replace('http', 'ws')}/api-ws/v1/realtime"
    with connect(url, additional_headers=headers):
        page["live"].click()
        page["text"].send_keys("More.", Keys.ENTER)
        page.until(lambda: "QWEN_MAX_SOCKETS" in page["error"].text)
        assert not page["live"].is_selected()
    assert any("503" in complaint for complaint in page.browser.complaints())
    page.until(lambda: b"qwen_tts_sockets 0.0" in server.get("/metrics").content)
    page["live"].click()
    page["text"].send_keys("And more.", Keys.ENTER)
    page.until(lambda: page["state"].text == "speaking")
    assert not page["error"].text
