"""The page at `/`, by its elements' names."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.browser.conftest import Browser
from tests.conftest import wait_until


class Page:
    """What a person sees of it and does with it."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser = browser
        browser.get(url)

    def __getitem__(self, name: str) -> WebElement:
        return self.browser.find_element(By.ID, name)

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for what the page or the server is about to do."""

        def holds() -> object:
            try:
                return condition()
            except StaleElementReferenceException:
                return False  # the page replaced it while it was looked at

        wait_until(holds, 60)

    def until_ready(self) -> Page:
        """Wait until something can be said."""
        self.until(lambda: self["speak"].is_enabled() and self["language"].text)
        return self

    def type(self, text: str) -> None:
        """Replace the text, as a person does it."""
        self["text"].send_keys(Keys.CONTROL, "a")
        self["text"].send_keys(text)

    def say(self, text: str) -> None:
        """Say a text to its end."""
        self.type(text)
        self["text"].send_keys(Keys.CONTROL, Keys.ENTER)
        self.until(lambda: self["state"].text.startswith("complete"))


def read_wav(path: Path) -> npt.NDArray[np.int16]:
    """Return the samples of a file, which must be one of this server's."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")
