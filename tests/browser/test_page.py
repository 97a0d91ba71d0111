"""The page at `/` in a browser: what a person sees, hears and gets."""

from __future__ import annotations

import functools
import itertools
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from bench.server import Server
from tests.browser.conftest import Browser
from tests.browser.page import Page, read_wav
from tests.conftest import assert_same, endings

TEXT = 'It\'s "quoted", $HOME, `id`, back\\slash, 100 % and 你好.'
LONG_TEXT = "The quick brown fox jumps over the lazy dog. " * 20


@pytest.fixture
def page(browser: Browser, server: Server) -> Page:
    """Return the page, ready."""
    return Page(browser, server.url).until_ready()


# Counts what reaches the loudspeaker, from outside the page's own code.
LISTEN = """
    window.heard = [];
    const start = AudioBufferSourceNode.prototype.start;
    AudioBufferSourceNode.prototype.start = function (at) {
        window.heard.push([at, this.buffer.length]);
        window.clock = () => this.context.currentTime;
        return start.call(this, at);
    };
"""


def test_speaking_by_keyboard_is_heard_while_it_is_made(page: Page) -> None:
    """Ctrl+Enter; sound goes on without gaps, and the figures are there."""
    page.browser.execute_script(LISTEN)
    page.say("Hello there, this is a sentence. And this is another one.")
    heard = page.browser.execute_script("return window.heard")
    assert len(heard) > 1, "it came in pieces"
    if page["state"].text == "complete":  # without a gap: each piece begins where the last ends
        for (at, length), (following, _) in itertools.pairwise(heard):
            assert following == pytest.approx(at + length / 24_000, abs=1e-6)
    duration_s = sum(length for _, length in heard) / 24_000
    assert page["duration"].text == f"{duration_s:.2f} s"
    assert int(page["first-audio"].text.removesuffix(" ms")) > 0
    assert float(page["rtf"].text.split()[0]) > 0
    clock = page.browser.execute_script("return window.clock()")
    page.until(lambda: page.browser.execute_script("return window.clock()") > clock)


def test_the_words_are_shown_as_they_are_spoken(page: Page) -> None:
    """The one that is heard is marked, wherever one listens; of the text without its markup."""
    assert not page["words"].is_displayed()
    page.say("Hello **there**, this is\n\na sentence. And another.")
    assert page["words"].text.split() == "Hello there, this is a sentence. And another.".split()
    script = "return [...document.querySelectorAll('#words .heard')].map((s) => s.textContent)"
    page.browser.execute_script(
        """
        const position = document.getElementById("position");
        position.value = position.max * 0.9;
        position.dispatchEvent(new Event("input"));
        """
    )
    page.until(lambda: page.browser.execute_script(script) == ["another."])
    page.say("Next.")
    assert page["words"].text == "Next."


def test_a_text_outlives_a_reload(page: Page) -> None:
    """With its count."""
    page.type("Not lost.")
    page.browser.refresh()
    assert page.until_ready()["text"].get_property("value") == "Not lost."
    assert page["count"].text.startswith("9 of ")


def test_the_waveform_is_drawn(page: Page) -> None:
    """It is not the flat line that it was."""
    before = page.browser.execute_script("return document.querySelector('canvas').toDataURL()")
    page.say("Hello.")
    page["stop"].click()
    after = page.browser.execute_script("return document.querySelector('canvas').toDataURL()")
    assert after != before


def test_the_download_is_what_was_heard_and_the_command_makes_the_same(
    page: Page, tmp_path: Path
) -> None:
    """A WAV made in the page; the shown command, run by a shell, whatever is in the text."""
    page.say(TEXT)
    page["download"].click()
    saved = page.browser.downloads / "speech.wav"
    page.until(saved.exists)
    samples = read_wav(saved)
    assert len(samples) / 24_000 == pytest.approx(float(page["duration"].text.split()[0]), abs=0.01)
    assert np.abs(samples).max() > 300
    assert '"seed":' in page["curl"].text
    subprocess.run(
        ["sh", "-euc", page["curl"].text], cwd=tmp_path, check=True, stderr=subprocess.DEVNULL
    )
    assert_same(read_wav(tmp_path / "speech.wav"), samples)


def test_another_format_is_made_by_the_server_with_the_same_seed(page: Page) -> None:
    page.say("Hello.")
    Select(page["format"]).select_by_visible_text("ogg")
    page["download"].click()
    saved = page.browser.downloads / "speech.ogg"
    page.until(saved.exists)
    assert saved.read_bytes().startswith(b"OggS")


def test_a_kept_seed_gives_the_same_again(page: Page) -> None:
    """Also one with more digits than JavaScript's numbers hold."""
    page.say("Hello.")
    command = page["curl"].text
    page["keep-seed"].click()
    page.say("Hello.")
    assert page["curl"].text == command
    page["seed"].clear()
    page["seed"].send_keys(str(2**63 - 1))
    page.say("Hello.")
    assert f'"seed":{2**63 - 1}}}' in page["curl"].text


def test_stopping_frees_the_model(page: Page, server: Server) -> None:
    """The sound ends, what came stays, and the server works on it no more; by button and by key."""

    def press_escape() -> None:
        page["text"].send_keys(Keys.ESCAPE)

    page.type(LONG_TEXT)
    for stop in (page["stop"].click, press_escape):
        stopped = endings(server) + Counter(client_left=1)
        page["speak"].click()
        page.until(lambda: page["state"].text == "speaking")
        stop()
        page.until(functools.partial(has_ended, server, stopped))
        assert page["state"].text.startswith("stopped")
        assert page["play"].text == "Play"
        assert page["play"].is_enabled()


