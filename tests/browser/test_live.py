"""The live mode of the page: what is typed is heard while it is typed."""

from __future__ import annotations

from collections import Counter

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from bench.server import Server
from tests.browser.conftest import Browser
from tests.browser.page import Page, read_wav
from tests.conftest import endings

# Notes what is sent to the server, from outside the page's own code.
LISTEN = """
    window.sent = [];
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (message) {
        window.sockets = [...(window.sockets ?? []), this];
        window.sent.push(JSON.parse(message));
        return send.call(this, message);
    };
"""


class LivePage(Page):
    """The page with the live mode on, its field empty."""

    def __init__(self, browser: Browser, url: str) -> None:
        super().__init__(browser, url)
        self.until_ready()
        browser.execute_script(LISTEN)
        self["live"].click()

    def write(self, *keys: str) -> None:
        """Type where the cursor is."""
        self["text"].send_keys(*keys)

    @property
    def texts(self) -> list[str]:
        """The text that each response was asked for with."""
        messages = self.browser.execute_script("return window.sent")
        texts = [""]
        for message in messages:
            if message["type"] == "input_text_buffer.append":
                texts[-1] += message["text"]
            elif texts[-1] and message["type"] != "response.cancel":
                texts.append("")
        return [text for text in texts if text]

    def marked(self, name: str) -> str:
        """Return the text that has a mark."""
        script = f"return document.querySelector('#marks .{name}').textContent"
        return str(self.browser.execute_script(script))

    def until_heard(self) -> None:
        """Wait for sound."""
        self.until(lambda: self["state"].text == "speaking")


@pytest.fixture
def page(browser: Browser, server: Server) -> LivePage:
    """Return the page of a server that the tests share."""
    return LivePage(browser, server.url)


def test_a_sentence_is_heard_while_the_next_is_typed(page: LivePage) -> None:
    """A pause of the keyboard speaks the rest; all of it can be downloaded, as it was heard."""
    page.write("This is the first sentence. And")
    page.until_heard()
    assert int(page["first-audio"].text.removesuffix(" ms")) > 0
    assert page.texts[0].startswith("This is the first sentence. ")
    page.write(" the second")
    page.until(lambda: page["state"].text == "complete" and "42 sent" in page["count"].text)
    assert "".join(page.texts) == "This is the first sentence. And the second"
    page.until(lambda: page.marked("heard").endswith("the second"))
    assert page.marked("sent") == ""
    page["download"].click()
    saved = page.browser.downloads / "speech.wav"
    page.until(saved.exists)
    duration_s = float(page["duration"].text.removesuffix(" s"))
    assert len(read_wav(saved)) / 24_000 == pytest.approx(duration_s, abs=0.01)
    assert not page["format"].is_enabled(), "the server has no such audio to encode"


def test_enter_speaks_at_once_and_more_goes_on_in_the_same_session(page: LivePage) -> None:
    Select(page["speaker"]).select_by_value("Vivian")
    page.write("Half a sentence", Keys.ENTER)
    page.until(lambda: page["state"].text == "complete")
    page.write("And more", Keys.ENTER)
    page.until(lambda: page["state"].text == "complete" and len(page.texts) == 2)
    assert page.texts == ["Half a sentence\n", "And more\n"]
    sent = page.browser.execute_script("return window.sent")
    [update] = [each for each in sent if each["type"] == "session.update"]
    assert update["session"]["voice"] == "Vivian"


def test_escape_interrupts_and_tells_how_far_it_was_heard(page: LivePage, server: Server) -> None:
    """The model is free; what is typed next is spoken alone."""
    before = endings(server)
    page.write("The quick brown fox jumps over the lazy dog. " * 6)
    page.until_heard()
    page.write(Keys.ESCAPE)
    page.until(lambda: "Interrupted after “" in page["live-line"].text)
    assert "of 270 characters" in page["live-line"].text
    assert page["live-line"].get_attribute("role") == "status"
    page.until(lambda: endings(server) - before == Counter(client_left=1))
    assert page["state"].text == "interrupted"
    page.write("Next.", Keys.ENTER)
    page.until(lambda: page["state"].text == "complete")
    assert page.texts[-1] == "Next.\n"


