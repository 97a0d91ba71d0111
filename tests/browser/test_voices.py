"""Adding a voice on the page, speaking with it, and taking it away."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from bench.server import Server
from tests.browser.conftest import Browser
from tests.browser.page import Page
from tests.conftest import Serve


@pytest.fixture(scope="module")
def voices_server(tmp_path_factory: pytest.TempPathFactory, serve: Serve) -> Server:
    """Return a ready server that has room for voices, and a model that speaks with them."""
    return serve(
        QWEN_MODELS="nano-base",
        QWEN_MAX_LOADED_MODELS="2",
        QWEN_VOICES_DIR=str(tmp_path_factory.mktemp("voices")),
    )


@pytest.fixture
def page(browser: Browser, voices_server: Server) -> Page:
    """Return the page with the dialog open."""
    page = Page(browser, voices_server.url).until_ready()
    page.until(lambda: page["add-voice"].is_displayed())
    page["add-voice"].click()
    return page


def add(page: Page, name: str) -> None:
    """Fill in what is left, and add the voice."""
    page["voice-name"].send_keys(name)
    page["voice-consent"].click()
    page.browser.find_element(By.CSS_SELECTOR, "#voice-form .primary").click()


def test_a_recording_becomes_a_voice(page: Page, voices_server: Server, tmp_path: Path) -> None:
    """From a file; it is chosen, is heard, and can be taken away."""
    recording = tmp_path / "recording.wav"
    recording.write_bytes(
        voices_server.say("A few words that last for more than a second.").content
    )
    page["voice-audio"].send_keys(str(recording))
    page["voice-text"].send_keys("A few words that last for more than a second.")
    add(page, "My Grandmother")
    page.until(lambda: not page["voice-dialog"].is_displayed())
    page.until(lambda: Select(page["speaker"]).first_selected_option.text == "My Grandmother")
    page.say("Hello.")
    assert '"speaker":"my-grandmother"' in page["curl"].text
    page["add-voice"].click()
    page.until(lambda: page["voice-list"].is_displayed())
    delete = page.browser.find_element(By.CSS_SELECTOR, "[aria-label='Delete My Grandmother']")
    delete.click()
    page.browser.switch_to.alert.dismiss()
    assert delete.is_displayed()
    delete.click()
    page.browser.switch_to.alert.accept()
    page.until(lambda: not page["voice-list"].is_displayed())
    page.until(lambda: page.browser.switch_to.active_element == page["voice-cancel"])
    page["voice-cancel"].click()
    assert Select(page["speaker"]).first_selected_option.text == "Ryan"


def test_the_microphone_becomes_a_voice(page: Page) -> None:
    """The browser's fake one, which beeps; its format becomes one that the server reads."""
    page["record"].click()
    page.until(lambda: "2 s" in page["recorded"].text)
    add(page, "Beeps")  # which ends the recording
    page.until(lambda: not page["voice-dialog"].is_displayed())
    page.until(lambda: Select(page["speaker"]).first_selected_option.text == "Beeps")


ASK_LATE = """
    window.streams = [];
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        await new Promise((resolve) => (window.allow = resolve));
        window.streams.push(await ask(wanted));
        return window.streams.at(-1);
    };
"""


def test_no_microphone_is_open_that_nobody_waits_for(page: Page, tmp_path: Path) -> None:
    """The person closes the dialog, or chooses a file, before it is allowed or amid a recording."""

    def states() -> object:
        return page.browser.execute_script("return streams.map((s) => s.getTracks()[0].readyState)")

    page.browser.execute_script(ASK_LATE)
    page["record"].click()
    page["voice-cancel"].click()
    page.browser.execute_script("allow()")
    page.until(lambda: states() == ["ended"])
    page["add-voice"].click()
    page["record"].click()
    page.browser.execute_script("allow()")
    page.until(lambda: states() == ["ended", "live"])
    page.until(lambda: page["recorded"].text.startswith("Recording"))
    file = tmp_path / "empty.wav"
    file.touch()
    page["voice-audio"].send_keys(str(file))
    page.until(lambda: states() == ["ended", "ended"])
    assert page["recorded"].text == ""
    add(page, "Nobody")  # of the file, not of what was recorded
    page.until(lambda: page["voice-error"].text == "The file is empty.")
    page["voice-cancel"].click()


def test_what_cannot_be_added_is_explained_beside_the_field(page: Page, tmp_path: Path) -> None:
    """In the server's words."""
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"RIFF nothing")
    page["voice-audio"].send_keys(str(noise))
    add(page, "Nobody")
    page.until(lambda: page["voice-error"].text)
    assert "400" in page.browser.complaints()[0]
    assert page["voice-dialog"].is_displayed()
    page["voice-cancel"].click()
