"""A real Chromium before a real server. Its driver, too, is a package of the system."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from bench.server import Server
from tests.conftest import Serve

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--autoplay-policy=no-user-gesture-required"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, so that they run where a browser is, and are asked for."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def server(serve_shared: Serve) -> Server:
    """Return a ready server with a model of each kind."""
    return serve_shared(QWEN_MODELS="nano-design,nano-base", QWEN_MAX_LOADED_MODELS="3")


class Browser(Chrome):
    """A Chromium that has never been used; files that it saves are in `downloads`."""

    def __init__(self, folder: Path) -> None:
        self.downloads = folder / "downloads"
        self.downloads.mkdir()
        options = ChromeOptions()
        options.binary_location = _program("chromium")
        for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}", "--window-size=1000,900"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        options.add_experimental_option(
            "prefs", {"download.default_directory": str(self.downloads)}
        )
        super().__init__(options=options, service=Service(_program("chromedriver")))
        self.set_script_timeout(30)

    def emulate(self, command: str, **parameters: Any) -> None:
        """Pretend to be another device, in the words of the DevTools protocol."""
        self.execute_cdp_cmd(f"Emulation.{command}", parameters)

    def log(self, name: str) -> list[dict[str, Any]]:
        """Return what has come into one of the browser's logs since the last time."""
        entries: list[dict[str, Any]] = self.get_log(name)  # type: ignore[no-untyped-call]
        return entries

    def forget(self) -> None:
        """Be what it was at first."""
        self.emulate("clearDeviceMetricsOverride")
        self.emulate("setEmulatedMedia", features=[])
        for file in self.downloads.iterdir():
            file.unlink()
        for log in ("browser", "performance"):
            self.log(log)

    def complaints(self) -> list[str]:
        """Return what is in the console: exceptions, refused sources, failed requests."""
        return [entry["message"] for entry in self.log("browser")]

    def hosts(self) -> set[str | None]:
        """Return whom the pages have asked for anything."""
        messages = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        urls = [
            urlsplit(message["params"]["request"]["url"])
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]
        return {url.hostname for url in urls if url.scheme in ("http", "https", "ws", "wss")}


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return the one browser of all tests: to start it takes longer than most of them."""
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """Return a browser as if new. What JavaScript complains of, or a request abroad, is a failure.

    A test that expects a complaint takes it out of the log: `browser.complaints()`.
    """
    chromium.forget()
    yield chromium
    chromium.execute_script("try { sessionStorage.clear() } catch {}")  # a `data:` page has none
    chromium.get("about:blank")  # nothing goes on
    assert chromium.complaints() == []
    assert chromium.hosts() <= {"127.0.0.1"}


def _program(name: str) -> str:
    path = shutil.which(name)
    assert path, f"{name} is not installed (on Debian: apt install chromium chromium-driver)"
    return path