def test_a_change_of_what_was_sent_speaks_its_sentence_again(page: LivePage) -> None:
    """When the keyboard rests, and from the beginning of the sentence."""
    page.write("This is the first sentence. Here come the secnd and the end.", Keys.ENTER)
    page.until(lambda: page["state"].text == "complete")
    page["stop"].click()  # the sound: else it goes on with the sentence that is heard
    page["text"].click()
    page.write(Keys.CONTROL, Keys.END, Keys.NULL, Keys.ARROW_LEFT * 16, "o")
    page.until(lambda: len(page.texts) == 2)
    assert page.texts[1] == "Here come the second and the end.\n"


def test_a_change_of_what_is_being_spoken_interrupts_it(page: LivePage, server: Server) -> None:
    before = endings(server)
    page.write("The quick brown fox jumps over the lazy dog. " * 6)
    page.until_heard()
    page.write(Keys.BACKSPACE * 4)
    assert "Interrupted" in page["live-line"].text
    page.until(lambda: endings(server)["client_left"] > before["client_left"])
    page.until(lambda: page.texts[-1].endswith("the lazy d"))


def test_deleting_it_all_stops(page: LivePage) -> None:
    page.write("The quick brown fox jumps over the lazy dog. " * 6)
    page.until_heard()
    page.write(Keys.CONTROL, "a", Keys.NULL, Keys.BACKSPACE)
    assert (page["live-line"].text, page["state"].text) == ("Interrupted.", "interrupted")


def test_half_a_chinese_word_is_not_sent(page: LivePage) -> None:
    """What an input method has not finished."""
    page.write("x")
    page.browser.execute_cdp_cmd(
        "Input.imeSetComposition", {"text": "nihao", "selectionStart": 5, "selectionEnd": 5}
    )
    page.browser.execute_cdp_cmd("Input.insertText", {"text": "你好"})
    page.until(lambda: page["state"].text == "complete")
    assert page.texts == ["x你好"]


def test_word_by_word_is_a_choice(page: LivePage) -> None:
    """Audio comes before the sentence has ended; a reload forgets nothing that was chosen."""
    page.browser.execute_script("document.querySelector('details').open = true")
    Select(page["live_mode"]).select_by_value("continuous")
    page.write("One word and another of them")
    page.until_heard()
    sent = page.browser.execute_script("return window.sent")
    assert sent[0]["session"]["live_mode"] == "continuous"


def test_what_is_wrong_with_a_field_stands_beside_it(page: LivePage) -> None:
    page.browser.execute_script("document.querySelector('details').open = true")
    page["temperature"].send_keys("11")
    page.write("Hello.", Keys.ENTER)
    page.until(lambda: page["error"].text)
    assert page["temperature"].get_attribute("aria-invalid") == "true"


def test_nothing_is_sent_while_a_field_is_wrong(page: LivePage) -> None:
    """It is shown, and what was typed is spoken when it is right."""
    page.browser.execute_script("document.getElementById('seed').value = 'abc'")
    page.write("Hello.", Keys.ENTER)
    assert page.browser.switch_to.active_element == page["seed"]
    assert page["seed"].is_displayed()
    page["seed"].clear()
    page["text"].send_keys(Keys.CONTROL, Keys.END)
    page.write(Keys.NULL, "Hello.", Keys.ENTER)
    page.until_heard()
    assert page.texts == ["Hello.\nHello.\n"]


def test_a_connection_that_breaks_off_is_told_and_speak_goes_on(page: LivePage) -> None:
    page.write("The quick brown fox jumps over the lazy dog. " * 4)
    page.until_heard()
    page.browser.execute_script("window.sockets.at(-1).close()")
    page.until(lambda: "broke off" in page["error"].text)
    page["speak"].click()
    page.until_heard()
    assert len(page.texts[-1]) % 45 == 0
    assert not page["error"].text