def has_ended(server: Server, counts: Counter[str]) -> bool:
    return endings(server) == counts


def test_what_was_said_can_be_heard_again_from_anywhere(page: Page) -> None:
    """Play and pause; the position is a slider, which has keys."""
    page.say(LONG_TEXT[:180])  # so that it does not end while this test is looking elsewhere
    page["stop"].click()
    page.until(lambda: page["play"].text == "Play")
    page["play"].click()
    page.until(lambda: page["play"].text == "Pause")
    page["play"].click()
    page.until(lambda: page["play"].text == "Play")
    page["position"].send_keys(Keys.ARROW_RIGHT)
    page.until(lambda: page["play"].text == "Pause")
    assert "seconds" in str(page["position"].get_attribute("aria-valuetext"))


def test_an_error_is_read_out_and_stands_beside_its_field(page: Page) -> None:
    """And is gone with the next request that is right."""
    page.browser.find_element(By.TAG_NAME, "summary").click()
    page["temperature"].send_keys("11")
    page["speak"].click()
    page.until(lambda: page["error"].text)
    assert page["error"].get_attribute("role") == "alert"
    assert "temperature: Must be" in page["error"].text
    assert page["temperature"].get_attribute("aria-invalid") == "true"
    assert page["temperature"].get_attribute("aria-describedby") == "temperature-fault"
    assert "Must be" in page["temperature-fault"].text
    assert page["state"].text == "refused"
    assert "400" in page.browser.complaints()[0]
    page["temperature"].clear()
    page.say("Hello.")
    assert not page["error"].text
    assert page["temperature"].get_attribute("aria-invalid") is None


def test_a_blank_text_is_refused_in_the_servers_words(page: Page) -> None:
    page.type(" ")
    page["speak"].click()
    page.until(lambda: "ext" in page["error"].text)
    page.browser.complaints()


def test_a_wrong_field_is_shown_where_it_is_hidden(page: Page) -> None:
    """As a browser refuses it, before the server does."""
    more = page.browser.find_element(By.TAG_NAME, "summary")
    more.click()
    page["seed"].send_keys("abc")
    more.click()
    assert not page["seed"].is_displayed()
    page["text"].send_keys(Keys.CONTROL, Keys.ENTER)
    page.until(page["seed"].is_displayed)
    assert page.browser.switch_to.active_element == page["seed"]


def test_keys_of_an_input_method_and_held_keys_do_nothing(page: Page) -> None:
    """Escape ends a composition, and Ctrl+Enter that is held would begin again and again."""
    page.type(LONG_TEXT)
    page["speak"].click()
    page.until(lambda: page["state"].text == "speaking")
    script = """
        const [key, fields, done] = arguments;
        const event = new KeyboardEvent("keydown", { key, bubbles: true, ...fields });
        document.getElementById("text").dispatchEvent(event);
        setTimeout(() => done(document.getElementById("state").textContent));
    """
    for key, fields in (
        ("Escape", {"isComposing": True}),
        ("Enter", {"isComposing": True, "ctrlKey": True}),
        ("Enter", {"repeat": True, "ctrlKey": True}),
    ):
        assert page.browser.execute_async_script(script, key, fields) == "speaking", fields


def test_each_model_shows_what_it_takes(page: Page) -> None:
    """Speakers and style for one, a description of the voice for another."""
    assert Select(page["speaker"]).first_selected_option.text == "Ryan"
    assert page["instruct-label"].text == "Style"
    Select(page["model"]).select_by_visible_text("nano-design")
    page.until(lambda: not page["speaker"].is_displayed())
    assert "described" in page["instruct-label"].text
    page["instruct"].send_keys("An old sailor")
    page.say("Hello.")
    for part in ('"model":"nano-design"', '"instruct":"An old sailor"'):
        assert part in page["curl"].text
    assert "speaker" not in page["curl"].text


def test_a_voice_can_be_heard_before_it_is_chosen(page: Page) -> None:
    Select(page["speaker"]).select_by_value("Vivian")
    page["preview"].click()
    page.until(lambda: page["state"].text.startswith("complete"))
    assert '"speaker":"Vivian"' in page["curl"].text


def test_everything_is_reached_by_keyboard(page: Page) -> None:
    """In the order in which it is seen, each with a ring and a name."""
    reached = []
    page["text"].click()
    for _ in range(10):
        focused = page.browser.switch_to.active_element
        assert focused.accessible_name, focused.get_attribute("outerHTML")
        ring = focused.value_of_css_property("outline-style")
        reached.append((focused.get_attribute("id") or focused.tag_name, ring))
        focused.send_keys(Keys.TAB)
    names = "text model speaker preview language instruct summary speak live add-voice"
    assert reached == [(name, "solid") for name in names.split()]


def test_on_a_phone_nothing_sticks_out(browser: Browser, server: Server) -> None:
    """360 px wide, with everything open and an error shown, light and dark."""
    browser.emulate(
        "setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True
    )
    page = Page(browser, server.url).until_ready()
    page.say("Donaudampfschifffahrtsgesellschaftskapitänskajüte")
    browser.find_element(By.TAG_NAME, "summary").click()
    page["top_p"].send_keys("2")
    page["speak"].click()
    page.until(lambda: page["error"].text)
    assert "400" in browser.complaints()[0]
    long = "document.getElementById(arguments[0]).textContent = 'Ready: /models/' + 'x'.repeat(99)"
    for name in ("status", "top_p-fault", "live-line"):
        browser.execute_script(long, name)
    for scheme in ("light", "dark"):
        browser.emulate(
            "setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        widths = "return [document.documentElement.scrollWidth, innerWidth]"
        assert browser.execute_script(widths) == [360, 360]
